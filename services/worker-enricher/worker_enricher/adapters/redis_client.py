"""The enricher's Redis client. Redis accepts its writes even while Redis is at `maxmemory`.

With the policy `noeviction`, a full Redis refuses every command that may need memory. It must refuse the
generators then, so that the streams stop growing. It must not refuse the enricher, which empties the streams:
the enricher's writes (create the group, queue one task, add a dead letter) need a few bytes and free many.
Redis 7 runs scripts with the flag `allow-oom` in that state, so this client sends each such command as a
one-line script.

The size of these writes is limited: one task per feed, one cache entry per expiry, dead letters up to their
limit in bytes. They fit into the quarter of the container's memory that is above `maxmemory`.
"""

from __future__ import annotations

from typing import Any

import redis
from redis.client import Pipeline

from worker_enricher.adapters.scripts import script

_WRITE_WHEN_FULL = script("write_when_full")
_GROUP_CREATE = script("group_create")
_WRITES = frozenset({"HINCRBY", "HSET", "LPUSH", "RPUSH", "SADD", "SET", "ZADD"})


def _as_script(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the command as an `allow-oom` script if a full Redis refuses it, else the command itself."""
    name = args[0]
    if name in _WRITES:
        return ("EVAL", _WRITE_WHEN_FULL, 1, args[1], name, *args[2:])
    if name == "XGROUP CREATE":
        return ("EVAL", _GROUP_CREATE, 1, *args[1:])
    return args


class DrainPipeline(Pipeline):
    """A pipeline that can write while Redis is full."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        return super().execute_command(*_as_script(args), **options)  # type: ignore[no-untyped-call]


class DrainClient(redis.Redis):
    """A client that can write while Redis is full. It returns what the original commands return."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        return super().execute_command(*_as_script(args), **options)  # type: ignore[no-untyped-call]

    pipeline_class: type[DrainPipeline] = DrainPipeline

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:  # noqa: ARG002
        """Return a pipeline that is a transaction only after `multi()`. `transaction` is ignored.

        NB: a full Redis 7.0 refuses every script inside MULTI, and kombu asks for MULTI without need.
        """
        return self.pipeline_class(self.connection_pool, self.response_callbacks, False, shard_hint)


def connect(url: str) -> redis.Redis:
    """Return a client with timeouts: a call without an answer within 5 s raises redis.TimeoutError."""
    return DrainClient.from_url(
        url, socket_timeout=5, socket_connect_timeout=2, health_check_interval=15, protocol=2
    )
