"""The promise of a source of market messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from feed_generator.messages import Message


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages of one instant. `pass_number`: 0 in a live market, 1.. for a pass over a recording."""

    messages: tuple[Message, ...]
    pass_number: int = 0


class Source(Protocol):
    """Batches on the source's own time grid: what it says depends on its input, never on when it is asked.

    Not an iterator, because the next time must be known before its messages are made: after a long pause a
    live source has to leave the gap out (`skip`) and not tell old news.
    """

    def due_ns(self) -> int | None:
        """When the next batch is due, ns after the source's start; None when there is no more."""

    def advance(self) -> Batch:
        """Make the next batch."""

    def skip(self, gap_ns: int) -> None:
        """A pause of `gap_ns` was not filled: a live source's event times move on by it."""


class EmptySource:
    """The source of a shard that has no products."""

    def due_ns(self) -> int | None:
        return None

    def advance(self) -> Batch:
        return Batch(())

    def skip(self, gap_ns: int) -> None:
        del gap_ns
