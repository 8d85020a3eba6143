"""A feed's load at one moment, or Unknown. An unknown load is never treated as zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deltastream_operator.domain.feed import Feed
from deltastream_operator.domain.observed import Observed
from deltastream_operator.domain.source import REPLACED, Report, SourceState, is_live, together, unknown


@dataclass(frozen=True, kw_only=True)
class Signals:
    """A feed's load. Every number is finite and not negative; the adapter ensures this."""

    lag: int
    """Entries of the stream that no enricher has read yet."""
    pending: int
    """Entries that an enricher has read and not yet acknowledged."""
    oldest_seconds: float
    """Age of the oldest entry that is not acknowledged; 0 without such an entry."""
    queued_tasks: int
    """Tasks in the feed's Celery queue. Their entries are already counted in `lag` or `pending`."""
    arrivals_per_second: float
    service_seconds: float | None
    """Worker time of an entry in a full batch, in seconds; None before the first batch."""
    redis_memory: float | None = None
    """Share of Redis' `maxmemory` in use, 0 to 1; None without a limit or without the right to ask."""
    reports: Mapping[int, Report] = field(default_factory=dict)
    """What the generators of a live source report, by shard."""

    @property
    def backlog(self) -> int:
        """Return all entries that are not processed: lag plus pending."""
        return self.lag + self.pending


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """No reading. `reason` is CamelCase for the condition; `message` says what the user should check."""

    reason: str
    message: str


WAITING = Unknown(reason="FirstReading", message="rates need a second reading")

Reading = Signals | Unknown


def source_of(feed: Feed, reading: Reading, wanted: int, seen: Observed) -> SourceState | None:
    """Return the state of the feed's live source, or None if its source is not live.

    `wanted` is the number of generators that should run, `seen` counts those that do. While generators of an
    earlier template run, their connections say nothing about the present spec.
    """
    if not is_live(feed):
        return None
    if isinstance(reading, Unknown):
        return unknown(reason=reading.reason, message=reading.message)
    if seen.updated != seen.replicas:
        return REPLACED
    return together(feed, reading.reports, wanted)
