"""Reading values that others wrote: what is not there, or is no number, is None and never a guess."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
Reasons = dict[str, str]
MISSING = "missing"
"""Reason of a null: the source has no such field, or something in it that the contract does not allow."""
LATEST_NS = 4_102_444_800_000_000_000
"""The contracts' bound of `ts`."""

_LARGEST = 1e15


class Broken(ValueError):
    """A value without which nothing can be said: it breaks its contract."""


def number(value: object) -> int | float | None:
    """A finite number within what any contract allows, else None. (NaN and the infinities are not within.)"""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        return None
    return value


def whole(value: object) -> int | None:
    """An integer, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def event_time(value: object) -> int:
    """`ts`. Raises Broken: a number of unknown age is worth nothing."""
    ts = whole(value)
    if ts is None or not 0 <= ts <= LATEST_NS:
        raise Broken("ts")
    return ts


def rfc3339(ns: int) -> str:
    """UTC with milliseconds and Z, as the enriched messages write it: 2024-06-21T09:59:59.000Z."""
    moment = datetime.fromtimestamp(ns // 1_000_000 / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rfc3339_ns(ns: int) -> str:
    """The same to the nanosecond."""
    seconds, fraction = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def epoch_seconds(value: object) -> int | None:
    """An RFC 3339 time on a whole second as seconds since the epoch, else None."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if moment is None or moment.tzinfo is None or moment.microsecond:
        return None
    return int(moment.timestamp())
