"""The enricher's Redis client: its writes are let through while Redis is at `maxmemory`.

Under `noeviction` a full Redis refuses every command that may need memory. The market must be refused then,
so that the streams stop growing. Whoever empties the streams must not be: creating the group, queueing one
task and noting a dead letter need a few bytes, and free many. Redis 7 lets a script with the flag `allow-oom`
run in that state, so the client sends each such command as a one-line script.

What is written this way is bounded by itself: one task a feed, one cache entry an expiry, dead letters up to
their byte budget. The quarter of the container's memory above `maxmemory` holds it.
"""

from __future__ import annotations

from typing import Any

import redis
from redis.client import Pipeline

from worker_enricher.adapters.scripts import script

_LET_THROUGH = script("let_through")
_GROUP_CREATE = script("group_create")
_WRITES = frozenset({"HINCRBY", "HSET", "LPUSH", "RPUSH", "SADD", "SET", "ZADD"})


def _let_through(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The command as a script if Redis would refuse it when full; else the command itself."""
    name = args[0]
    if name in _WRITES:
        return ("EVAL", _LET_THROUGH, 1, args[1], name, *args[2:])
    if name == "XGROUP CREATE":
        return ("EVAL", _GROUP_CREATE, 1, *args[1:])
    return args


class DrainPipeline(Pipeline):
    """A pipeline whose writes are let through."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        return super().execute_command(*_let_through(args), **options)  # type: ignore[no-untyped-call]


class DrainClient(redis.Redis):
    """A client whose writes are let through. Answers are those of the commands themselves."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        return super().execute_command(*_let_through(args), **options)  # type: ignore[no-untyped-call]

    pipeline_class: type[DrainPipeline] = DrainPipeline

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:  # noqa: ARG002
        """A pipeline that is a transaction only after `multi()`.

        NB: Redis 7.0 refuses every script inside MULTI while it is full; kombu asks for MULTI without need.
        """
        return self.pipeline_class(self.connection_pool, self.response_callbacks, False, shard_hint)


def connect(url: str) -> redis.Redis:
    """A client whose calls end: no answer within 5 s is an outage."""
    return DrainClient.from_url(
        url, socket_timeout=5, socket_connect_timeout=2, health_check_interval=15, protocol=2
    )
