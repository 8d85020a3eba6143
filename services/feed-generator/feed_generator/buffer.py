"""Buffer messages between the source and Redis. The buffer is bounded in bytes and assigns the mids.

A message gets its `mid` when `take` first returns it, and keeps it, so consumers recognise a message that is
sent twice. Before that, a newer quote of the same symbol may replace a quote. Sequence numbers in Redis
therefore have no gaps.

The buffer keeps a confirmed message for 2.5 s more. With `appendfsync everysec` a Redis that is killed loses
up to two seconds of confirmed writes, so the generator sends these messages again after an outage.

An epoch covers at most PASSES passes over a recording, so the `replay` numbers of two epochs never overlap.
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
    """A message with its `mid`. `pass_number` is that of `sources.base.Batch`."""

    kind: Kind
    mid: str
    pass_number: int
    body: bytes


class Buffer:
    """A first-in, first-out queue. A conflated quote moves to the end with its newest body."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._waiting: dict[str | int, tuple[Message, int]] = {}
        self._unique = count()
        self._sent: deque[Named] = deque()  # with a mid, not confirmed by Redis
        self._taken = 0  # how many of `_sent` the last `take` returned
        self._confirmed: deque[tuple[int, Named]] = deque()
        self._bytes = 0  # bodies in `_waiting` and `_sent`
        self._epoch = self._block = 0
        self._seq = count(1)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._sent)

    @property
    def full(self) -> bool:
        """True if the source must wait. The batch that crosses the limit is still accepted whole."""
        return self._bytes >= self._limit_bytes

    def start_epoch(self, epoch: int) -> None:
        """Start an epoch: the next messages get the mids `{epoch}:1`, `{epoch}:2`, …"""
        self._epoch, self._seq, self._block = epoch, count(1), self._next_block()

    @property
    def has_epoch(self) -> bool:
        """True if the next message can get a mid: an epoch has started and has not used up its PASSES."""
        return self._epoch > 0 and (bool(self._sent) or self._next_block() == self._block)

    def _next_block(self) -> int:
        """Return the next message's pass number // PASSES. It never decreases: passes wait in their order."""
        return next((number // PASSES for _, number in self._waiting.values()), self._block)

    def add(self, message: Message, pass_number: int, *, conflate: bool) -> bool:
        """Add a message. Returns True if it replaced a waiting quote of the same symbol."""
        key: str | int = message.symbol if conflate and message.symbol else next(self._unique)
        replaced = self._waiting.pop(key, None)
        self._waiting[key] = (message, pass_number)
        self._bytes += len(message.body) - (len(replaced[0].body) if replaced else 0)
        return replaced is not None

    def take(self, limit: int, limit_bytes: int, *, hold_quotes: bool = False) -> list[Named]:
        """Return the messages to send next, beginning with those that Redis did not confirm.

        Returns at most `limit` messages, and stops after the one whose body reaches `limit_bytes` in total.
        With `hold_quotes`, quotes keep waiting and conflating while ticks and chains are returned. Messages
        that need a new epoch wait for `start_epoch`.
        """
        if not self._sent:
            ours = takewhile(lambda item: item[1][1] // PASSES == self._block, self._waiting.items())
            keys = (key for key, (message, _) in ours if not (hold_quotes and message.symbol is not None))
            sized = ((key, len(self._waiting[key][0].body)) for key in keys)
            for key in list(_until(limit_bytes, islice(sized, limit))):
                message, pass_number = self._waiting.pop(key)
                mid = f"{self._epoch}:{next(self._seq)}"
                self._sent.append(Named(message.kind, mid, pass_number, message.body))
        batch = list(_until(limit_bytes, ((named, len(named.body)) for named in islice(self._sent, limit))))
        self._taken = len(batch)
        return batch

    def confirm(self, now: int) -> None:
        """Record that Redis confirmed all messages of the last `take`. `now`: ns on a monotonic clock."""
        for _ in range(self._taken):
            named = self._sent.popleft()
            self._bytes -= len(named.body)
            self._confirmed.append((now, named))
        self._taken = 0
        while self._confirmed and self._confirmed[0][0] <= now - _KEEP_NS:
            self._confirmed.popleft()

    def requeue_confirmed(self) -> None:
        """Queue recently confirmed messages again, with the same mids: a killed Redis may have lost them."""
        for _, named in reversed(self._confirmed):
            self._sent.appendleft(named)
            self._bytes += len(named.body)
        self._confirmed.clear()
        self._taken = 0


def _until(limit_bytes: int, sized: Iterable[tuple[_T, int]]) -> Iterator[_T]:
    """Yield items of (item, bytes) pairs, up to and including the one that reaches `limit_bytes`."""
    taken = 0
    for item, size in sized:
        yield item
        taken += size
        if taken >= limit_bytes:
            return
