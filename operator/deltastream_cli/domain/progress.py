"""Where an export stands, and how far that is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Position:
    """The place behind the last row that is written: the gateway's cursor within one series.

    Quotes have one series for each contract, in ascending order; other kinds have one series. `ended`: this
    series has no more rows. `done`: no series follows. `last` is the last row's time.
    """

    series: str = ""
    cursor: str | None = None
    ended: bool = False
    last: str | None = None
    rows: int = 0
    pages: int = 0
    done: bool = False


def share(start: str | None, end: str, last: str | None) -> float | None:
    """Return the share of the time range that is exported, from 0 to 1; None if it has no start."""
    if start is None:
        return None
    first, until = moment(start), moment(end)
    length = (until - first).total_seconds()
    reached = (moment(last) - first).total_seconds() if last else 0.0
    return min(1.0, max(0.0, reached / length)) if length > 0 else 1.0


def moment(text: str) -> datetime:
    """Read a time: a date, or RFC 3339. Without an offset it is UTC. Raises ValueError."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
