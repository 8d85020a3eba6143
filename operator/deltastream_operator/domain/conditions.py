"""A feed's conditions, with all six fields of metav1.Condition, set at the first reconciliation.

Ready is the summary and does not flap. Once everything of a generation has served, Ready stays True while
replicas are added or removed or one of them fails, as long as each component has one that serves. Stalled
and Reconciling follow kstatus, so that `kubectl wait`, Flux and Argo CD understand them. kstatus uses the
first True condition in the list, so Stalled precedes Reconciling.
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
from deltastream_operator.domain.source import SourceState

Status = Literal["True", "False", "Unknown"]
MESSAGE_MAX = 1024
_FULL = "RedisNearlyFull"
OF_LIVE_SOURCES = ("SourceConnected", "SourceAuthorized")
_STATUS: Mapping[bool | None, Status] = {True: "True", False: "False", None: "Unknown"}
# Shares of Redis' maxmemory at which RedisNearlyFull is set and cleared. Both are below 0.8: generators pause
# and resume around 0.8 (feed_generator.domain.pressure), so the condition would change with each pause. With
# only one threshold, memory use near it would write the status of every feed at each crossing.
NEARLY_FULL, CLEARED = 0.75, 0.65


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A condition without its transition time, which `merge` takes from the previous conditions."""

    type: str
    status: Status
    reason: str
    message: str


def merge(
    old: Sequence[Mapping[str, object]], new: Sequence[Condition], now: datetime, generation: int
) -> list[dict[str, object]]:
    """Return the list to write. Conditions of types that the operator does not know are kept.

    lastTransitionTime changes only when the condition's status changes. The conditions of a live source go
    when the feed gets another source.
    """
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
    return merged + [dict(row) for kind, row in before.items() if kind not in OF_LIVE_SOURCES]


def stamp(moment: datetime) -> str:
    """Return a metav1.Time: UTC, in whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def refused(problem: Problem) -> list[Condition]:
    """Return the conditions of a feed whose spec cannot be applied, so that no decision was made."""
    unread = "the spec cannot be applied"
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
    """Return the conditions that follow from a decision and the observed state."""
    paused = Problem(reason="PausedByAnnotation", message=decision.paused) if decision.paused else None
    missing = [] if paused else _missing(decision, facts)
    settled = facts.held or Problem(reason="Settled", message="everything runs as decided")
    moving = Problem(reason="ReplicasMoving", message="; ".join(missing)) if missing else None
    return [
        _ready(decision, facts, moving, _was_ready(decision, facts, old, generation)),
        Condition(type="SpecValid", status="True", reason="SpecRead", message="the spec is valid"),
        _metrics(decision, old),
        _limited(decision),
        *of_source(facts.source),
        _trouble("Paused", paused, "NotPaused", "no annotation pauses the feed"),
        _trouble("ReplicasContested", facts.contested, "SoleOwner", "no other manager owns the replicas"),
        _trouble("Stalled", facts.stalled, "NotStalled", "nothing blocks progress"),
        _trouble("Reconciling", moving, settled.reason, settled.message),
    ]


def of_source(state: SourceState | None) -> list[Condition]:
    """Return the conditions of a live source. Without one there are none."""
    if state is None:
        return []
    connected, authorized = _STATUS[state.connected], _STATUS[state.authorized]
    return [
        Condition(type="SourceConnected", status=connected, reason=state.reason, message=state.message),
        Condition(
            type="SourceAuthorized",
            status=authorized,
            reason="Authorized" if state.authorized else state.reason,
            message="the exchange refuses no credential" if state.authorized else state.message,
        ),
    ]


def _trouble(type: str, problem: Problem | None, reason: str, message: str) -> Condition:
    """Return a condition that is True with the problem, or False with `reason` without one."""
    if problem is None:
        return Condition(type=type, status="False", reason=reason, message=message)
    return Condition(type=type, status="True", reason=problem.reason, message=problem.message)


def _missing(decision: Decision, facts: Facts) -> list[str]:
    """Return a line for each component that does not match the decision yet."""
    lines = []
    for component in COMPONENTS:
        seen, wanted = facts.of(component), _wanted(decision, facts, component)
        if not _all_updated_and_ready(seen, wanted):
            line = f"{component}: {seen.ready} of {wanted} ready, {seen.replicas} exist"
            older = seen.updated != seen.replicas
            lines.append(f"{line}, {seen.updated} of the newest template" if older else line)
    return lines


def _wanted(decision: Decision, facts: Facts, component: Component) -> int:
    target = decision.of(component).target
    return facts.of(component).replicas if target is None else target


def _all_updated_and_ready(seen: Observed, wanted: int) -> bool:
    return seen.replicas == seen.ready == seen.updated == wanted


def _was_ready(
    decision: Decision, facts: Facts, old: Sequence[Mapping[str, object]], generation: int
) -> bool:
    """Return whether, by the last status, everything of this generation has served once."""
    ready = next((row for row in old if row.get("type") == "Ready" and row.get("status") == "True"), None)
    if ready is None:
        return False
    return ready.get("observedGeneration") == generation or _only_scaled(decision, facts)


def _only_scaled(decision: Decision, facts: Facts) -> bool:
    """Return whether only an external scaler's change of the enrichers is outstanding.

    Each such change increases the generation, and must not make the feed lose Ready.
    """
    generator, enricher = facts.generator, facts.enricher
    return (
        decision.enricher.reason == "ExternalReplicas"
        and not facts.stalled
        and enricher.updated == enricher.replicas
        and _all_updated_and_ready(generator, _wanted(decision, facts, "generator"))
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
        why = facts.stalled  # the cause is more useful than the fact
    if why:
        return Condition(type="Ready", status="False", reason=why.reason, message=why.message)
    message = "all replicas serve"
    if facts.held:
        message = "all running replicas serve; a part of the spec is not applied"
    return Condition(type="Ready", status="True", reason="Serving", message=message)


def _metrics(decision: Decision, old: Sequence[Mapping[str, object]]) -> Condition:
    reading = decision.reading
    if not isinstance(reading, Unknown):
        reason, message = "SignalsRead", "Redis answers"
        was_full = any(row.get("reason") == _FULL for row in old if row.get("type") == "MetricsAvailable")
        limit = CLEARED if was_full else NEARLY_FULL
        if reading.redis_memory is not None and reading.redis_memory >= limit:
            # The current usage is left out: the message would change, and be written, at every tick.
            reason = _FULL
            message = (
                f"Redis used over {NEARLY_FULL:.0%} of its maxmemory and is not below {CLEARED:.0%} yet:"
                " generators pause until the enrichers free memory or unrelated keys are removed"
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
