"""What is known of a feed's load at one moment; or that nothing is known, which is never zero."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Signals:
    """A feed's load. Every number is finite and not negative: the adapter refuses others."""

    lag: int
    """Entries of the stream that no enricher has taken yet."""
    pending: int
    """Entries that an enricher has taken and not yet acknowledged."""
    oldest_seconds: float
    """Age of the oldest entry that is not acknowledged, 0 if there is none."""
    queued_tasks: int
    """Tasks waiting in the feed's Celery queue. They call workers to entries that are counted above."""
    arrivals_per_second: float
    service_seconds: float | None
    """Worker time that an entry takes in a full batch; None before the first batch."""
    redis_memory: float | None = None
    """Share of Redis' `maxmemory` in use; None without such a limit, or without the right to ask."""

    @property
    def backlog(self) -> int:
        """All outstanding work, counted once."""
        return self.lag + self.pending


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """No reading. `reason` is CamelCase for the condition, `message` says what to look at."""

    reason: str
    message: str


WAITING = Unknown(reason="FirstReading", message="rates need a second reading")

Reading = Signals | Unknown
