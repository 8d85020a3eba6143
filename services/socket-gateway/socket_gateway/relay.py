"""Publish live messages to the rooms, and send cached messages as snapshots."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import gevent
import orjson
import structlog
from gevent.lock import BoundedSemaphore

from socket_gateway import events, metrics
from socket_gateway.cache import Cache
from socket_gateway.errors import CacheUnavailable
from socket_gateway.events import Event
from socket_gateway.hub import Hub
from socket_gateway.outbox import Frame
from socket_gateway.requests import GENERAL, Target

_MAKERS: dict[str, tuple[Callable[[events.Message], Event], ...]] = {
    "enriched:underlying": (events.tick,),
    "enriched:option_chain": (events.summary, events.chain),
}
_READ_WAIT_S = 5.0
_KEPT_S = 1.0  # for so long, frames of a snapshot are kept
_log = structlog.get_logger("relay")


@dataclass(frozen=True)
class _Kept:
    """The snapshot of a room as frames of the event `name`, and the room's number in them."""

    seq: int
    name: str
    frames: list[Frame]


class Relay:
    """Publishes enriched messages. Its snapshots are never older than a client's latest live event."""

    def __init__(
        self, hub: Hub, cache: Cache, barrier: Callable[[], bool], now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._hub, self._cache, self._barrier, self._now_ns = hub, cache, barrier, now_ns
        self._reading = BoundedSemaphore(1)
        self._kept: dict[str, _Kept] = {}

    def handle_message(self, channel: str, data: bytes) -> None:
        """Publish one enriched message. A malformed message is counted and dropped."""
        try:
            message = orjson.loads(data)
            made = [make(message) for make in _MAKERS[channel]]
            for event in made:
                self._hub.publish(event)
            self._measure(message)
        except (ValueError, KeyError, TypeError) as error:
            metrics.MALFORMED.inc()
            _log.warning("malformed_message", channel=channel, error=repr(error)[:200])

    def snapshot(self, member: Any, target: Target) -> None:
        """Offer the cached events of a room to `member` only. Raises CacheUnavailable.

        A chain can have megabytes, and any client may subscribe ten times a second. So clients share the
        frames of the last read while the room has no newer event, and one read runs at a time.
        """
        if not self._offer_kept(member, target.room):
            if not self._reading.acquire(timeout=_READ_WAIT_S):
                raise CacheUnavailable("too many snapshots are wanted: live events continue")
            try:
                if not self._offer_kept(member, target.room):
                    self._read(member, target)
            finally:
                self._reading.release()

    def _offer_kept(self, member: Any, room: str) -> bool:
        kept = self._kept.get(room)
        if kept is None or kept.seq != self._hub.seq(room):
            return False
        for frame in kept.frames:
            member.offer(frame)
        metrics.SENT.labels(kept.name).inc(len(kept.frames))
        return True

    def _read(self, member: Any, target: Target) -> None:
        mark, seq = self._hub.mark(), self._hub.seq(target.room)
        cached = {"product": self._cache.tick, "chain": self._cache.chains}[target.kind](target.product)
        if not cached:
            return
        # First handle all messages published before the reads. Every later event is then newer.
        self._barrier()
        name, wanted, frames = cached[0].name, len(cached), list[Frame]()
        while cached:
            # NB: yield to others, and free each event: a large chain takes milliseconds and megabytes.
            gevent.sleep(0)
            if target.room in member.rooms:
                frame = self._hub.snapshot(cached.pop(0), target.room, mark, [member])
                frames += [frame] if frame is not None else []
            else:
                cached.clear()
        if len(frames) == wanted and seq == self._hub.seq(target.room):
            kept = self._kept[target.room] = _Kept(seq, name, frames)
            gevent.spawn_later(_KEPT_S, self._forget, target.room, kept)

    def _forget(self, room: str, kept: _Kept) -> None:
        if self._kept.get(room) is kept:
            del self._kept[room]

    def recover(self) -> None:
        """Announce a gap in every room, then offer the cached events."""
        self._kept.clear()
        rooms = self._hub.rooms()
        if not rooms:
            return
        mark = self._hub.mark()
        self._hub.gap()
        try:
            self._offer_cached(rooms, mark)
        except (CacheUnavailable, ValueError, KeyError) as error:
            _log.warning("no_snapshots_after_gap", error=repr(error)[:200])

    def recover_soon(self) -> None:
        """Run `recover` in its own greenlet, because the listener's loop must serve the barrier."""
        gevent.spawn(self.recover)

    def _offer_cached(self, rooms: list[str], mark: int) -> None:
        in_general = set(self._hub.members(GENERAL))
        everything = self._cache.products() if in_general else []
        for product in everything:
            self._offer(self._cache.tick(product) + self._cache.summaries(product), GENERAL, mark)
        for room in rooms:
            kind, _, product = room.partition(":")
            if kind == "product":
                others = [member for member in self._hub.members(room) if member not in in_general]
                if others:
                    self._offer(self._cache.tick(product), room, mark, others)
            elif kind == "chain":
                self._offer(self._cache.chains(product), room, mark)

    def _offer(self, cached: list[Event], room: str, mark: int, members: Iterable[Any] | None = None) -> None:
        if cached:
            self._barrier()
        for event in cached:
            self._hub.snapshot(event, room, mark, self._hub.members(room) if members is None else members)

    def _measure(self, message: events.Message) -> None:
        now_s = self._now_ns() / 1e9
        metrics.SENT_TO_EMIT.observe(max(0.0, now_s - message["sent_ts"] / 1e9))
        processed = datetime.fromisoformat(message["processed_at"]).timestamp()
        metrics.PROCESSED_TO_EMIT.observe(max(0.0, now_s - processed))
