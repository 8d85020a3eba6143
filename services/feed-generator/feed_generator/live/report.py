"""Report the state of a live source: metrics, and a small value in Redis for the operator and the page.

The hash `feed:{feed}:source` has a field for each shard, with the JSON of the contract feed-source. The key
lives for 15 s after the last report. A reader ignores a field whose `ts` is older, so a dead generator has no
state. A generator that ends in order removes its field.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields

import msgspec
import redis

from feed_generator import metrics
from feed_generator.live.market import LiveMarket
from feed_generator.live.status import Status

EVERY_NS = 1_000_000_000
LIVES_S = 15
_COUNTED = {
    "frames": metrics.SOURCE_FRAMES,
    "frame_bytes": metrics.SOURCE_BYTES,
    "refused": metrics.SOURCE_REFUSED,
    "repeated": metrics.SOURCE_REPEATED,
    "gaps": metrics.SOURCE_GAPS,
    "reconnects": metrics.SOURCE_RECONNECTS,
}


class SourceState(msgspec.Struct):
    """The contract feed-source. Times are ns since the epoch, 0 = never."""

    feed: str
    shard: int
    source: str
    connected: bool
    authorized: bool
    reason: str
    message: str
    since_ts: int
    ts: int
    newest_ts: int
    frames: int
    frame_bytes: int
    ticks: int
    repeated: int
    refused: int
    lost: int
    gaps: int
    reconnects: int


def total(statuses: Sequence[Status]) -> Status:
    """Return one status for several connections: counters add up, the first that is not well decides.

    A spare connection decides nothing, but its counters stay: a total must not fall.
    """
    used = [status for status in statuses if not status.spare]
    worst = min(used, key=lambda status: (status.authorized, status.connected))
    numbers = ("frames", "frame_bytes", "ticks", "repeated", "refused", "gaps", "reconnects")
    sums = {name: sum(getattr(status, name) for status in statuses) for name in numbers}
    newest = max(status.newest_ts for status in statuses)
    kept = {field.name: getattr(worst, field.name) for field in fields(Status)}
    refusal = next((status.refusal for status in statuses if status.refusal), "")
    return Status(**{**kept, **sums, "newest_ts": newest, "refusal": refusal})


class Reporter:
    """Reports a market of one shard. `step` is cheap and does nothing most of the time."""

    def __init__(
        self,
        market: LiveMarket,
        client: redis.Redis,
        *,
        feed: str,
        shard: int,
        source: str,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._market, self._client, self._now_ns = market, client, now_ns
        self._feed, self._shard, self._source = feed, shard, source
        self._counted = dict.fromkeys((*_COUNTED, "lost"), 0)
        self._next_ns = 0

    def step(self) -> None:
        """Report once a second. Raises the error of a session that has failed by a defect."""
        if self._market.thread.failure:
            raise self._market.thread.failure
        now_ns = self._now_ns()
        if now_ns < self._next_ns:
            return
        self._next_ns = now_ns + EVERY_NS
        state = self.state(now_ns)
        self._count(state)
        key = f"feed:{self._feed}:source"
        try:
            with self._client.pipeline(transaction=False) as pipe:
                pipe.hset(key, str(self._shard), msgspec.json.encode(state))
                pipe.expire(key, LIVES_S)
                pipe.execute()
        except redis.RedisError:  # the publisher logs outages of Redis
            metrics.REDIS_ERRORS.inc()

    def withdraw(self) -> None:
        """Remove the report, because the generator ends: its connections must not count for 15 s more."""
        with suppress(redis.RedisError):
            self._client.hdel(f"feed:{self._feed}:source", str(self._shard))

    def state(self, now_ns: int) -> SourceState:
        """Return the state of all connections as one."""
        status = total(self._market.statuses)
        return SourceState(
            feed=self._feed,
            shard=self._shard,
            source=self._source,
            connected=status.connected,
            authorized=status.authorized,
            reason=status.reason,
            message=status.message,
            since_ts=status.since_ts,
            ts=now_ns,
            newest_ts=status.newest_ts,
            frames=status.frames,
            frame_bytes=status.frame_bytes,
            ticks=status.ticks,
            repeated=status.repeated,
            refused=status.refused,
            lost=self._market.inbox.lost,
            gaps=status.gaps,
            reconnects=status.reconnects,
        )

    def _count(self, state: SourceState) -> None:
        for name, counter in (*_COUNTED.items(), ("lost", metrics.SOURCE_LOST)):
            value = getattr(state, name)
            counter.labels(self._source).inc(value - self._counted[name])
            self._counted[name] = value
        metrics.SOURCE_CONNECTED.labels(self._source).set(state.connected)
        metrics.SOURCE_AUTHORIZED.labels(self._source).set(state.authorized)
        if state.newest_ts:
            metrics.SOURCE_AGE.labels(self._source).set((state.ts - state.newest_ts) / 1e9)
