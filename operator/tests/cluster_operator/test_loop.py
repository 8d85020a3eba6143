"""Test the loop: a feed that fails does not affect other feeds, and is retried at least every 5 s."""

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
class FakeReconciler:
    """A reconciler that records its calls, and raises for the feeds in `failing`."""

    clock: Any
    failing: dict[str, Exception] = field(default_factory=dict)
    visited: list[tuple[str, float]] = field(default_factory=list)
    """Feed and time in seconds of each reconciliation."""
    deleted: list[str] = field(default_factory=list)
    """Uids of the feeds whose deletion was reported."""
    readings: list[Reading] = field(default_factory=list)
    refused: list[Mapping[str, Problem]] = field(default_factory=list)

    def report_deletion(self, body: Mapping[str, Any], reading: Reading) -> None:
        self.readings.append(reading)
        self.deleted.append(body["metadata"]["uid"])

    def forget(self, uids: set[str]) -> None:
        """Do nothing: this reconciler keeps no state of feeds."""

    async def reconcile(self, name: str, readings: object, taken: Mapping[str, Problem], now: object) -> None:
        self.refused.append(taken)
        self.visited.append((name, self.clock.now))
        if name in self.failing:
            raise self.failing[name]


def a_loop(clock: Any, *feeds: str) -> tuple[Loop, FakeReconciler]:
    """Return a loop whose table has these feeds, all with product NIFTY, and its reconciler."""
    table, reconciler = Table(), FakeReconciler(clock)
    for number, name in enumerate(feeds):
        created = "2026-11-25T12:00:00Z"
        metadata = {"name": name, "uid": name, "resourceVersion": f"{number}", "creationTimestamp": created}
        spec = {"products": ["NIFTY"], "source": {"synthetic": {"seed": 1}}}
        table.saw_feed("ADDED", {"metadata": metadata, "spec": spec})
    loop = Loop(
        table=table,
        claims=Claims(table, Produced(table)),
        reconciler=reconciler,  # type: ignore[arg-type]
        signals=None,  # type: ignore[arg-type]
        api=None,  # type: ignore[arg-type]
        metrics=Metrics(),
        clock=clock,
        namespace="market",
        listed=True,
    )
    return loop, reconciler


@pytest.mark.parametrize("error", [ApiError(503, "unavailable"), KeyError("a bug")])
def test_a_feed_that_fails_does_not_stop_the_others(clock: Any, error: Exception) -> None:
    """The loop reconciles the other feeds after any exception, including a bug."""
    loop, reconciler = a_loop(clock, "a", "b", "c")
    reconciler.failing["b"] = error
    asyncio.run(loop._reconcile_due())
    assert [name for name, _ in reconciler.visited] == ["a", "b", "c"]


def test_a_failed_feed_is_retried_with_a_backoff_of_at_most_five_seconds(clock: Any) -> None:
    """The wait doubles up to its limit. A change of the feed in between does not shorten it."""
    loop, reconciler = a_loop(clock, "a")
    reconciler.failing["a"] = ApiError(503, "unavailable")
    for _ in range(400):  # 40 s in steps of 100 ms, with a change at each step
        loop.table.wake("a")
        asyncio.run(loop._reconcile_due())
        clock.now += 0.1
    times = [at for _, at in reconciler.visited]
    gaps = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert gaps[0] < 1
    assert max(gaps) <= BACKOFF_MAX_S + 0.11
    assert gaps[-1] >= BACKOFF_MAX_S - 0.11


def test_a_success_ends_the_backoff(clock: Any) -> None:
    """After a success the loop reconciles the feed at once when it changes."""
    loop, reconciler = a_loop(clock, "a")
    reconciler.failing["a"] = ApiError(503, "unavailable")
    asyncio.run(loop._reconcile_due())
    reconciler.failing.clear()
    clock.now += 1
    asyncio.run(loop._reconcile_due())
    loop.table.wake("a")
    asyncio.run(loop._reconcile_due())
    assert len(reconciler.visited) == 3


def test_each_visit_counts_as_progress_for_liveness(clock: Any) -> None:
    """Liveness uses the time of the last visit, so an API server that hangs does not restart the operator."""
    loop, _ = a_loop(clock, "a", "b")
    asyncio.run(loop._reconcile_due())
    assert loop.ticked_at == clock.now


def test_a_deletion_is_reported_once_even_if_the_feed_is_recreated_at_once(clock: Any) -> None:
    """The report about the rest of the stream concerns the deleted feed, not its successor."""
    loop, reconciler = a_loop(clock, "a")
    loop.table.saw_feed("DELETED", loop.table.feeds["a"].body)
    loop.table.saw_feed("ADDED", {"metadata": {"name": "a", "uid": "a-2", "resourceVersion": "9"}})
    asyncio.run(loop._reconcile_due())
    loop.table.wake("a")
    asyncio.run(loop._reconcile_due())
    assert reconciler.deleted == ["a"]
    assert len(reconciler.visited) == 2


def test_no_feed_is_reconciled_before_the_workloads_are_listed(clock: Any) -> None:
    """After a restart an older feed must not get a product that a younger feed produces."""
    loop, reconciler = a_loop(clock, "a")
    loop.listed = False
    asyncio.run(loop._reconcile_due())
    assert reconciler.visited == []
    loop.listed = True
    asyncio.run(loop._reconcile_due())
    assert [name for name, _ in reconciler.visited] == ["a"]


def test_the_claims_are_recomputed_only_when_a_statefulset_or_a_feed_changes(clock: Any) -> None:
    """Without a change the loop passes the same object. A new body of a StatefulSet is read."""
    loop, reconciler = a_loop(clock, "a")
    asyncio.run(loop._reconcile_due())
    loop.table.wake("a")
    asyncio.run(loop._reconcile_due())
    assert reconciler.refused[0] is reconciler.refused[1]
    loop.table.workloads["b", "generator"] = {
        "metadata": {"uid": "b"},
        "spec": {"template": {"spec": {"containers": [{"env": [{"name": "PRODUCTS", "value": "SPY"}]}]}}},
    }
    loop.table.wake("a")
    asyncio.run(loop._reconcile_due())
    assert loop.claims._made == {"b": frozenset({"SPY"})}


def test_a_product_that_becomes_free_is_taken_up_at_once(clock: Any) -> None:
    """The loop reconciles the waiting feed in the same pass, not at the next tick."""
    loop, reconciler = a_loop(clock, "a", "b")
    asyncio.run(loop._reconcile_due())
    assert list(reconciler.refused[-1]) == ["b"]
    loop.table.saw_feed("DELETED", loop.table.feeds["a"].body)
    reconciler.visited.clear()
    asyncio.run(loop._reconcile_due())
    assert [name for name, _ in reconciler.visited] == ["a", "b"]


def test_without_feeds_no_signals_are_read_and_no_error_is_counted(clock: Any) -> None:
    """An alert about failed readings must end with the last feed."""
    loop, reconciler = a_loop(clock, "a")
    unreachable = Unknown(reason="RedisUnreachable", message="m")
    loop._readings = {"a": unreachable}
    loop.table.saw_feed("DELETED", loop.table.feeds["a"].body)
    asyncio.run(loop._reconcile_due())
    assert reconciler.readings == [unreachable], "the deletion is reported with the last reading"
    asyncio.run(loop._read())
    labels = {"reason": "RedisUnreachable"}
    assert loop.metrics.registry.get_sample_value("operator_signal_errors_total", labels) is None


def test_a_deleted_feed_leaves_no_series(clock: Any) -> None:
    """Prometheus must not see metrics of a feed that no longer exists."""
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
