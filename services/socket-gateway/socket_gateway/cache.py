"""Read snapshots from Redis: the cached events that a client receives before the next live event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import redis

from socket_gateway import events
from socket_gateway.errors import CacheUnavailable
from socket_gateway.events import Event


class Cache:
    """Reads `feeds:table`, and `latest:*` through the index (never KEYS).

    Raises CacheUnavailable if Redis does not answer.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client  # redis-py's reply types fit neither its sync nor its async client

    def ping(self) -> None:
        self._redis.ping()

    def products(self) -> list[str]:
        """Return all cached products, sorted."""
        return sorted(name.decode() for name in _query(lambda: self._redis.smembers("index:products")))

    def tick(self, product: str) -> list[Event]:
        """Return the newest tick of a product as a list of at most one event."""
        found = _query(lambda: self._redis.get(f"latest:underlying:{product}"))
        return _events([found], events.tick)

    def chains(self, product: str) -> list[Event]:
        """Return a chain_update for every cached expiry of a product, earliest first."""
        return _events(self._chains(product), events.chain)

    def summaries(self, product: str) -> list[Event]:
        """Return a chain_summary for every cached expiry of a product, earliest first."""
        return _events(self._chains(product), events.summary)

    def feeds(self) -> list[Event]:
        """Return the newest feeds table as a list of at most one event."""
        found = _query(lambda: self._redis.get("feeds:table"))
        return _events([found], events.feeds)

    def _chains(self, product: str) -> list[bytes | None]:
        fields = _query(lambda: self._redis.hkeys(f"index:{product}"))
        expiries = sorted(name[6:].decode() for name in fields if name.startswith(b"chain:"))
        if not expiries:
            return []
        keys = [f"latest:chain:{product}:{expiry}" for expiry in expiries]
        found: list[bytes | None] = _query(lambda: self._redis.mget(keys))
        return found


def _query(query: Callable[[], Any]) -> Any:
    try:
        return query()
    except redis.RedisError as error:
        raise CacheUnavailable(
            "the cache does not answer: there is no snapshot, but live events continue"
        ) from error


def _events(found: list[bytes | None], make: Callable[[events.Message], Event]) -> list[Event]:
    return [make(orjson.loads(text)) for text in found if text is not None]
