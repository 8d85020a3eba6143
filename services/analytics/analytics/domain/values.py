"""Read values that other services wrote. A missing or invalid value becomes None; nothing is guessed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
Reasons = dict[str, str]
MISSING = "missing"
"""The reason for a null if the source lacks the field or has a value that the contract does not allow."""
LATEST_NS = 4_102_444_800_000_000_000
"""The largest `ts` that the contracts allow: 2100-01-01T00:00:00Z in nanoseconds."""

_LARGEST = 1e15


class Broken(ValueError):
    """A value violates its contract in a field that it needs to be usable. The text names the field."""


def number(value: object) -> int | float | None:
    """Return `value` if it is a finite number, else None.

    No contract allows more than 1e15 in magnitude, so larger numbers give None too.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        return None
    return value


def whole(value: object) -> int | None:
    """Return `value` if it is an integer (and not a bool), else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def event_time(value: object) -> int:
    """Return the event time `ts` (nanoseconds). Raises Broken if it is invalid: the data's age is unknown."""
    ts = whole(value)
    if ts is None or not 0 <= ts <= LATEST_NS:
        raise Broken("ts")
    return ts


def rfc3339(ns: int) -> str:
    """Format nanoseconds since the epoch like the enriched messages: 2024-06-21T09:59:59.000Z."""
    moment = datetime.fromtimestamp(ns // 1_000_000 / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rfc3339_ns(ns: int) -> str:
    """Format nanoseconds since the epoch as an RFC 3339 time in UTC with nine decimals."""
    seconds, fraction = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def epoch_seconds(value: object) -> int | None:
    """Return an RFC 3339 time as epoch seconds; None if it is invalid, has no zone or has a fraction."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if moment is None or moment.tzinfo is None or moment.microsecond:
        return None
    return int(moment.timestamp())
