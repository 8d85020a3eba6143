"""Decide a feed's replicas from its spec, its signals and its current replicas. A pure function.

Each stage adds a sentence on what it did. Status and Events show these sentences.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from deltastream_operator.domain import capacity
from deltastream_operator.domain.feed import Component, External, Feed
from deltastream_operator.domain.signals import Reading, Unknown

Limit = Literal["MinReplicas", "MaxReplicas"]
Reason = Literal[
    "ManualReplicas", "ExternalReplicas", "ArrivalRate", "BacklogCatchUp", "MinReplicas",
    "ProductCount", "ExternalSource", "SignalsUnknown", "Paused",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Current:
    """The current `spec.replicas` of each workload; None if the workload does not exist yet."""

    generator: int | None = None
    enricher: int | None = None

    def of(self, component: Component) -> int | None:
        """Return the replicas of one component."""
        return self.generator if component == "generator" else self.enricher


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The decided replicas of one component and the reason."""

    component: Component
    before: int | None
    desired: int
    """The replicas that the component should have."""
    target: int | None
    """The replicas to apply now; None leaves the workload unchanged."""
    reason: Reason
    limited_by: Limit | None = None
    steps: tuple[str, ...] = ()

    @property
    def requested(self) -> int:
        """Return the replicas that the workload is to have: a recommendation and a pause change nothing."""
        return self.before or 0 if self.target is None else self.target

    def text(self) -> str:
        """Return one line for a status or an Event: from, to, reason and the sentence of every stage."""
        before = "none" if self.before is None else str(self.before)
        verb = "" if self.target is not None else " (recommended)"
        if self.reason == "Paused":
            verb = " (paused)"
        return f"{self.component} {before} -> {self.desired}{verb}: {self.reason}: {'; '.join(self.steps)}"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The choices for both components, made at time `at` from `reading`."""

    at: datetime
    generator: Choice
    enricher: Choice
    reading: Reading
    paused: str | None = None

    def of(self, component: Component) -> Choice:
        """Return the choice for one component."""
        return self.generator if component == "generator" else self.enricher


def decide(feed: Feed, reading: Reading, current: Current, now: datetime) -> Decision:
    """Return the replicas that the feed's components should have, and those to apply now.

    Unknown signals never scale down. A paused feed is left unchanged. Mode Recommend only creates workloads
    that do not exist yet, at `enricher.replicas` or else at `minReplicas`; then it changes nothing.
    """
    paused = feed.pause.active(now)
    if paused:
        generator = _held("generator", current.generator, paused)
        enricher = _held("enricher", current.enricher, paused)
    else:
        generator = _generator(feed, current.generator)
        enricher = _enricher(feed, reading, current.enricher)
        if feed.mode == "Recommend":
            start = feed.enricher.min_replicas if feed.enricher.replicas is None else feed.enricher.replicas
            generator = _recommended(generator, generator.desired)
            enricher = _recommended(enricher, start)
    return Decision(at=now, generator=generator, enricher=enricher, reading=reading, paused=paused)


def _held(component: Component, before: int | None, why: str) -> Choice:
    return Choice(
        component=component, before=before, desired=before or 0, target=None, reason="Paused", steps=(why,)
    )


def _recommended(choice: Choice, start: int) -> Choice:
    return Choice(
        component=choice.component,
        before=choice.before,
        desired=choice.desired,
        target=start if choice.before is None else None,
        reason=choice.reason,
        limited_by=choice.limited_by,
        steps=(*choice.steps, "mode Recommend: nothing is changed"),
    )


def _generator(feed: Feed, before: int | None) -> Choice:
    spec = feed.generator
    wanted = capacity.generators(feed)
    if isinstance(feed.source, External):
        return Choice(
            component="generator",
            before=before,
            desired=wanted,
            target=wanted,
            reason="ExternalSource",
            steps=("another program writes the messages",),
        )
    steps = [f"{len(feed.products)} product(s), {spec.products_per_replica} each: {wanted}"]
    # A generator without work would idle, so minReplicas counts only as far as there is work.
    most = capacity.most_generators(feed)
    floor = min(spec.min_replicas, most)
    desired, limit = _clamp(wanted, floor, spec.max_replicas, steps)
    return Choice(
        component="generator",
        before=before,
        desired=desired,
        target=desired,
        reason="ProductCount",
        limited_by=limit,
        steps=tuple(steps),
    )


def _enricher(feed: Feed, reading: Reading, before: int | None) -> Choice:
    spec = feed.enricher
    steps: list[str] = []
    limit: Limit | None = None
    reason: Reason
    if feed.mode == "Manual":
        reason, desired = "ManualReplicas", spec.replicas or 0
        steps.append(f"enricher.replicas is {desired}")
    elif feed.mode == "External":
        reason, wanted = "ExternalReplicas", spec.replicas or 0
        steps.append(f"enricher.replicas is {wanted}")
        desired, limit = _clamp(wanted, spec.min_replicas, spec.max_replicas, steps)
    elif isinstance(reading, Unknown):
        reason, held = "SignalsUnknown", before or 0
        steps.append(f"{reading.message}: stays at {held}")
        desired, limit = _clamp(held, spec.min_replicas, spec.max_replicas, steps)
    else:
        demand = capacity.enrichers(spec, reading)
        wanted, base = math.ceil(demand.arrivals + demand.catch_up), math.ceil(demand.arrivals)
        steps += [*demand.steps, f"sum, rounded up: {wanted}"]
        desired, limit = _clamp(wanted, spec.min_replicas, spec.max_replicas, steps)
        reason = "BacklogCatchUp" if wanted > base else "ArrivalRate"
        if limit == "MinReplicas":
            reason = "MinReplicas"
    return Choice(
        component="enricher",
        before=before,
        desired=desired,
        target=desired,
        reason=reason,
        limited_by=limit,
        steps=tuple(steps),
    )


def _clamp(wanted: int, least: int, most: int, steps: list[str]) -> tuple[int, Limit | None]:
    if wanted > most:
        steps.append(f"lowered to maxReplicas {most}")
        return most, "MaxReplicas"
    if wanted < least:
        steps.append(f"raised to minReplicas {least}")
        return least, "MinReplicas"
    return wanted, None
