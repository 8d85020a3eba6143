"""The interface that every source of market messages implements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from feed_generator.messages import Message


@dataclass(frozen=True, slots=True)
class Batch:
    """The messages of one instant. `pass_number` counts passes over a recording from 1; 0 if live."""

    messages: tuple[Message, ...]
    pass_number: int = 0


class Source(Protocol):
    """Produces batches of messages on its own time grid.

    The messages depend only on the source's input, not on when the methods are called. A source is not an
    iterator, because the publisher needs the next due time before the messages are made: after a long pause
    it skips the gap (`skip`) instead of publishing old messages.
    """

    def due_ns(self) -> int | None:
        """Return when the next batch is due, in ns after the source's start; None after the last batch."""

    def advance(self) -> Batch:
        """Return the next batch and move to the one after it."""

    def skip(self, gap_ns: int) -> None:
        """Skip a gap of `gap_ns`: the event times of a live source move forward by it."""


class EmptySource:
    """The source of a shard without products: it has no batches."""

    def due_ns(self) -> int | None:
        return None

    def advance(self) -> Batch:
        return Batch(())

    def skip(self, gap_ns: int) -> None:
        del gap_ns
