"""What the enricher keeps in Redis, found by its index: never KEYS or SCAN, never more than one product."""

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


class CacheAway(Exception):
    """Redis does not answer."""


def connect(url: str, *, connections: int) -> redis.Redis:
    """A client that opens nothing before its first use and answers or fails within about a second.

    redis-py's own retries with growing pauses are off: storage is the second try.
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
    """Reads the cached values. Every method but `keep_surface` raises CacheAway while Redis is away.

    After a failure nothing is asked for `rest_s` seconds: a Redis that hangs would else take its whole
    timeout from every request.
    """

    def __init__(
        self, client: redis.Redis, *, rest_s: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis: Any = client  # redis-py's reply types fit neither its sync nor its async client
        self._rest_s, self._clock = rest_s, clock
        self._away_until = float("-inf")

    def ping(self) -> None:
        self._redis.ping()

    def expiries(self, product: str) -> list[str]:
        """Expiries in the product's index, ascending."""
        fields = self._asked(lambda: self._redis.hkeys(f"index:{product}"))
        return sorted(name[6:].decode() for name in fields if name.startswith(b"chain:"))

    def ratio(self, product: str, expiry: str) -> Json | None:
        return self._value(f"latest:pcr:{product}:{expiry}")

    def ratios(self, product: str) -> list[tuple[str, Json]]:
        """(expiry, ratios) of every live expiry, ascending."""
        return self._every(product, "pcr")

    def chain(self, product: str, expiry: str) -> Json | None:
        return self._value(f"latest:chain:{product}:{expiry}")

    def chains(self, product: str) -> list[tuple[str, Json]]:
        """(expiry, chain) of every live expiry, ascending."""
        return self._every(product, "chain")

    def bars(self, product: str, minutes: int) -> list[Json]:
        """Bars of one length, in no order; the enricher keeps at most 500."""
        found = self._asked(lambda: self._redis.hvals(f"ohlc:{product}:{minutes}m"))
        return list(_decoded(found))

    def surface(self, product: str) -> Json | None:
        return self._value(f"volatility_surface:{product}")

    def keep_surface(self, product: str, surface: Json) -> None:
        """Keep it for SURFACE_S seconds, if Redis answers: it can be made again."""
        text = orjson.dumps(surface)
        try:
            self._asked(lambda: self._redis.set(f"volatility_surface:{product}", text, ex=SURFACE_S))
        except CacheAway:
            return

    def _value(self, key: str) -> Json | None:
        return next(_decoded([self._asked(lambda: self._redis.get(key))]), None)

    def _every(self, product: str, kind: str) -> list[tuple[str, Json]]:
        expiries = self.expiries(product)
        if not expiries:
            return []
        # The index lives as long as any of its expiries: what of it is gone has not been seen for a day.
        keys = [f"latest:{kind}:{product}:{expiry}" for expiry in expiries]
        texts = self._asked(lambda: self._redis.mget(keys))
        found = zip(expiries, texts, strict=True)
        return [(expiry, value) for expiry, text in found for value in _decoded([text])]

    def _asked(self, question: Callable[[], T]) -> T:
        if self._clock() < self._away_until:
            raise CacheAway
        try:
            return question()
        except redis.RedisError as error:
            self._away_until = self._clock() + self._rest_s
            metrics.CACHE_AWAY.inc()
            structlog.get_logger("cache").warning("cache_away", error=type(error).__name__)
            raise CacheAway from error


def _decoded(texts: Iterable[bytes | None]) -> Iterator[Json]:
    """The objects among `texts`; what is none counts as not there, and is counted."""
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
            structlog.get_logger("cache").error("broken_value", reason="no JSON object")
