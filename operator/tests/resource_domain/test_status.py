"""Test a feed's status and conditions, which users, `kubectl wait`, Flux and Argo CD read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.feeds import NOON, a_feed, decided, load, of, serving, wrote

from deltastream_operator.domain import conditions, status
from deltastream_operator.domain.observed import Facts, Observed, Problem
from deltastream_operator.domain.pause import PauseRequest
from deltastream_operator.domain.signals import WAITING, Reading, Unknown

TYPES = [
    "Ready", "SpecValid", "MetricsAvailable", "ScalingLimited",
    "Paused", "ReplicasContested", "Stalled", "Reconciling",
]  # fmt: skip
LATER = NOON + timedelta(seconds=2)
OUTAGE = Unknown(reason="RedisUnreachable", message="Redis: connection refused")


def refused(previous: dict[str, Any], facts: Facts, generation: int = 1) -> dict[str, Any]:
    problem = Problem(reason="ProductTaken", message="spec.products: …")
    return status.refused(
        previous, problem, facts, now=LATER, generation=generation, selector="deltastream.dev/feed=a"
    )


def test_every_condition_exists_from_the_first_reconciliation_with_all_six_fields() -> None:
    """This holds before the first signals are read and before any replica runs."""
    nothing = Facts(
        generator=Observed(replicas=0, ready=0, updated=0), enricher=Observed(replicas=0, ready=0, updated=0)
    )
    for built in (
        wrote(decided(reading=WAITING, enrichers=None), nothing),
        refused({}, nothing),
    ):
        assert [row["type"] for row in built["conditions"]] == TYPES
        for row in built["conditions"]:
            assert set(row) == {
                "type", "status", "observedGeneration", "lastTransitionTime", "reason", "message",
            }  # fmt: skip
            assert row["reason"].isalnum()
            assert row["message"]


def test_a_status_is_equal_while_nothing_changes() -> None:
    """The operator writes only changes: other numbers with the same replicas give an equal status."""
    first = wrote(decided(reading=load(arrivals_per_second=10)), serving(1, 1))
    for reading in (load(arrivals_per_second=12), load(arrivals_per_second=9, lag=40, pending=3)):
        assert wrote(decided(reading=reading, at=LATER), serving(1, 1), first) == first


def test_a_change_is_reported_once_with_its_numbers() -> None:
    """The record has from, to, reason, bound, inputs and the sentence of every stage."""
    feed = a_feed(max_replicas=3)
    before = wrote(decided(feed), serving(1, 1))
    burst = decided(feed, load(lag=200_000, pending=256, arrivals_per_second=59.2), at=LATER)
    assert [choice.component for choice in status.changes(before, burst)] == ["enricher"]
    built = wrote(burst, serving(1, 1), before)
    last = built["lastDecision"]
    assert (last["component"], last["from"], last["to"]) == ("enricher", 1, 3)
    assert (last["reason"], last["limitedBy"]) == ("BacklogCatchUp", "MaxReplicas")
    assert last["inputs"] == {
        "lag": 200_000, "pending": 256, "oldestSeconds": 0, "queuedTasks": 0,
        "arrivalsPerSecond": 60, "serviceMicros": 1000,
    }  # fmt: skip
    assert "lowered to maxReplicas 3" in last["message"]
    assert built["enricher"]["reason"] == "BacklogCatchUp"
    assert status.changes(built, burst) == []


def test_an_outage_of_redis_keeps_the_reason_and_ready() -> None:
    """Only MetricsAvailable reports the outage, so no other condition changes when it ends."""
    first = wrote(decided(reading=load(arrivals_per_second=10)), serving(1, 1))
    outage = wrote(decided(reading=OUTAGE, at=LATER), serving(1, 1), first)
    assert outage["enricher"] == first["enricher"]
    assert outage["decisions"] == first["decisions"]
    assert (of(outage, "MetricsAvailable")["status"], of(outage, "MetricsAvailable")["reason"]) == (
        "False",
        "RedisUnreachable",
    )
    assert of(outage, "Ready") == of(first, "Ready")


def test_a_nearly_full_redis_is_reported_and_no_other_condition_changes() -> None:
    """The load is still known, so scaling continues. The message does not change with the exact usage."""
    roomy = wrote(decided(reading=load(redis_memory=0.74)), serving(1, 1))
    full = wrote(decided(reading=load(redis_memory=0.8), at=LATER), serving(1, 1), roomy)
    available = of(full, "MetricsAvailable")
    assert (available["status"], available["reason"]) == ("True", "RedisNearlyFull")
    assert "over 75% of its maxmemory and is not below 65% yet" in available["message"]
    assert of(full, "Ready") == of(roomy, "Ready")
    fuller = wrote(decided(reading=load(redis_memory=0.99), at=LATER), serving(1, 1), full)
    assert of(fuller, "MetricsAvailable") == available


@pytest.mark.parametrize(
    ("shares", "reasons"),
    [
        ((0.74, 0.75, 0.7499, 0.65, 0.75), "-++++"),
        ((0.75, 0.6499, 0.7, 0.7499, 0.75), "+---+"),
        ((0.8, None), "+-"),
    ],
    ids=["stays set until usage is low", "stays cleared until nearly full", "the limit was removed"],
)
def test_a_memory_that_moves_around_a_threshold_writes_nothing(
    shares: Sequence[float | None], reasons: str
) -> None:
    """RedisNearlyFull is set at 75 % and cleared below 65 %. In between the condition does not change."""
    built: dict[str, Any] = {}
    seen = []
    for share in shares:
        before = built
        built = wrote(decided(reading=load(redis_memory=share)), serving(1, 1), built)
        seen.append("+" if of(built, "MetricsAvailable")["reason"] == "RedisNearlyFull" else "-")
        assert (built == before) == (seen[-2:-1] == seen[-1:])
    assert "".join(seen) == reasons


def test_the_first_signals_replace_the_reason_signals_unknown() -> None:
    """A feed that starts without signals gets its real reason with the first reading."""
    first = wrote(decided(reading=WAITING), serving(1, 1))
    assert first["enricher"]["reason"] == "SignalsUnknown"
    assert of(first, "MetricsAvailable")["status"] == "Unknown"
    later = wrote(decided(reading=load(arrivals_per_second=10), at=LATER), serving(1, 1), first)
    assert later["enricher"]["reason"] == "ArrivalRate"


def test_the_last_ten_decisions_are_kept_and_reasons_are_kept_longer() -> None:
    """The oldest is first. A component whose decisions were dropped from the list is not reported again."""
    built: dict[str, Any] = {}
    for count in range(15):
        feed = a_feed("Manual", replicas=count)
        built = wrote(decided(feed, enrichers=max(0, count - 1)), serving(1, count), built)
    assert [row["to"] for row in built["decisions"]] == list(range(5, 15))
    assert built["generator"]["reason"] == "ProductCount"
    assert wrote(decided(a_feed("Manual", replicas=14), enrichers=14), serving(1, 14), built) == built


def test_transition_times_change_only_with_the_status() -> None:
    """A new reason or message keeps lastTransitionTime."""
    old = conditions.merge(
        [], [conditions.Condition(type="Ready", status="False", reason="A", message="a")], NOON, 1
    )
    same = conditions.merge(
        old, [conditions.Condition(type="Ready", status="False", reason="B", message="b")], LATER, 2
    )
    assert same[0] == {**old[0], "reason": "B", "message": "b", "observedGeneration": 2}
    moved = conditions.merge(
        same, [conditions.Condition(type="Ready", status="True", reason="C", message="c")], LATER, 2
    )
    assert moved[0]["lastTransitionTime"] == "2026-11-25T12:00:02Z"


def test_conditions_of_other_programs_are_kept() -> None:
    """The operator writes the whole list, so it must include conditions that other programs added."""
    foreign = {"type": "example.com/Audited", "status": "True"}
    merged = conditions.merge(
        [foreign], [conditions.Condition(type="Ready", status="True", reason="A", message="a")], NOON, 1
    )
    assert merged[1] == foreign


def test_bounds_pause_and_contested_replicas_have_their_own_conditions() -> None:
    """Each message or reason names the cause."""
    limited = wrote(decided(a_feed(max_replicas=2), load(lag=10**6)), serving(1, 2))
    assert of(limited, "ScalingLimited")["message"] == "enricher: MaxReplicas keeps it at 2"
    paused = wrote(decided(replace(a_feed(), pause=PauseRequest(paused=True))), serving(1, 1))
    assert of(paused, "Paused")["status"] == "True"
    assert (paused["enricher"]["reason"], of(paused, "Reconciling")["status"]) == ("Paused", "False")
    contested = Problem(reason="FieldManagerConflict", message="kubectl writes the replicas")
    assert (
        of(wrote(decided(), replace(serving(1, 1), contested=contested)), "ReplicasContested")["message"]
        == "kubectl writes the replicas"
    )


def test_a_refused_feed_reports_its_replicas_and_the_problem() -> None:
    """Its workloads keep running: replicas are current, and reasons and decisions are the last ones."""
    before = wrote(decided(enrichers=1), serving(1, 1))
    built = refused(before, serving(1, 0), generation=2)
    assert built["generator"] == before["generator"]
    assert built["enricher"] == before["enricher"] | {"replicas": 0, "readyReplicas": 0}
    assert built["decisions"] == before["decisions"]
    never_ran = refused({}, serving(0, 0))
    assert never_ran["enricher"] == {
        "replicas": 0, "readyReplicas": 0, "selector": "deltastream.dev/feed=a",
    }  # fmt: skip
    assert wrote(decided(), serving(1, 1), never_ran)["enricher"]["reason"] == "MinReplicas"
    assert of(built, "SpecValid") == {
        "type": "SpecValid", "status": "False", "reason": "ProductTaken", "message": "spec.products: …",
        "observedGeneration": 2, "lastTransitionTime": "2026-11-25T12:00:02Z",
    }  # fmt: skip
    assert of(built, "Stalled")["status"] == "True"


def test_long_messages_are_cut_to_the_limit_of_the_status() -> None:
    """The last log lines of a pod may be long."""
    built = wrote(decided(), replace(serving(1, 0), stalled=Problem(reason="X", message="x" * 5000)))
    assert len(of(built, "Stalled")["message"]) == conditions.MESSAGE_MAX


@pytest.mark.parametrize(
    ("reading", "text", "warning"),
    [
        (load(lag=0, pending=0), "all its messages were processed", False),
        (load(lag=90, pending=30), "120 messages were not processed (90 unread, 30 pending)", True),
        (OUTAGE, "the number of messages left in its stream is unknown: Redis: connection refused", True),
    ],
)
def test_the_number_of_messages_that_a_deleted_feed_leaves_is_reported(
    reading: Reading, text: str, warning: bool
) -> None:
    """Kubernetes deletes the pods, but the stream stays in Redis, so the user must learn of it."""
    message, needs_attention = status.left_behind("nifty", reading)
    assert message.startswith(text)
    assert needs_attention is warning
