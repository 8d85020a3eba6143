"""The part of a recording that is replayed: event times from one to another, both included."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from feed_generator.errors import BadRecording

_OPEN_NS = 2**63


@dataclass(frozen=True, slots=True)
class Span:
    """Times in ns since the epoch. `ts in span` says whether a time is replayed."""

    first_ns: int
    last_ns: int

    @classmethod
    def of(cls, first: datetime | None, last: datetime | None) -> Span:
        """Return the span between two times. None is open."""
        return cls(0 if first is None else _ns(first), _OPEN_NS if last is None else _ns(last))

    def __contains__(self, ts: int) -> bool:
        return self.first_ns <= ts <= self.last_ns

    def meets(self, first_ns: int, last_ns: int) -> bool:
        """Return whether a time from `first_ns` to `last_ns` is in this span."""
        return first_ns <= self.last_ns and last_ns >= self.first_ns

    def misses(self, path: str, first_ns: int, last_ns: int) -> BadRecording:
        """Return the error of a recording from `first_ns` to `last_ns` that has nothing in this span."""
        held = f"it goes from {_text(first_ns)} to {_text(last_ns)}"
        return BadRecording(path, 0, "-", f"has nothing to replay between the given times (from, to); {held}")


EVERYTHING = Span(0, _OPEN_NS)


def _ns(instant: datetime) -> int:
    return round(instant.timestamp() * 1_000_000) * 1000


def _text(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns // 1_000_000 / 1000, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
