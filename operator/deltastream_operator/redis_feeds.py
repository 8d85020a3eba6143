"""Publish the feeds table in Redis, and exchange requests to change a feed with the API gateway."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

TABLE = "feeds:table"  # the key and the channel
TABLE_TTL_S = 30
EXTERNAL = "feeds:external"
REQUESTS = "feeds:requests"
REPLY_TTL_S = 30
IMPORTS = "imports:requests"
CANCELS = "imports:cancels"
IMPORT_TTL_S = 3600
_TAKEN_AT_ONCE = 20
_TIMEOUT_S = 1.0


class RedisFeeds:
    """The keys of contracts `feeds-table` and `feeds-external` and, in a local run, of the requests.

    `url` names database 0. Each call raises redis.RedisError in an outage.
    """

    def __init__(self, url: str) -> None:
        options: dict[str, Any] = {
            "retry": Retry(NoBackoff(), 1),  # one retry for a stale connection; the next tick writes again
            "socket_timeout": _TIMEOUT_S,
            "socket_connect_timeout": _TIMEOUT_S,
        }
        self._redis: Any = redis.Redis.from_url(url, **options)

    def forget_replay_commands(self, feeds: Iterable[str]) -> None:
        """Let the replays of these feeds play as their specs say (contract `feed-replay-command`)."""
        if keys := [f"feed:{feed}:replay-command" for feed in feeds]:
            self._redis.delete(*keys)

    def publish(self, table: bytes, external: Mapping[str, str], unreadable: Sequence[str] = ()) -> None:
        """Store the table for 30 s, and send it to all who listen. `external` replaces the external feeds.

        The feeds `unreadable` stay as they are. The external feeds have no TTL: their programs may push while
        the operator is away.
        """
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.set(TABLE, table, ex=TABLE_TTL_S)
            pipe.publish(TABLE, table)
            pipe.execute()
        before = self._redis.hmget(EXTERNAL, unreadable) if unreadable else []
        kept = {name: text for name, text in zip(unreadable, before, strict=True) if text is not None}
        with self._redis.pipeline() as pipe:
            pipe.delete(EXTERNAL)
            if given := {**external, **kept}:
                pipe.hset(EXTERNAL, mapping=given)
            pipe.execute()

    def take_requests(self) -> list[bytes]:
        """Remove and return the waiting requests, oldest first."""
        found: list[bytes] | None = self._redis.lpop(REQUESTS, _TAKEN_AT_ONCE)
        return found or []

    def take_imports(self) -> list[bytes]:
        """Remove and return the waiting requests to import files (contract `import-request`)."""
        found: list[bytes] | None = self._redis.lpop(IMPORTS, _TAKEN_AT_ONCE)
        return found or []

    def take_cancels(self) -> list[bytes]:
        """Remove and return the waiting requests to cancel an import (contract `import-cancel`)."""
        found: list[bytes] | None = self._redis.lpop(CANCELS, _TAKEN_AT_ONCE)
        return found or []

    def import_state(self, import_id: str, state: bytes) -> None:
        """Say how far an import is (contract `import-state`)."""
        self._redis.set(f"import:{import_id}", state, ex=IMPORT_TTL_S)

    def reply(self, request_id: str, reply: bytes) -> None:
        """Give the reply to the gateway that waits for it."""
        key = f"feeds:reply:{request_id}"
        with self._redis.pipeline() as pipe:
            pipe.rpush(key, reply)
            pipe.expire(key, REPLY_TTL_S)
            pipe.execute()
