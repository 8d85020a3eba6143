"""A feed's conditions, all six fields of metav1.Condition, present from the first visit on.

Ready is the summary and does not flap: once everything of a generation served, it stays True while
replicas come and go or one of them is in trouble, as long as each component has one that serves. Stalled and
Reconciling are kstatus' words, so that `kubectl wait`, Flux and Argo CD understand them; of two that are True
kstatus takes the first in the list, and what cannot go on is not in progress.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from deltastream_operator.domain.decide import Decision
from deltastream_operator.domain.feed import COMPONENTS, Component
from deltastream_operator.domain.observed import Facts, Observed, Problem
from deltastream_operator.domain.signals import WAITING, Unknown

Status = Literal["True", "False", "Unknown"]
MESSAGE_MAX = 1024
_FULL = "RedisNearlyFull"
# Of Redis' maxmemory. Generators pause and go on around 0.8 (feed_generator.pressure): at that very share the
# condition would change with each of their pauses. It is set at the first share and goes below the second:
# a memory that moves around one of them would write the status of every feed at each crossing.
NEARLY_FULL, ROOM_AGAIN = 0.75, 0.65


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A condition as it is now; when it became so is known only beside the old ones (`merge`)."""

    type: str
    status: Status
    reason: str
    message: str


def merge(
    old: Sequence[Mapping[str, object]], new: Sequence[Condition], now: datetime, generation: int
) -> list[dict[str, object]]:
    """The list to write: lastTransitionTime moves only where status does; types we do not know stay."""
    before = {str(condition.get("type")): condition for condition in old}
    merged: list[dict[str, object]] = []
    for condition in new:
        known = before.pop(condition.type, {})
        same = known.get("status") == condition.status and known.get("lastTransitionTime")
        merged.append(
            {
                "type": condition.type,
                "status": condition.status,
                "observedGeneration": generation,
                "lastTransitionTime": known["lastTransitionTime"] if same else stamp(now),
                "reason": condition.reason,
                "message": condition.message[:MESSAGE_MAX],
            }
        )
    return merged + [dict(condition) for condition in before.values()]


def stamp(moment: datetime) -> str:
    """A metav1.Time: seconds, UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def refused(problem: Problem) -> list[Condition]:
    """The conditions of a feed whose spec cannot be carried out: no decision was made."""
    unread = "the spec cannot be carried out"
    return [
        Condition(type="Ready", status="False", reason=problem.reason, message=problem.message),
        Condition(type="SpecValid", status="False", reason=problem.reason, message=problem.message),
        *(
            Condition(type=undecided, status="Unknown", reason="NoDecision", message=unread)
            for undecided in ("MetricsAvailable", "ScalingLimited", "Paused", "ReplicasContested")
        ),
        Condition(type="Stalled", status="True", reason=problem.reason, message=problem.message),
        Condition(type="Reconciling", status="False", reason=problem.reason, message=unread),
    ]


def of(
    decision: Decision, facts: Facts, old: Sequence[Mapping[str, object]], generation: int
) -> list[Condition]:
    """The conditions that follow from a decision and what was seen."""
    paused = Problem(reason="PausedByAnnotation", message=decision.paused) if decision.paused else None
    missing = [] if paused else _missing(decision, facts)
    settled = facts.held or Problem(reason="Settled", message="everything runs as decided")
    moving = Problem(reason="ReplicasMoving", message="; ".join(missing)) if missing else None
    return [
        _ready(decision, facts, moving, _was_ready(decision, facts, old, generation)),
        Condition(type="SpecValid", status="True", reason="SpecRead", message="the spec is valid"),
        _metrics(decision, old),
        _limited(decision),
        _trouble("Paused", paused, "NotPaused", "no annotation asks for it"),
        _trouble("ReplicasContested", facts.contested, "SoleOwner", "nobody else writes the replicas"),
        _trouble("Stalled", facts.stalled, "NotStalled", "nothing stands in the way"),
        _trouble("Reconciling", moving, settled.reason, settled.message),
    ]


def _trouble(type: str, problem: Problem | None, reason: str, message: str) -> Condition:
    """True with the problem, False with `reason` where there is none."""
    if problem is None:
        return Condition(type=type, status="False", reason=reason, message=message)
    return Condition(type=type, status="True", reason=problem.reason, message=problem.message)


def _missing(decision: Decision, facts: Facts) -> list[str]:
    """Components that are not yet as decided."""
    lines = []
    for component in COMPONENTS:
        seen, wanted = facts.of(component), _wanted(decision, facts, component)
        if not _whole(seen, wanted):
            line = f"{component}: {seen.ready} of {wanted} ready, {seen.replicas} exist"
            older = seen.updated != seen.replicas
            lines.append(f"{line}, {seen.updated} of the newest template" if older else line)
    return lines


def _wanted(decision: Decision, facts: Facts, component: Component) -> int:
    target = decision.of(component).target
    return facts.of(component).replicas if target is None else target


def _whole(seen: Observed, wanted: int) -> bool:
    return seen.replicas == seen.ready == seen.updated == wanted


def _was_ready(
    decision: Decision, facts: Facts, old: Sequence[Mapping[str, object]], generation: int
) -> bool:
    """Whether all of this generation served once, as the last status says."""
    ready = next((row for row in old if row.get("type") == "Ready" and row.get("status") == "True"), None)
    if ready is None:
        return False
    return ready.get("observedGeneration") == generation or _only_scaled(decision, facts)


def _only_scaled(decision: Decision, facts: Facts) -> bool:
    """Whether another scaler's new number of enrichers is all that there is to do: each is a generation."""
    generator, enricher = facts.generator, facts.enricher
    return (
        decision.enricher.reason == "ExternalReplicas"
        and not facts.stalled
        and enricher.updated == enricher.replicas
        and _whole(generator, _wanted(decision, facts, "generator"))
    )


def _ready(decision: Decision, facts: Facts, moving: Problem | None, was_ready: bool) -> Condition:
    down = [
        f"{component}: 0 of {facts.of(component).replicas or decision.of(component).target} ready"
        for component in COMPONENTS
        if facts.of(component).ready == 0
        and (facts.of(component).replicas or decision.of(component).target or 0) > 0
    ]
    why = Problem(reason="NotServing", message="; ".join(down)) if down else None if was_ready else moving
    if facts.stalled and (down or not was_ready):
        why = facts.stalled  # why it is so, and not only that it is
    if why:
        return Condition(type="Ready", status="False", reason=why.reason, message=why.message)
    message = "all that is wanted serves"
    if facts.held:
        message = "what runs serves; not all of the spec is carried out"
    return Condition(type="Ready", status="True", reason="Serving", message=message)


def _metrics(decision: Decision, old: Sequence[Mapping[str, object]]) -> Condition:
    reading = decision.reading
    if not isinstance(reading, Unknown):
        reason, message = "SignalsRead", "Redis answers"
        was_full = any(row.get("reason") == _FULL for row in old if row.get("type") == "MetricsAvailable")
        limit = ROOM_AGAIN if was_full else NEARLY_FULL
        if reading.redis_memory is not None and reading.redis_memory >= limit:
            # No figure of now: the message would change, and be written, at every tick.
            reason = _FULL
            message = (
                f"Redis used over {NEARLY_FULL:.0%} of its maxmemory and is not below {ROOM_AGAIN:.0%} yet:"
                " generators pause until enrichers have made room, or somebody else's keys are gone"
            )
        return Condition(type="MetricsAvailable", status="True", reason=reason, message=message)
    status: Status = "Unknown" if reading.reason == WAITING.reason else "False"
    return Condition(type="MetricsAvailable", status=status, reason=reading.reason, message=reading.message)


def _limited(decision: Decision) -> Condition:
    limited = [decision.of(component) for component in COMPONENTS if decision.of(component).limited_by]
    if not limited:
        return Condition(
            type="ScalingLimited", status="False", reason="WithinBounds", message="no bound was reached"
        )
    message = "; ".join(
        f"{choice.component}: {choice.limited_by} keeps it at {choice.desired}" for choice in limited
    )
    return Condition(
        type="ScalingLimited", status="True", reason=str(limited[-1].limited_by), message=message
    )
