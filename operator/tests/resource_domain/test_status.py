"""Status and conditions: what a user, `kubectl wait`, Flux and Argo CD see of a feed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.support.feeds import IDLE, NOON, a_feed, load, serving

from deltastream_operator.domain import conditions, status
from deltastream_operator.domain.decide import Current, Decision, decide
from deltastream_operator.domain.feed import Feed
from deltastream_operator.domain.observed import Facts, Observed, Problem
from deltastream_operator.domain.pause import PauseRequest
from deltastream_operator.domain.signals import WAITING, Reading, Unknown

LATER = NOON + timedelta(seconds=2)
AWAY = Unknown(reason="RedisUnreachable", message="Redis: connection refused")


def decided(
    feed: Feed | None = None, reading: Reading = IDLE, enrichers: int | None = 1, at: datetime = NOON
) -> Decision:
    return decide(feed or a_feed(), reading, Current(generator=1, enricher=enrichers), at)


def wrote(
    decision: Decision, facts: Facts, previous: dict[str, Any] | None = None, generation: int = 1
) -> dict[str, Any]:
    return status.build(
        previous or {}, decision, facts, generation=generation, selector="deltastream.dev/feed=a"
    )


def refused(previous: dict[str, Any], facts: Facts, generation: int = 1) -> dict[str, Any]:
    problem = Problem(reason="ProductTaken", message="spec.products: …")
    return status.refused(
        previous, problem, facts, now=LATER, generation=generation, selector="deltastream.dev/feed=a"
    )


def of(built: dict[str, Any], kind: str) -> dict[str, Any]:
    """The condition of this type."""
    found: dict[str, Any] = next(row for row in built["conditions"] if row["type"] == kind)
    return found


def test_every_condition_is_there_from_the_first_visit_with_all_six_fields() -> None:
    """Even before anything is known or runs."""
    nothing = Facts(
        generator=Observed(replicas=0, ready=0, updated=0), enricher=Observed(replicas=0, ready=0, updated=0)
    )
    for built in (
        wrote(decided(reading=WAITING, enrichers=None), nothing),
        refused({}, nothing),
    ):
        assert [row["type"] for row in built["conditions"]] == list(conditions.TYPES)
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


def test_ready_waits_for_everything_at_first_and_then_stays_while_replicas_move() -> None:
    """`kubectl wait` returns when all of a generation serves; a scale-up does not take Ready away."""
    feed = a_feed("Manual", replicas=3)
    starting = wrote(
        decided(feed, enrichers=3), replace(serving(1, 3), enricher=Observed(replicas=3, ready=2, updated=3))
    )
    assert of(starting, "Ready")["status"] == "False"
    assert of(starting, "Reconciling")["message"] == "enricher: 2 of 3 ready, 3 exist"
    full = wrote(decided(feed, enrichers=3), serving(1, 3), starting)
    assert (of(full, "Ready")["status"], of(full, "Reconciling")["status"]) == ("True", "False")
    one_down = replace(serving(1, 3), enricher=Observed(replicas=3, ready=2, updated=3))
    moving = wrote(decided(feed, enrichers=3), one_down, full)
    assert (of(moving, "Ready")["status"], of(moving, "Reconciling")["status"]) == ("True", "True")
    edited = wrote(decided(feed, enrichers=3), one_down, full, generation=2)
    assert of(edited, "Ready")["status"] == "False"


def test_a_generation_is_ready_when_its_own_pods_serve_not_those_before_it() -> None:
    """`kubectl wait` right after an edit must not return on pods of the old template."""
    feed = a_feed("Manual", replicas=3)
    before = wrote(decided(feed, enrichers=3), serving(1, 3))
    for updated in (0, 2):
        old_pods = replace(serving(1, 3), enricher=Observed(replicas=3, ready=3, updated=updated))
        edited = wrote(decided(feed, enrichers=3), old_pods, before, generation=2)
        assert edited["observedGeneration"] == 2
        assert (of(edited, "Ready")["status"], of(edited, "Reconciling")["status"]) == ("False", "True")
        message = f"enricher: 3 of 3 ready, 3 exist, {updated} of the newest template"
        assert of(edited, "Ready")["message"] == message
    done = wrote(decided(feed, enrichers=3), serving(1, 3), edited, generation=2)
    assert (of(done, "Ready")["status"], of(done, "Reconciling")["status"]) == ("True", "False")


def test_a_new_template_of_the_same_generation_is_reconciling_and_ready() -> None:
    """The chart's new image: the spec is as it was, all of it serves, and the rollout is told."""
    before = wrote(decided(), serving(1, 1))
    rolling = replace(serving(1, 1), enricher=Observed(replicas=2, ready=1, updated=1))
    built = wrote(decided(), rolling, before)
    assert (of(built, "Ready")["status"], of(built, "Reconciling")["status"]) == ("True", "True")


def test_another_scaler_s_numbers_do_not_take_ready_away_though_each_is_a_generation() -> None:
    """In External `/scale` writes the spec; what else an edit changes is waited for as ever."""
    feed = a_feed("External", replicas=5)
    before = wrote(decided(a_feed("External", replicas=3), enrichers=3), serving(1, 3))
    scaled = wrote(decided(feed, enrichers=3), serving(1, 3), before, generation=2)
    assert (of(scaled, "Ready")["status"], of(scaled, "Reconciling")["status"]) == ("True", "True")
    assert of(scaled, "Ready")["observedGeneration"] == 2
    for change in (
        {"enricher": Observed(replicas=3, ready=3, updated=0)},
        {"generator": Observed(replicas=1, ready=1, updated=0)},
        {"stalled": Problem(reason="WriteRefused", message="quota")},
    ):
        edited = wrote(decided(feed, enrichers=3), replace(serving(1, 3), **change), before, generation=2)
        assert of(edited, "Ready")["status"] == "False"


@pytest.mark.parametrize("dark", ["generator", "enricher"])
def test_a_component_without_a_serving_replica_takes_ready_away(dark: str) -> None:
    """However ready the feed was."""
    full = wrote(decided(), serving(1, 1))
    down = Observed(replicas=1, ready=0, updated=1)
    facts = replace(serving(1, 1), **{dark: down})
    assert of(wrote(decided(), facts, full), "Ready")["message"] == f"{dark}: 0 of 1 ready"


def test_no_replicas_wanted_is_ready() -> None:
    """A feed scaled to zero is as it should be."""
    assert (
        of(wrote(decided(a_feed("Manual", replicas=0), enrichers=0), serving(1, 0)), "Ready")["status"]
        == "True"
    )


def test_what_stalls_a_feed_is_its_ready_message() -> None:
    """An image that does not exist is not waited for, and what is missing is told beside it."""
    cause = Problem(reason="ErrImagePull", message="enricher: image x does not exist")
    built = wrote(decided(), replace(serving(1, 0), stalled=cause))
    for kind, wanted in (("Ready", "False"), ("Stalled", "True")):
        assert (of(built, kind)["status"], of(built, kind)["reason"]) == (wanted, "ErrImagePull")
    assert of(built, "Reconciling")["message"] == "enricher: 0 of 1 ready, 0 exist"
    # kstatus takes the first of the two that is True: a feed that cannot go on has failed.
    kinds = [row["type"] for row in built["conditions"]]
    assert kinds.index("Stalled") < kinds.index("Reconciling")


def test_one_pod_of_twenty_in_trouble_stalls_a_feed_and_leaves_it_ready() -> None:
    """Ready goes when a component is dark, or while a generation has not served yet."""
    feed, cause = a_feed("Manual", replicas=20), Problem(reason="CrashLoop", message="pod x ended 3 times")
    full = wrote(decided(feed, enrichers=20), serving(1, 20))
    facts = replace(serving(1, 20), enricher=Observed(replicas=20, ready=19, updated=20), stalled=cause)
    built = wrote(decided(feed, enrichers=20), facts, full)
    found = {kind: of(built, kind)["status"] for kind in ("Ready", "Stalled", "Reconciling")}
    assert found == {"Ready": "True", "Stalled": "True", "Reconciling": "True"}
    edited = wrote(decided(feed, enrichers=20), facts, full, generation=2)
    assert (of(edited, "Ready")["status"], of(edited, "Ready")["reason"]) == ("False", "CrashLoop")
    dark = replace(facts, enricher=Observed(replicas=20, ready=0, updated=20))
    down = of(wrote(decided(feed, enrichers=20), dark, full), "Ready")
    assert (down["status"], down["reason"]) == ("False", "CrashLoop")


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


def test_an_edit_that_nobody_carries_out_is_said() -> None:
    """Recommend changes nothing: no progress to wait for, and not everything is as the spec has it."""
    feed = replace(a_feed(), mode="Recommend")
    before = wrote(decided(feed), serving(1, 1))
    held = Problem(reason="HeldByMode", message="mode Recommend: not carried out: generator: products")
    built = wrote(decided(feed), replace(serving(1, 1), held=held), before, generation=2)
    told = of(built, "Reconciling")
    assert (told["status"], told["reason"], told["message"]) == ("False", held.reason, held.message)
    ready = of(built, "Ready")
    assert (ready["status"], ready["message"]) == (
        "True", "what runs serves; not all of the spec is carried out",
    )  # fmt: skip


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
        (load(lag=0, pending=0), "all its messages were handled", False),
        (load(lag=90, pending=30), "120 messages were not handled (90 not taken yet, 30 pending)", True),
        (AWAY, "what it leaves in its stream is not known: Redis: connection refused", True),
    ],
)
def test_a_deleted_feed_says_what_it_leaves(reading: Reading, text: str, warning: bool) -> None:
    """Rule: its pods are collected, its stream stays; nobody must find that by chance."""
    told = status.left_behind("nifty", reading)
    assert told[0].startswith(text)
    assert told[1] is warning
