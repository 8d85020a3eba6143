"""The protocol of a source of market messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from feed_generator.messages import Message


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages of one instant. `pass_number` counts passes over a recording from 1; 0 in a live market."""

    messages: tuple[Message, ...]
    pass_number: int = 0


class Source(Protocol):
    """Makes batches on its own time grid. Their content never depends on when a method is called.

    A source is not an iterator, because the publisher must know the next time before it makes the messages:
    after a long pause it skips the gap (`skip`) instead of making outdated messages.
    """

    def due_ns(self) -> int | None:
        """Return when the next batch is due, in ns after the source's start, or None after the last one."""

    def advance(self) -> Batch:
        """Make the next batch."""

    def skip(self, gap_ns: int) -> None:
        """Skip a pause of `gap_ns`: the event times of a live source advance by it."""


class EmptySource:
    """The source of a shard that has no products."""

    def due_ns(self) -> int | None:
        return None

    def advance(self) -> Batch:
        return Batch(())

    def skip(self, gap_ns: int) -> None:
        del gap_ns
