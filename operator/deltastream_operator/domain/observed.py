"""The observed state of a feed's workloads and the problems found."""

from __future__ import annotations

from dataclasses import dataclass

from deltastream_operator.domain.feed import Component
from deltastream_operator.domain.source import SourceState


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Pod counts of one workload: all `replicas`, the `ready` ones and the ones of the newest template."""

    replicas: int
    ready: int
    updated: int


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A problem: a CamelCase `reason` for a condition and a message that names the cause and the fix."""

    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The observed state of one feed, without its signals."""

    generator: Observed
    enricher: Observed
    stalled: Problem | None = None
    """Why the workloads make no progress, such as a missing image or a crash with the end of its output."""
    contested: Problem | None = None
    """The other field manager that owns the replicas."""
    source: SourceState | None = None
    """The state of a live source; None if the feed has another kind of source."""
    held: Problem | None = None
    """The fields of the spec that are not applied because of a pause or mode Recommend."""

    def of(self, component: Component) -> Observed:
        """Return the observed counts of one component."""
        return self.generator if component == "generator" else self.enricher
