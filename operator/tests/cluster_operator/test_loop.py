"""The loop: one feed's trouble is its own, and is tried again, slowly but never slower than every 5 s."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from deltastream_operator.cluster.claims import Claims
from deltastream_operator.cluster.loop import BACKOFF_MAX_S, Loop
from deltastream_operator.cluster.metrics import Metrics
from deltastream_operator.cluster.watching.produced import Produced
from deltastream_operator.cluster.watching.table import Table
from deltastream_operator.domain.observed import Problem
from deltastream_operator.domain.signals import Reading, Unknown
from deltastream_operator.kubernetes.api import ApiError


@dataclass
class Visits:
    """A reconciler that notes who was visited when, and fails for those named."""

    clock: Any
    failing: dict[str, Exception] = field(default_factory=dict)
    made: list[tuple[str, float]] = field(default_factory=list)
    parted: list[str] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    claimed: list[Mapping[str, Problem]] = field(default_factory=list)

    def report_deletion(self, body: Mapping[str, Any], reading: Reading) -> None:
        self.readings.append(reading)
        self.parted.append(body["metadata"]["uid"])

    def forget(self, uids: set[str]) -> None:
        """Nothing is kept."""

    async def reconcile(self, name: str, readings: object, taken: Mapping[str, Problem], now: object) -> None:
        self.claimed.append(taken)
        self.made.append((name, self.clock.now))
        if name in self.failing:
            raise self.failing[name]


def a_loop(clock: Any, *feeds: str) -> tuple[Loop, Visits]:
    """A loop whose table knows these feeds, all of NIFTY."""
    table, visits = Table(), Visits(clock)
    for number, name in enumerate(feeds):
        created = "2026-11-25T12:00:00Z"
        metadata = {"name": name, "uid": name, "resourceVersion": f"{number}", "creationTimestamp": created}
        spec = {"products": ["NIFTY"], "source": {"synthetic": {"seed": 1}}}
        table.saw_feed("ADDED", {"metadata": metadata, "spec": spec})
    loop = Loop(
        table=table,
        claims=Claims(table, Produced(table)),
        reconciler=visits,  # type: ignore[arg-type]
        signals=None,  # type: ignore[arg-type]
        publish=lambda _readings: None,
        api=None,  # type: ignore[arg-type]
        metrics=Metrics(),
        clock=clock,
        namespace="market",
        listed=True,
    )
    return loop, visits


@pytest.mark.parametrize("error", [ApiError(503, "away"), KeyError("a bug")])
def test_one_feed_s_trouble_is_its_own(clock: Any, error: Exception) -> None:
    """Rule: whatever goes wrong with a feed, the others are visited."""
    loop, visits = a_loop(clock, "a", "b", "c")
    visits.failing["b"] = error
    asyncio.run(loop._reconcile_due())
    assert [name for name, _ in visits.made] == ["a", "b", "c"]


def test_a_failure_is_tried_again_within_five_seconds_for_ever(clock: Any) -> None:
    """Rule: the wait doubles up to its cap; a tick in between does not shorten it."""
    loop, visits = a_loop(clock, "a")
    visits.failing["a"] = ApiError(503, "away")
    for _ in range(400):  # 40 s in steps of 100 ms, each of them news
        loop.table.wake("a")
        asyncio.run(loop._reconcile_due())
        clock.now += 0.1
    times = [at for _, at in visits.made]
    gaps = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert gaps[0] < 1
    assert max(gaps) <= BACKOFF_MAX_S + 0.11
    assert gaps[-1] >= BACKOFF_MAX_S - 0.11


def test_a_success_ends_the_waiting(clock: Any) -> None:
    """Rule: after it, news are looked at at once again."""
    loop, visits = a_loop(clock, "a")
    visits.failing["a"] = ApiError(503, "away")
    asyncio.run(loop._reconcile_due())
    visits.failing.clear()
    clock.now += 1
    asyncio.run(loop._reconcile_due())
    loop.table.wake("a")
    asyncio.run(loop._reconcile_due())
    assert len(visits.made) == 3


def test_slow_visits_are_a_sign_of_life(clock: Any) -> None:
    """Rule: liveness looks at the last visit: an API server that hangs does not restart the operator."""
    loop, _ = a_loop(clock, "a", "b")
    asyncio.run(loop._reconcile_due())
    assert loop.ticked_at == clock.now


def test_a_deleted_feed_is_parted_from_once_even_when_made_again_at_once(clock: Any) -> None:
    """Rule: what is left in its stream is told of the feed that went, not of its successor."""
    loop, visits = a_loop(clock, "a")
    loop.table.saw_feed("DELETED", loop.table.feeds["a"].body)
    loop.table.saw_feed("ADDED", {"metadata": {"name": "a", "uid": "a-2", "resourceVersion": "9"}})
    asyncio.run(loop._reconcile_due())
    loop.table.wake("a")
    asyncio.run(loop._reconcile_due())
    assert visits.parted == ["a"]
    assert len(visits.made) == 2


def test_nobody_is_visited_before_the_workloads_are_known(clock: Any) -> None:
    """Rule: after a restart an older feed must not be given what a younger one makes."""
    loop, visits = a_loop(clock, "a")
    loop.listed = False
    asyncio.run(loop._reconcile_due())
    assert visits.made == []
    loop.listed = True
    asyncio.run(loop._reconcile_due())
    assert [name for name, _ in visits.made] == ["a"]


def test_who_makes_a_product_is_asked_at_every_visit_and_reckoned_when_it_changes(clock: Any) -> None:
    """Rule: an unchanged answer is the same object; a StatefulSet's new body is looked at."""
    loop, visits = a_loop(clock, "a")
    asyncio.run(loop._reconcile_due())
    loop.table.wake("a")
    asyncio.run(loop._reconcile_due())
    assert visits.claimed[0] is visits.claimed[1]
    loop.table.workloads["b", "generator"] = {
        "metadata": {"uid": "b"},
        "spec": {"template": {"spec": {"containers": [{"env": [{"name": "PRODUCTS", "value": "SPY"}]}]}}},
    }
    loop.table.wake("a")
    asyncio.run(loop._reconcile_due())
    assert loop.claims._made == {"b": frozenset({"SPY"})}


def test_a_product_that_becomes_free_is_taken_up_at_once(clock: Any) -> None:
    """Rule: whoever waited for it is visited with the news that freed it, not at the next tick."""
    loop, visits = a_loop(clock, "a", "b")
    asyncio.run(loop._reconcile_due())
    assert list(visits.claimed[-1]) == ["b"]
    loop.table.saw_feed("DELETED", loop.table.feeds["a"].body)
    visits.made.clear()
    asyncio.run(loop._reconcile_due())
    assert [name for name, _ in visits.made] == ["a", "b"]


def test_after_the_last_feed_nothing_is_read_and_nothing_is_unreadable(clock: Any) -> None:
    """Rule: an alert about readings must not outlive the feeds."""
    loop, visits = a_loop(clock, "a")
    away = Unknown(reason="RedisUnreachable", message="m")
    loop._readings = {"a": away}
    loop.table.saw_feed("DELETED", loop.table.feeds["a"].body)
    asyncio.run(loop._reconcile_due())
    assert visits.readings == [away], "its parting words are of its last reading"
    asyncio.run(loop._read())
    labels = {"reason": "RedisUnreachable"}
    assert loop.metrics.registry.get_sample_value("operator_signal_errors_total", labels) is None


def test_a_feed_that_is_gone_leaves_no_series(clock: Any) -> None:
    """Rule: metrics of a deleted feed end."""
    loop, _ = a_loop(clock, "a")
    loop.metrics._desired.labels("a", "enricher").set(2)
    loop.table.saw_feed("DELETED", loop.table.feeds["a"].body)
    asyncio.run(loop._reconcile_due())
    assert (
        loop.metrics.registry.get_sample_value(
            "operator_desired_replicas", {"feed": "a", "component": "enricher"}
        )
        is None
    )
