"""How often one caller may ask: flask-limiter on Redis, shared by all replicas."""

from __future__ import annotations

import time
from collections.abc import Callable

from flask import Blueprint, Flask, Response
from flask_limiter import Limiter, RateLimitExceeded
from redis import ConnectionPool
from redis.exceptions import RedisError

from api_gateway import metrics
from api_gateway.chassis.problems import problem
from api_gateway.identity import address

WINDOW_S = 60


def wait_s(limiter: Limiter) -> int:
    """Seconds until the window that was used up ends; the whole window if Redis has gone since."""
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
    """Limit `reads` by caller and `auth` by address.

    OUTAGE POLICY: while Redis is away, each replica counts in its own memory (fail open up to the number
    of replicas, never without a limit); such requests are counted in gateway_limits_fallback_total.
    """
    pool = ConnectionPool.from_url(redis_url, socket_connect_timeout=0.25, socket_timeout=0.5)
    limiter = Limiter(
        key_func=caller,
        storage_uri="redis://",  # the kind of storage; limits' own reading of a URL knows no unix://
        storage_options={
            "key_prefix": "limits:api",
            "connection_pool": pool,  # type: ignore[dict-item]
        },
        in_memory_fallback_enabled=True,
        headers_enabled=False,  # they would add Retry-After to every answer
    )
    for blueprint in reads:
        limiter.shared_limit(f"{reads_per_minute} per minute", scope="reads")(blueprint)
    limiter.shared_limit(f"{auth_per_minute} per minute", scope="auth", key_func=address)(auth)
    limiter.init_app(app)

    def refused(error: RateLimitExceeded) -> Response:
        answer = problem(429, "rate_limited", f"more than {error.limit.limit}; try again later")
        answer.headers["Retry-After"] = str(wait_s(limiter))
        return answer

    def count_fallback(response: Response) -> Response:
        if limiter.limiter.storage is not limiter.storage:
            metrics.LIMITS_FALLBACK.inc()
        return response

    app.register_error_handler(RateLimitExceeded, refused)
    app.after_request(count_fallback)
