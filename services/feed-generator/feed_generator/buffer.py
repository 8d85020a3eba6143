"""Messages on their way to Redis: bounded in bytes, named once, quotes conflated before they are named.

A message gets its `mid` when it is first handed out for sending and keeps it, so that sending again is
harmless downstream. Until then a newer quote of the same symbol may take its place, so the sequence numbers
that reach Redis have no holes.

A confirmed message is kept a little longer: a Redis that is killed may have forgotten what it confirmed,
because with `appendfsync everysec` it writes up to two seconds late. After an outage it is sent again.

An epoch names at most PASSES passes over a recording, so that `replay` never reaches into the next epoch's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice, takewhile
from typing import TypeVar

from feed_generator.messages import Kind, Message

PASSES = 1_000_000
_KEEP_NS = 2_500_000_000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Named:
    """A message with its name. `pass_number` as in `sources.base.Batch`."""

    kind: Kind
    mid: str
    pass_number: int
    body: bytes


class Buffer:
    """First in, first out, but for conflated quotes, which go to the end with their newest body."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._waiting: dict[str | int, tuple[Message, int]] = {}
        self._unique = count()
        self._sent: deque[Named] = deque()  # named and not confirmed
        self._taken = 0  # of those, how many `take` last returned
        self._confirmed: deque[tuple[int, Named]] = deque()
        self._bytes = 0  # of what waits and what is not confirmed
        self._epoch = self._block = 0
        self._seq = count(1)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._sent)

    @property
    def full(self) -> bool:
        """Whether the source must wait. The batch that crosses the limit is still taken whole."""
        return self._bytes >= self._limit_bytes

    def start_epoch(self, epoch: int) -> None:
        """Name messages from now on `{epoch}:1`, `{epoch}:2`, …"""
        self._epoch, self._seq, self._block = epoch, count(1), self._next_block()

    @property
    def has_epoch(self) -> bool:
        """Whether there is an epoch to name the next message by."""
        return self._epoch > 0 and (bool(self._sent) or self._next_block() == self._block)

    def _next_block(self) -> int:
        """Which PASSES passes the next message belongs to; never falls, as messages wait in that order."""
        return next((number // PASSES for _, number in self._waiting.values()), self._block)

    def add(self, message: Message, pass_number: int, *, conflate: bool) -> bool:
        """Take a message in; True if it replaced a waiting quote of its symbol."""
        key: str | int = message.symbol if conflate and message.symbol else next(self._unique)
        replaced = self._waiting.pop(key, None)
        self._waiting[key] = (message, pass_number)
        self._bytes += len(message.body) - (len(replaced[0].body) if replaced else 0)
        return replaced is not None

    def take(self, limit: int, limit_bytes: int, *, hold_quotes: bool = False) -> list[Named]:
        """Messages to send now: first those that were handed out and not confirmed.

        At most `limit` of them, and no more once their bodies reach `limit_bytes`.

        With `hold_quotes`, quotes keep waiting (and conflating) while ticks and chains go. What needs a new
        epoch waits for `start_epoch`.
        """
        if not self._sent:
            ours = takewhile(lambda item: item[1][1] // PASSES == self._block, self._waiting.items())
            keys = (key for key, (message, _) in ours if not (hold_quotes and message.symbol is not None))
            sized = ((key, len(self._waiting[key][0].body)) for key in keys)
            for key in list(_up_to_bytes(limit_bytes, islice(sized, limit))):
                message, pass_number = self._waiting.pop(key)
                mid = f"{self._epoch}:{next(self._seq)}"
                self._sent.append(Named(message.kind, mid, pass_number, message.body))
        batch = list(
            _up_to_bytes(limit_bytes, ((named, len(named.body)) for named in islice(self._sent, limit)))
        )
        self._taken = len(batch)
        return batch

    def confirm(self, now: int) -> None:
        """At `now` (ns on a monotonic clock) Redis has everything that `take` last returned."""
        for _ in range(self._taken):
            named = self._sent.popleft()
            self._bytes -= len(named.body)
            self._confirmed.append((now, named))
        self._taken = 0
        while self._confirmed and self._confirmed[0][0] <= now - _KEEP_NS:
            self._confirmed.popleft()

    def requeue_confirmed(self) -> None:
        """Redis may have been killed: hand out again, under the same names, what it confirmed lately."""
        for _, named in reversed(self._confirmed):
            self._sent.appendleft(named)
            self._bytes += len(named.body)
        self._confirmed.clear()
        self._taken = 0


def _up_to_bytes(limit_bytes: int, sized: Iterable[tuple[_T, int]]) -> Iterator[_T]:
    """Items of (item, bytes) pairs, up to the one with which `limit_bytes` is reached."""
    taken = 0
    for item, size in sized:
        yield item
        taken += size
        if taken >= limit_bytes:
            return
