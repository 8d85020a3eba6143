"""How often may be tried: flask-limiter on Redis, shared by all replicas, by address and by account."""

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
from auth.models import lowered

WINDOW_S = 60
View = Callable[..., Any]


def address() -> str:
    """The caller's address; of IPv6 the /64, since one host owns all of it."""
    return f"address:{network(request.remote_addr or '') or 'unknown'}"


class Limits:
    """Wraps the views.

    A login is counted three times: for its address; for its account and address together; and, unless the
    address is a known device of the account, for the account over all addresses. So nobody can lock an
    owner out from elsewhere, and guessing one password from many places has a bound all the same.

    OUTAGE POLICY: while Redis is away, each replica counts in its own memory (fail open up to the number
    of replicas, never without a limit); such requests are counted in auth_limits_fallback_total.
    """

    def __init__(
        self, settings: Settings, *, owner: Callable[[str], str | None], devices: Devices, salt: bytes
    ) -> None:
        self._owner, self._devices, self._salt = owner, devices, salt
        pool = ConnectionPool.from_url(
            settings.redis_url.get_secret_value(), socket_connect_timeout=0.25, socket_timeout=0.5
        )
        self._strangers = settings.limit_login_strangers
        self._limiter = Limiter(
            key_func=address,
            storage_uri="redis://",  # the kind of storage; limits' own reading of a URL knows no unix://
            storage_options={
                "key_prefix": "limits:auth",
                "connection_pool": pool,  # type: ignore[dict-item]
            },
            in_memory_fallback_enabled=True,
            headers_enabled=False,  # they would add Retry-After to every answer
        )
        accounts = {
            "login": lambda: self._named("email"),
            "register": lambda: self._named("email"),
            "token": lambda: self._named("client_id"),
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
        """`view`, limited by address and by account (a login also over all strangers to the account)."""
        by_address, by_account, account = self._rules[name]
        outer = self._limiter.shared_limit(f"{by_address} per minute", scope=name, key_func=address)
        inner = self._limiter.shared_limit(f"{by_account} per minute", scope=name, key_func=account)
        wrapped: View = inner(view)
        if name == "login":
            strangers = self._limiter.shared_limit(
                f"{self._strangers} per minute",
                scope="login-strangers",
                key_func=lambda: self._account(lowered(_given("email"))),
                exempt_when=lambda: self._devices.known(lowered(_given("email")), address()),
            )
            wrapped = strangers(wrapped)
        limited: View = outer(wrapped)
        return limited

    def install(self, app: Flask) -> None:
        """Answer 429, and count what was counted in memory."""
        self._limiter.init_app(app)

        def refused(_error: RateLimitExceeded) -> Response:
            answer = problem(429, "rate_limited", "too many tries; wait and try again")
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

    def _named(self, field: str) -> str:
        value = _given(field)
        return self._account(f"{lowered(value)}\n{address()}") if value else address()

    def _owner_of_token(self) -> str:
        try:
            owner = self._owner(_given("refresh_token"))
        except PyMongoError:  # NB: flask-limiter would take any error here for an outage of Redis
            owner = None
        return self._account(owner) if owner else address()

    def _account(self, name: str) -> str:
        """A name that Redis and the logs may see: it does not give the email away."""
        digest = hashlib.blake2b(name.encode("utf-8", "replace"), key=self._salt, digest_size=16)
        return f"account:{digest.hexdigest()}"


def _given(field: str) -> str:
    """A text of the body, which may be anything; empty if it is none."""
    try:
        body = request.get_json(silent=True)
    except RecursionError:
        return ""
    value = body.get(field) if isinstance(body, dict) else None
    return value[:256] if isinstance(value, str) else ""
