"""Build a feed's whole status. The result is equal to the previous status when nothing has changed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from deltastream_operator.domain import conditions
from deltastream_operator.domain.decide import Choice, Decision
from deltastream_operator.domain.feed import COMPONENTS
from deltastream_operator.domain.observed import Facts, Problem
from deltastream_operator.domain.signals import Reading, Unknown

DECISIONS_KEPT = 10
TEXT_MAX = 1024
# Reasons that may alternate from one tick to the next while the replicas stay the same.
_PASSING = frozenset({"ArrivalRate", "BacklogCatchUp", "MinReplicas"})


def changes(previous: Mapping[str, Any], decision: Decision) -> list[Choice]:
    """Return the choices to announce with an Event.

    Their replicas or their kind of reason differ from the last decision. A change between the reasons in
    `_PASSING` with the same replicas is not announced.
    """
    return [
        _since(previous.get(choice.component) or {}, choice)
        for choice in (decision.of(component) for component in COMPONENTS)
        if _has_changed(previous.get(choice.component) or {}, choice)
    ]


def build(
    previous: Mapping[str, Any],
    decision: Decision,
    facts: Facts,
    *,
    source: str,
    generation: int,
    selector: str,
) -> dict[str, Any]:
    """Return the status that follows `previous`; it is equal to `previous` if nothing changed."""
    kept = list(previous.get("decisions") or [])
    news = {choice.component: choice for choice in changes(previous, decision)}
    decisions = (kept + [_record(choice, decision) for choice in news.values()])[-DECISIONS_KEPT:]
    old = list(previous.get("conditions") or [])
    built: dict[str, Any] = {"observedGeneration": generation, "source": source}
    for component in COMPONENTS:
        seen = facts.of(component)
        built[component] = {
            "replicas": seen.replicas,
            "readyReplicas": seen.ready,
            "desiredReplicas": decision.of(component).desired,
            "reason": news[component].reason if component in news else previous[component]["reason"],
        }
    built["enricher"]["selector"] = selector
    if decisions:
        built["lastDecision"] = decisions[-1]
        built["decisions"] = decisions
    new = conditions.of(decision, facts, old, generation)
    built["conditions"] = conditions.merge(old, new, decision.at, generation)
    return built


def refused(
    previous: Mapping[str, Any],
    problem: Problem,
    facts: Facts,
    *,
    now: datetime,
    generation: int,
    selector: str,
) -> dict[str, Any]:
    """Return the status of a feed whose spec cannot be applied.

    The spec is unreadable, lists a product of another feed, or lacks a recording. The workloads keep running
    and their replicas stay in the status, but nothing is decided.
    """
    old = list(previous.get("conditions") or [])
    built: dict[str, Any] = {**previous, "observedGeneration": generation}
    for component in COMPONENTS:
        seen = facts.of(component)
        last = {"replicas": seen.replicas, "readyReplicas": seen.ready}
        built[component] = {**(previous.get(component) or {}), **last}
    built["enricher"]["selector"] = selector
    built["conditions"] = conditions.merge(old, conditions.refused(problem), now, generation)
    return built


def inputs(reading: Reading) -> dict[str, int]:
    """Return the numbers of a reading for the status: integers, with units in the names."""
    if isinstance(reading, Unknown):
        return {}
    numbers = {
        "lag": reading.lag,
        "pending": reading.pending,
        "oldestSeconds": math.ceil(reading.oldest_seconds),
        "queuedTasks": reading.queued_tasks,
        "arrivalsPerSecond": math.ceil(reading.arrivals_per_second),
    }
    if reading.service_seconds is not None:
        numbers["serviceMicros"] = math.ceil(reading.service_seconds * 1e6)
    return numbers


def left_behind(feed: str, reading: Reading) -> tuple[str, bool]:
    """Return what a deleted feed leaves in Redis by its last reading, and whether this needs attention.

    The second value is True if messages are left or if the load is unknown.
    """
    if isinstance(reading, Unknown):
        return f"the number of messages left in its stream is unknown: {reading.message}", True
    if reading.backlog == 0:
        return "all its messages were processed", False
    parts = f"{reading.lag} unread, {reading.pending} pending"
    stays = f"they stay in its stream: a new feed named {feed} would process them"
    return f"{reading.backlog} messages were not processed ({parts}); {stays}", True


def _since(last: Mapping[str, Any], choice: Choice) -> Choice:
    """Return the choice with `before` from the last status, if the choice is applied already.

    That happens when the replicas were applied and the write of the status failed.
    """
    if choice.before == choice.desired and "desiredReplicas" in last:
        return replace(choice, before=last["desiredReplicas"])
    return choice


def _has_changed(last: Mapping[str, Any], choice: Choice) -> bool:
    if last.get("desiredReplicas") != choice.desired or "reason" not in last:
        return True
    if choice.reason == "SignalsUnknown":  # MetricsAvailable reports it; the replicas keep their reason
        return False
    if last["reason"] in _PASSING and choice.reason in _PASSING:
        return False
    return bool(last["reason"] != choice.reason)


def _record(choice: Choice, decision: Decision) -> dict[str, Any]:
    record: dict[str, Any] = {
        "time": conditions.stamp(decision.at),
        "component": choice.component,
        "from": choice.before or 0,
        "to": choice.desired,
        "reason": choice.reason,
        "message": choice.text()[:TEXT_MAX],
    }
    if choice.limited_by:
        record["limitedBy"] = choice.limited_by
    if choice.component == "enricher" and (numbers := inputs(decision.reading)):
        record["inputs"] = numbers
    return record
