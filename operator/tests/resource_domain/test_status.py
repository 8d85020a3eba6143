"""Status and conditions: what a user, `kubectl wait`, Flux and Argo CD see of a feed."""

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
AWAY = Unknown(reason="RedisUnreachable", message="Redis: connection refused")


def refused(previous: dict[str, Any], facts: Facts, generation: int = 1) -> dict[str, Any]:
    problem = Problem(reason="ProductTaken", message="spec.products: …")
    return status.refused(
        previous, problem, facts, now=LATER, generation=generation, selector="deltastream.dev/feed=a"
    )


def test_every_condition_is_there_from_the_first_visit_with_all_six_fields() -> None:
    """Even before anything is known or runs."""
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
    """No write without news: later visits with other numbers give the very same object."""
    first = wrote(decided(reading=load(arrivals_per_second=10)), serving(1, 1))
    for reading in (load(arrivals_per_second=12), load(arrivals_per_second=9, lag=40, pending=3)):
        assert wrote(decided(reading=reading, at=LATER), serving(1, 1), first) == first


def test_a_change_is_told_once_with_its_numbers() -> None:
    """From, to, reason, bound, inputs and every stage's sentence; the same again is no news."""
    feed = a_feed(max_replicas=3)
    before = wrote(decided(feed), serving(1, 1))
    burst = decided(feed, load(lag=200_000, pending=256, arrivals_per_second=59.2), at=LATER)
    assert [choice.component for choice in status.changes(before, burst)] == ["enricher"]
    built = wrote(burst, serving(1, 1), before)
    told = built["lastDecision"]
    assert (told["component"], told["from"], told["to"]) == ("enricher", 1, 3)
    assert (told["reason"], told["limitedBy"]) == ("BacklogCatchUp", "MaxReplicas")
    assert told["inputs"] == {
        "lag": 200_000, "pending": 256, "oldestSeconds": 0, "queuedTasks": 0,
        "arrivalsPerSecond": 60, "serviceMicros": 1000,
    }  # fmt: skip
    assert "lowered to maxReplicas 3" in told["message"]
    assert built["enricher"]["reason"] == "BacklogCatchUp"
    assert status.changes(built, burst) == []


def test_an_outage_of_redis_keeps_the_reason_and_ready() -> None:
    """Only MetricsAvailable tells it; nothing flaps when it ends."""
    first = wrote(decided(reading=load(arrivals_per_second=10)), serving(1, 1))
    away = wrote(decided(reading=AWAY, at=LATER), serving(1, 1), first)
    assert away["enricher"] == first["enricher"]
    assert away["decisions"] == first["decisions"]
    assert (of(away, "MetricsAvailable")["status"], of(away, "MetricsAvailable")["reason"]) == (
        "False",
        "RedisUnreachable",
    )
    assert of(away, "Ready") == of(first, "Ready")


def test_a_redis_that_is_nearly_full_is_told_and_nothing_else_changes() -> None:
    """The load is still known, so replicas follow it; the words do not change with every byte."""
    roomy = wrote(decided(reading=load(redis_memory=0.74)), serving(1, 1))
    full = wrote(decided(reading=load(redis_memory=0.8), at=LATER), serving(1, 1), roomy)
    told = of(full, "MetricsAvailable")
    assert (told["status"], told["reason"]) == ("True", "RedisNearlyFull")
    assert "over 75% of its maxmemory and is not below 65% yet" in told["message"]
    assert of(full, "Ready") == of(roomy, "Ready")
    fuller = wrote(decided(reading=load(redis_memory=0.99), at=LATER), serving(1, 1), full)
    assert of(fuller, "MetricsAvailable") == told


@pytest.mark.parametrize(
    ("shares", "reasons"),
    [
        ((0.74, 0.75, 0.7499, 0.65, 0.75), "-++++"),
        ((0.75, 0.6499, 0.7, 0.7499, 0.75), "+---+"),
        ((0.8, None), "+-"),
    ],
    ids=["stays until there is room", "stays away until it is nearly full", "no limit any more"],
)
def test_a_memory_that_moves_around_a_threshold_writes_nothing(
    shares: Sequence[float | None], reasons: str
) -> None:
    """Rule: set at 75 %, gone below 65 %: in between the condition is what it was."""
    built: dict[str, Any] = {}
    seen = []
    for share in shares:
        before = built
        built = wrote(decided(reading=load(redis_memory=share)), serving(1, 1), built)
        seen.append("+" if of(built, "MetricsAvailable")["reason"] == "RedisNearlyFull" else "-")
        assert (built == before) == (seen[-2:-1] == seen[-1:])
    assert "".join(seen) == reasons


def test_a_feed_that_began_without_signals_gets_its_reason_with_the_first() -> None:
    """SignalsUnknown does not stick to it."""
    first = wrote(decided(reading=WAITING), serving(1, 1))
    assert first["enricher"]["reason"] == "SignalsUnknown"
    assert of(first, "MetricsAvailable")["status"] == "Unknown"
    later = wrote(decided(reading=load(arrivals_per_second=10), at=LATER), serving(1, 1), first)
    assert later["enricher"]["reason"] == "ArrivalRate"


def test_the_last_ten_decisions_are_kept_and_the_generators_reason_outlives_them() -> None:
    """Oldest first; a component whose decisions have left the list is not news again."""
    built: dict[str, Any] = {}
    for count in range(15):
        feed = a_feed("Manual", replicas=count)
        built = wrote(decided(feed, enrichers=max(0, count - 1)), serving(1, count), built)
    assert [row["to"] for row in built["decisions"]] == list(range(5, 15))
    assert built["generator"]["reason"] == "ProductCount"
    assert wrote(decided(a_feed("Manual", replicas=14), enrichers=14), serving(1, 14), built) == built


def test_transition_times_move_only_with_the_status() -> None:
    """Reason and message may change at any time."""
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


def test_conditions_of_others_are_left_in_place() -> None:
    """The list is written whole: what somebody else added must come along."""
    foreign = {"type": "example.com/Audited", "status": "True"}
    merged = conditions.merge(
        [foreign], [conditions.Condition(type="Ready", status="True", reason="A", message="a")], NOON, 1
    )
    assert merged[1] == foreign


def test_bounds_pause_and_contest_have_conditions_of_their_own() -> None:
    """Each names what a person may do about it."""
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


def test_a_refused_feed_tells_what_runs_and_why_nothing_is_decided() -> None:
    """What ran runs on: its replicas are as they are, decisions as they were told."""
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


def test_long_messages_are_cut_to_what_an_api_server_takes() -> None:
    """A pod's last words may be long."""
    built = wrote(decided(), replace(serving(1, 0), stalled=Problem(reason="X", message="x" * 5000)))
    assert len(of(built, "Stalled")["message"]) == conditions.MESSAGE_MAX


@pytest.mark.parametrize(
    ("reading", "text", "warning"),
    [
        (load(lag=0, pending=0), "all its messages were processed", False),
        (load(lag=90, pending=30), "120 messages were not processed (90 unread, 30 pending)", True),
        (AWAY, "the number of messages left in its stream is unknown: Redis: connection refused", True),
    ],
)
def test_a_deleted_feed_says_what_it_leaves(reading: Reading, text: str, warning: bool) -> None:
    """Rule: its pods are collected, its stream stays; nobody must find that by chance."""
    told = status.left_behind("nifty", reading)
    assert told[0].startswith(text)
    assert told[1] is warning
