"""Times in nanoseconds since the epoch, and as text."""

from __future__ import annotations

from datetime import UTC, datetime


def instant(ns: int) -> str:
    """Return a time as RFC 3339 in UTC, with nanoseconds if it has any."""
    seconds, rest = divmod(ns, 1_000_000_000)
    whole = datetime.fromtimestamp(seconds, UTC).isoformat().removesuffix("+00:00")
    return f"{whole}.{rest:09d}Z" if rest % 1_000_000 else f"{whole}.{rest // 1_000_000:03d}Z"
