"""What was seen of a feed's workloads, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

from deltastream_operator.domain.feed import Component


@dataclass(frozen=True, kw_only=True)
class Observed:
    """`replicas` exist, `ready` of them serve, `updated` of them are of the newest template."""

    replicas: int
    ready: int
    updated: int


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A CamelCase `reason` and a message that names the cause and the fix."""

    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that was seen of one feed, beside its signals."""

    generator: Observed
    enricher: Observed
    stalled: Problem | None = None
    """Why the workloads make no progress: an image that does not exist, a crash and its last words."""
    contested: Problem | None = None
    """Who else writes the replicas."""
    held: Problem | None = None
    """What of the spec is not carried out because nothing is to be changed."""

    def of(self, component: Component) -> Observed:
        """What was seen of one component."""
        return self.generator if component == "generator" else self.enricher
