"""The feed's stream in Redis: append messages, and read the backlog and the memory in use."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import redis
from redis.exceptions import NoPermissionError

from feed_generator.buffer import PASSES, Named
from feed_generator.chassis.log_setup import new_traceparent
from feed_generator.messages import stamp

GROUP = "enricher"
_NEXT_EPOCH = (Path(__file__).parent / "lua/next_epoch.lua").read_text()


def connect(url: str) -> redis.Redis:
    """Return a client whose calls fail after 2 s without an answer."""
    return redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2, protocol=2)


class RedisStream:
    """The stream `feed:{feed}`. Each entry is also published to the channel `market:{kind}`.

    All methods raise redis.RedisError if Redis is unavailable.
    """

    def __init__(self, client: redis.Redis, feed: str, *, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._client, self._key, self._now_ns = client, f"feed:{feed}", now_ns

    def next_epoch(self) -> int:
        """Return an epoch that no generator of this feed has had. It is at least the time in seconds."""
        now_s = self._now_ns() // 1_000_000_000
        return int(self._client.eval(_NEXT_EPOCH, 1, f"{self._key}:epoch", str(now_s)))

    def append(self, batch: Sequence[Named]) -> None:
        """Append and publish a batch in one round trip. A retry after an error sends the same mids again."""
        traceparent, now_ns = new_traceparent(), self._now_ns()
        with self._client.pipeline(transaction=False) as pipe:
            for named in batch:
                epoch = int(named.mid.partition(":")[0])
                replay = epoch * PASSES + named.pass_number % PASSES if named.pass_number else 0
                body = stamp(named.body, named.mid, replay, now_ns)
                pipe.xadd(self._key, {"kind": named.kind, "body": body, "traceparent": traceparent})
                pipe.publish(f"market:{named.kind}", body)
            pipe.execute()

    def backlog(self) -> int:
        """Return the number of entries that are not processed yet: undelivered plus unacknowledged."""
        group = self._group()
        if (
            group is None or group["lag"] is None
        ):  # no consumer yet, or Redis cannot compute the lag after a trim
            return int(self._client.xlen(self._key))
        return int(group["lag"]) + int(group["pending"])

    def memory(self) -> float | None:
        """Return the share of `maxmemory` in use; None without a limit or without permission for INFO."""
        try:
            info: Any = self._client.info("memory")
        except NoPermissionError:
            return None
        if not info.get("maxmemory"):
            return None
        used = int(info["used_memory"]) - int(info.get("mem_not_counted_for_evict", 0))
        return float(used / info["maxmemory"])

    def _group(self) -> dict[str, Any] | None:
        try:
            groups: Any = self._client.xinfo_groups(self._key)
        except redis.ResponseError:  # no stream yet
            return None
        return next((group for group in groups if group["name"] in (GROUP, GROUP.encode())), None)
