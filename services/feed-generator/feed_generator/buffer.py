"""The buffer of messages that wait for Redis. It is limited in bytes and conflates quotes.

A message gets its `mid` when the publisher first takes it for sending, and keeps it. Sending it again is
therefore harmless: consumers drop a `mid` that they already have. Before a message has a `mid`, a newer quote
of the same symbol may replace it, so the sequence numbers in Redis have no gaps.

The buffer keeps a confirmed message for 2.5 s. With `appendfsync everysec` Redis writes to disk up to two
seconds late, so a Redis that is killed may lose entries that it confirmed. After an outage they are sent
again.

An epoch covers at most PASSES passes over a recording, so that the `replay` numbers of two epochs do not
overlap.
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
    """A FIFO queue of messages, limited to `limit_bytes` bytes of bodies.

    A conflated quote moves to the end of the queue with its newest body.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._waiting: dict[str | int, tuple[Message, int]] = {}
        self._unique = count()
        self._sent: deque[Named] = deque()  # have a mid, are not confirmed
        self._taken = 0  # how many of `_sent` the last `take` returned
        self._confirmed: deque[tuple[int, Named]] = deque()
        self._bytes = 0  # bodies in `_waiting` and `_sent`
        self._epoch = self._block = 0
        self._seq = count(1)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._sent)

    @property
    def full(self) -> bool:
        """True if the source must wait. The buffer accepts the whole batch that exceeds the limit."""
        return self._bytes >= self._limit_bytes

    def start_epoch(self, epoch: int) -> None:
        """Give the next messages the mids `{epoch}:1`, `{epoch}:2`, …"""
        self._epoch, self._seq, self._block = epoch, count(1), self._next_block()

    @property
    def has_epoch(self) -> bool:
        """True if the next message can get a mid: an epoch is set and has not used up its PASSES passes."""
        return self._epoch > 0 and (bool(self._sent) or self._next_block() == self._block)

    def _next_block(self) -> int:
        """Return the next message's pass number // PASSES. It never decreases: passes wait in their order."""
        return next((number // PASSES for _, number in self._waiting.values()), self._block)

    def add(self, message: Message, pass_number: int, *, conflate: bool) -> bool:
        """Append a message. With `conflate`, a quote replaces the waiting quote of its symbol.

        Returns True if the message replaced one.
        """
        key: str | int = message.symbol if conflate and message.symbol else next(self._unique)
        replaced = self._waiting.pop(key, None)
        self._waiting[key] = (message, pass_number)
        self._bytes += len(message.body) - (len(replaced[0].body) if replaced else 0)
        return replaced is not None

    def take(self, limit: int, limit_bytes: int, *, hold_quotes: bool = False) -> list[Named]:
        """Return the next messages to send, unconfirmed messages of earlier calls first.

        The batch has at most `limit` messages. It ends with the message with which the bodies reach
        `limit_bytes`. With `hold_quotes`, new quotes stay in the buffer, where they can still be conflated.
        Messages that need a new epoch wait for `start_epoch`.
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
        """Record that Redis confirmed the last `take` at `now`, ns on a monotonic clock."""
        for _ in range(self._taken):
            named = self._sent.popleft()
            self._bytes -= len(named.body)
            self._confirmed.append((now, named))
        self._taken = 0
        while self._confirmed and self._confirmed[0][0] <= now - _KEEP_NS:
            self._confirmed.popleft()

    def requeue_confirmed(self) -> None:
        """Queue recently confirmed messages again under the same mids: a killed Redis may have lost them."""
        for _, named in reversed(self._confirmed):
            self._sent.appendleft(named)
            self._bytes += len(named.body)
        self._confirmed.clear()
        self._taken = 0


def _up_to_bytes(limit_bytes: int, sized: Iterable[tuple[_T, int]]) -> Iterator[_T]:
    """Yield the items of (item, bytes) pairs, up to the item with which the sum reaches `limit_bytes`."""
    taken = 0
    for item, size in sized:
        yield item
        taken += size
        if taken >= limit_bytes:
            return
