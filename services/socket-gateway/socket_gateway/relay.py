"""Publish live messages to the rooms, and send cached messages as snapshots."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import gevent
import orjson
import structlog

from socket_gateway import events, metrics
from socket_gateway.cache import Cache
from socket_gateway.errors import CacheUnavailable
from socket_gateway.events import Event
from socket_gateway.hub import Hub
from socket_gateway.requests import FEEDS, GENERAL, Target

_MAKERS: dict[str, tuple[Callable[[events.Message], Event], ...]] = {
    "enriched:underlying": (events.tick,),
    "enriched:option_chain": (events.summary, events.chain),
    "feeds:table": (events.feeds,),
}
_log = structlog.get_logger("relay")


class Relay:
    """Publishes enriched messages and feeds tables.

    Its snapshots are never older than a client's latest live event.
    """

    def __init__(
        self, hub: Hub, cache: Cache, barrier: Callable[[], bool], now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._hub, self._cache, self._barrier, self._now_ns = hub, cache, barrier, now_ns

    def handle_message(self, channel: str, data: bytes) -> None:
        """Publish one message. A malformed message is counted and dropped."""
        try:
            message = orjson.loads(data)
            made = [make(message) for make in _MAKERS[channel]]
            for event in made:
                self._hub.publish(event)
            if channel != "feeds:table":  # which comes from the operator, not from a market
                self._measure(message)
        except (ValueError, KeyError, TypeError) as error:
            metrics.MALFORMED.inc()
            _log.warning("malformed_message", channel=channel, error=repr(error)[:200])

    def snapshot(self, member: Any, target: Target) -> None:
        """Offer the cached events of a room to `member` only. Raises CacheUnavailable."""
        mark = self._hub.mark()
        read: dict[str, Callable[[str], list[Event]]] = {
            "product": self._cache.tick,
            "chain": self._cache.chains,
            FEEDS: lambda _: self._cache.feeds(),
        }
        cached = read[target.kind](target.product)
        if cached:
            # First handle all messages published before the reads. Every later event is then newer.
            self._barrier()
            for event in cached:
                if target.room in member.rooms:
                    self._hub.snapshot(event, target.room, mark, [member])

    def recover(self) -> None:
        """Announce a gap in every room, then offer the cached events."""
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
            elif kind == FEEDS:
                self._offer(self._cache.feeds(), room, mark)

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
