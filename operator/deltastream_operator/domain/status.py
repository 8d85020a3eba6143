"""The whole status of a feed as one object, the same every time nothing has changed."""

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
# Reasons that may take turns from one tick to the next while nothing changes.
_PASSING = frozenset({"ArrivalRate", "BacklogCatchUp", "MinReplicas"})


def changes(previous: Mapping[str, Any], decision: Decision) -> list[Choice]:
    """The choices that are news: other replicas than the last decision's, or another kind of reason.

    Each is worth an Event. A passing change of reason with the same replicas is none.
    """
    return [
        _since(previous.get(choice.component) or {}, choice)
        for choice in (decision.of(component) for component in COMPONENTS)
        if _is_news(previous.get(choice.component) or {}, choice)
    ]


def build(
    previous: Mapping[str, Any], decision: Decision, facts: Facts, *, generation: int, selector: str
) -> dict[str, Any]:
    """The status to write after `previous`. Equal to it if there is nothing to say."""
    kept = list(previous.get("decisions") or [])
    news = {choice.component: choice for choice in changes(previous, decision)}
    decisions = (kept + [_record(choice, decision) for choice in news.values()])[-DECISIONS_KEPT:]
    old = list(previous.get("conditions") or [])
    built: dict[str, Any] = {"observedGeneration": generation}
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
    """The status of a feed whose spec cannot be carried out (unreadable, a product taken, no recording).

    What ran keeps running and keeps being last; nothing is decided.
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
    """The numbers of a reading as the status shows them: whole, with their units in the names."""
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
    """What a deleted feed leaves in Redis, by its last reading; and whether somebody should look at it."""
    if isinstance(reading, Unknown):
        return f"what it leaves in its stream is not known: {reading.message}", True
    if reading.backlog == 0:
        return "all its messages were handled", False
    parts = f"{reading.lag} not taken yet, {reading.pending} pending"
    stays = f"they stay in its stream: a feed named {feed} would handle them"
    return f"{reading.backlog} messages were not handled ({parts}); {stays}", True


def _since(last: Mapping[str, Any], choice: Choice) -> Choice:
    """The choice from the number that was last, if it is carried out already: its telling had failed."""
    if choice.before == choice.desired and "desiredReplicas" in last:
        return replace(choice, before=last["desiredReplicas"])
    return choice


def _is_news(last: Mapping[str, Any], choice: Choice) -> bool:
    if last.get("desiredReplicas") != choice.desired or "reason" not in last:
        return True
    if choice.reason == "SignalsUnknown":  # MetricsAvailable tells it; the replicas' reason stays
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
