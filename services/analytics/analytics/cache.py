"""Read from Redis what the enricher caches, and cache the volatility surface.

Every read concerns one product. It uses known keys and the index `index:{P}`, never KEYS or SCAN.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import orjson
import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from analytics import metrics
from analytics.domain.values import Json

SURFACE_S = 5
T = TypeVar("T")


class CacheUnavailable(Exception):
    """Redis is unavailable."""


def connect(url: str, *, connections: int) -> redis.Redis:
    """Return a client that connects on first use. Each call returns or fails within about a second.

    The retries of redis-py, with their growing pauses, are off: analytics asks storage instead.
    """
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=1,
        socket_connect_timeout=0.5,
        socket_timeout=1,
        retry=Retry(NoBackoff(), 0),
    )
    return redis.Redis(connection_pool=pool)


class Cache:
    """Reads cached values, and stores the volatility surface.

    Every method except `ping` and `cache_surface` raises CacheUnavailable if Redis is unavailable. After a
    failure no method except `ping` calls Redis for `cooldown_s` seconds. Otherwise every request would wait
    for the whole timeout of a Redis that hangs.
    """

    def __init__(
        self, client: redis.Redis, *, cooldown_s: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis: Any = client  # redis-py's reply types fit neither its sync nor its async client
        self._cooldown_s, self._clock = cooldown_s, clock
        self._cooldown_until = float("-inf")

    def ping(self) -> None:
        """Return if Redis answers. Raises redis.RedisError otherwise."""
        self._redis.ping()

    def expiries(self, product: str) -> list[str]:
        """Return the expiries in the product's index, ascending."""
        fields = self._call(lambda: self._redis.hkeys(f"index:{product}"))
        return sorted(name[6:].decode() for name in fields if name.startswith(b"chain:"))

    def ratio(self, product: str, expiry: str) -> Json | None:
        """Return the newest ratios of an expiry, or None."""
        return self._value(f"latest:pcr:{product}:{expiry}")

    def ratios(self, product: str) -> list[tuple[str, Json]]:
        """Return (expiry, ratios) of every live expiry, ascending."""
        return self._by_expiry(product, "pcr")

    def chain(self, product: str, expiry: str) -> Json | None:
        """Return the newest chain of an expiry, or None."""
        return self._value(f"latest:chain:{product}:{expiry}")

    def chains(self, product: str) -> list[tuple[str, Json]]:
        """Return (expiry, chain) of every live expiry, ascending."""
        return self._by_expiry(product, "chain")

    def bars(self, product: str, minutes: int) -> list[Json]:
        """Return the bars of `minutes` each, in any order. The enricher keeps at most 500."""
        found = self._call(lambda: self._redis.hvals(f"ohlc:{product}:{minutes}m"))
        return list(_decoded(found))

    def surface(self, product: str) -> Json | None:
        """Return the cached volatility surface, or None."""
        return self._value(f"volatility_surface:{product}")

    def cache_surface(self, product: str, surface: Json) -> None:
        """Cache the surface for SURFACE_S seconds. Ignores an outage: the surface can be computed again."""
        text = orjson.dumps(surface)
        try:
            self._call(lambda: self._redis.set(f"volatility_surface:{product}", text, ex=SURFACE_S))
        except CacheUnavailable:
            return

    def _value(self, key: str) -> Json | None:
        return next(_decoded([self._call(lambda: self._redis.get(key))]), None)

    def _by_expiry(self, product: str, kind: str) -> list[tuple[str, Json]]:
        expiries = self.expiries(product)
        if not expiries:
            return []
        # The index may name an expiry whose value is gone: the value expires after a day without a chain.
        keys = [f"latest:{kind}:{product}:{expiry}" for expiry in expiries]
        texts = self._call(lambda: self._redis.mget(keys))
        found = zip(expiries, texts, strict=True)
        return [(expiry, value) for expiry, text in found for value in _decoded([text])]

    def _call(self, command: Callable[[], T]) -> T:
        if self._clock() < self._cooldown_until:
            raise CacheUnavailable
        try:
            return command()
        except redis.RedisError as error:
            self._cooldown_until = self._clock() + self._cooldown_s
            metrics.CACHE_UNAVAILABLE.inc()
            structlog.get_logger("cache").warning("cache_unavailable", error=type(error).__name__)
            raise CacheUnavailable from error


def _decoded(texts: Iterable[bytes | None]) -> Iterator[Json]:
    """Yield the JSON objects among `texts`. Skip absent values, and log and count anything else."""
    for text in texts:
        if text is None:
            continue
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            value = None
        if isinstance(value, dict):
            yield value
        else:
            metrics.BROKEN.labels("cache").inc()
            structlog.get_logger("cache").error("broken_value", reason="not a JSON object")
