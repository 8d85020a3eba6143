"""What the planner needs from the world outside, promised before it is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from deltastream_operator.domain.feed import Feed

Component = Literal["generator", "enricher"]


@dataclass(frozen=True, kw_only=True)
class Observed:
    """`replicas` exist, `ready` of them serve."""

    replicas: int
    ready: int


class Clock(Protocol):
    """Time, so that tests can move it by hand."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""


class Workloads(Protocol):
    """Where a feed's components run: processes here, Deployments in a cluster."""

    def apply(self, feed: Feed, component: Component, replicas: int) -> None:
        """Want so many replicas. Idempotent; returns before they are ready."""

    def observe(self, feed: Feed, component: Component) -> Observed:
        """What exists now. An outage of the source raises; it is never read as zero."""
