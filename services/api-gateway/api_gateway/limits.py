"""Rate limits per caller: flask-limiter with counters in Redis that all replicas share."""

from __future__ import annotations

import time
from collections.abc import Callable

from flask import Blueprint, Flask, Response
from flask_limiter import Limiter, RateLimitExceeded
from limits import RateLimitItem, RateLimitItemPerMinute
from redis import ConnectionPool
from redis.exceptions import RedisError

from api_gateway import metrics, windows
from api_gateway.chassis.problems import problem
from api_gateway.identity import address
from api_gateway.windows import WindowsInSteps

WINDOW_S = 60
READS = "reads"


class ReadLimit:
    """The limit of reads, without Flask. It shares its windows with flask-limiter."""

    def __init__(self, limiter: Limiter, reads_per_minute: int) -> None:
        self._limiter, self._item = limiter, RateLimitItemPerMinute(reads_per_minute)
        self.detail = _detail(self._item)

    def wait_s(self, caller: str) -> int | None:
        """Return the seconds to wait if the caller's limit is known to be exhausted, else None."""
        shared = self._shared()
        until = shared.full_until(self._item, caller, READS) if shared is not None else None
        return _seconds_to(until) if until is not None else None

    def hit(self, caller: str) -> bool:
        """Count a read. Returns False, without counting, if flask-limiter must decide."""
        shared = self._shared()
        try:
            return shared is not None and shared.hit(self._item, caller, READS)
        except RedisError:
            return False

    def _shared(self) -> WindowsInSteps | None:
        """Return the windows of all replicas, or None during flask-limiter's fallback to its own memory."""
        found = self._limiter.limiter
        return found if isinstance(found, WindowsInSteps) and not _falls_back(self._limiter) else None


def wait_s(limiter: Limiter) -> int:
    """Return the seconds until the exhausted window ends, or a whole window if Redis is unavailable."""
    try:
        window = limiter.current_limit
        return _seconds_to(window.reset_at) if window else WINDOW_S
    except RedisError:
        return WINDOW_S


def _seconds_to(epoch_s: float) -> int:
    return max(1, round(epoch_s - time.time()))


def _detail(item: RateLimitItem) -> str:
    return f"more than {item}; wait as Retry-After says"


def _falls_back(limiter: Limiter) -> bool:
    return limiter.limiter.storage is not limiter.storage


def install(
    app: Flask,
    *,
    redis_url: str,
    reads: list[Blueprint],
    auth: Blueprint,
    ingest: Blueprint,
    caller: Callable[[], str],
    reads_per_minute: int,
    auth_per_minute: int,
    ingest_per_minute: int,
) -> ReadLimit:
    """Limit `reads` and `ingest` per caller, `auth` per address. Returns the limit of reads.

    OUTAGE POLICY: while Redis is unavailable, each replica counts in its own memory. A caller can then send
    at most the limit times the number of replicas. gateway_limits_fallback_total counts these requests.
    """
    pool = ConnectionPool.from_url(redis_url, socket_connect_timeout=0.25, socket_timeout=0.5)
    limiter = Limiter(
        key_func=caller,
        storage_uri="redis://",  # only selects the storage; limits cannot parse unix://, hence the pool
        storage_options={
            "key_prefix": "limits:api",
            "connection_pool": pool,  # type: ignore[dict-item]
        },
        strategy=windows.NAME,
        in_memory_fallback_enabled=True,
        headers_enabled=False,  # flask-limiter would add Retry-After to every response
    )
    for blueprint in reads:
        limiter.shared_limit(f"{reads_per_minute} per minute", scope=READS)(blueprint)
    limiter.shared_limit(f"{auth_per_minute} per minute", scope="auth", key_func=address)(auth)
    limiter.shared_limit(f"{ingest_per_minute} per minute", scope="ingest")(ingest)
    limiter.init_app(app)

    def refused(error: RateLimitExceeded) -> Response:
        answer = problem(429, "rate_limited", _detail(error.limit.limit))
        answer.headers["Retry-After"] = str(wait_s(limiter))
        return answer

    def count_fallback(response: Response) -> Response:
        if _falls_back(limiter):
            metrics.LIMITS_FALLBACK.inc()
        return response

    app.register_error_handler(RateLimitExceeded, refused)
    app.after_request(count_fallback)
    return ReadLimit(limiter, reads_per_minute)
