"""Rate limits by address and by account: flask-limiter with counters in Redis that all replicas share."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, request
from flask_limiter import Limiter, RateLimitExceeded
from pymongo.errors import PyMongoError
from redis import ConnectionPool
from redis.exceptions import RedisError

from auth import metrics
from auth.chassis.addresses import network
from auth.chassis.problems import problem
from auth.config import Settings
from auth.devices import Devices
from auth.models import normalised_email

WINDOW_S = 60
View = Callable[..., Any]


def address() -> str:
    """Return the rate limit key of the caller's address. For IPv6 it is the /64, which one host owns."""
    return f"address:{network(request.remote_addr or '') or 'unknown'}"


class Limits:
    """Adds rate limits to the views.

    A login is counted three times: for its address; for its account and address together; and, unless the
    address is a known device of the account, for the account over all addresses. So an attacker at another
    address cannot lock an owner out, and guesses from many addresses are still limited.

    OUTAGE POLICY: while Redis is unavailable, each replica counts in its own memory. A caller can then send
    at most the limit times the number of replicas. auth_limits_fallback_total counts these requests.
    """

    def __init__(
        self, settings: Settings, *, owner: Callable[[str], str | None], devices: Devices, salt: bytes
    ) -> None:
        self._owner, self._devices, self._salt = owner, devices, salt
        pool = ConnectionPool.from_url(
            settings.redis_url.get_secret_value(), socket_connect_timeout=0.25, socket_timeout=0.5
        )
        self._by_unknown_devices = settings.limit_login_strangers
        self._limiter = Limiter(
            key_func=address,
            storage_uri="redis://",  # only selects the storage; limits cannot parse unix://, hence the pool
            storage_options={
                "key_prefix": "limits:auth",
                "connection_pool": pool,  # type: ignore[dict-item]
            },
            in_memory_fallback_enabled=True,
            headers_enabled=False,  # flask-limiter would add Retry-After to every response
        )
        accounts = {
            "login": lambda: self._account_from("email"),
            "register": lambda: self._account_from("email"),
            "token": lambda: self._account_from("client_id"),
            "refresh": self._owner_of_token,
        }
        self._rules = {
            name: (
                getattr(settings, f"limit_{name}_address"),
                getattr(settings, f"limit_{name}_account"),
                account,
            )
            for name, account in accounts.items()
        }

    def limited(self, name: str, view: View) -> View:
        """Return `view` with the limits of the route `name`.

        They apply per address and per account; a login is also limited per account over unknown addresses.
        """
        by_address, by_account, account = self._rules[name]
        outer = self._limiter.shared_limit(f"{by_address} per minute", scope=name, key_func=address)
        inner = self._limiter.shared_limit(f"{by_account} per minute", scope=name, key_func=account)
        wrapped: View = inner(view)
        if name == "login":
            unknown_devices = self._limiter.shared_limit(
                f"{self._by_unknown_devices} per minute",
                scope="login-strangers",
                key_func=lambda: self._account(normalised_email(_body_text("email"))),
                exempt_when=lambda: self._devices.known(normalised_email(_body_text("email")), address()),
            )
            wrapped = unknown_devices(wrapped)
        limited: View = outer(wrapped)
        return limited

    def install(self, app: Flask) -> None:
        """Install the limits on `app`: the 429 response, and the metric of the fallback to memory."""
        self._limiter.init_app(app)

        def refused(_error: RateLimitExceeded) -> Response:
            answer = problem(429, "rate_limited", "too many requests; wait as Retry-After says")
            answer.headers["Retry-After"] = str(self._wait_s())
            return answer

        def count_fallback(response: Response) -> Response:
            if self._limiter.limiter.storage is not self._limiter.storage:
                metrics.LIMITS_FALLBACK.inc()
            return response

        app.register_error_handler(RateLimitExceeded, refused)
        app.after_request(count_fallback)

    def _wait_s(self) -> int:
        try:
            window = self._limiter.current_limit
            return min(max(1, round(window.reset_at - time.time())), WINDOW_S) if window else WINDOW_S
        except RedisError:
            return WINDOW_S

    def _account_from(self, field: str) -> str:
        value = _body_text(field)
        return self._account(f"{normalised_email(value)}\n{address()}") if value else address()

    def _owner_of_token(self) -> str:
        try:
            owner = self._owner(_body_text("refresh_token"))
        except PyMongoError:  # NB: flask-limiter treats any error here as an outage of Redis
            owner = None
        return self._account(owner) if owner else address()

    def _account(self, name: str) -> str:
        """Return the rate limit key of an account: a keyed digest, so Redis and the logs see no email."""
        digest = hashlib.blake2b(name.encode("utf-8", "replace"), key=self._salt, digest_size=16)
        return f"account:{digest.hexdigest()}"


def _body_text(field: str) -> str:
    """Return a string from the unvalidated body (at most 256 characters), or "" if there is none."""
    try:
        body = request.get_json(silent=True)
    except RecursionError:
        return ""
    value = body.get(field) if isinstance(body, dict) else None
    return value[:256] if isinstance(value, str) else ""
