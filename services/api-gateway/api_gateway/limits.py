"""Rate limits per caller: flask-limiter with counters in Redis that all replicas share."""

from __future__ import annotations

import time
from collections.abc import Callable

from flask import Blueprint, Flask, Response
from flask_limiter import Limiter, RateLimitExceeded
from redis import ConnectionPool
from redis.exceptions import RedisError

from api_gateway import metrics, windows
from api_gateway.chassis.problems import problem
from api_gateway.identity import address

WINDOW_S = 60


def wait_s(limiter: Limiter) -> int:
    """Return the seconds until the exhausted window ends, or a whole window if Redis is unavailable."""
    try:
        window = limiter.current_limit
        return max(1, round(window.reset_at - time.time())) if window else WINDOW_S
    except RedisError:
        return WINDOW_S


def install(
    app: Flask,
    *,
    redis_url: str,
    reads: list[Blueprint],
    auth: Blueprint,
    caller: Callable[[], str],
    reads_per_minute: int,
    auth_per_minute: int,
) -> None:
    """Limit `reads` per caller and `auth` per address.

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
        limiter.shared_limit(f"{reads_per_minute} per minute", scope="reads")(blueprint)
    limiter.shared_limit(f"{auth_per_minute} per minute", scope="auth", key_func=address)(auth)
    limiter.init_app(app)

    def refused(error: RateLimitExceeded) -> Response:
        answer = problem(429, "rate_limited", f"more than {error.limit.limit}; wait as Retry-After says")
        answer.headers["Retry-After"] = str(wait_s(limiter))
        return answer

    def count_fallback(response: Response) -> Response:
        if limiter.limiter.storage is not limiter.storage:
            metrics.LIMITS_FALLBACK.inc()
        return response

    app.register_error_handler(RateLimitExceeded, refused)
    app.after_request(count_fallback)
