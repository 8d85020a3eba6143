"""Test the scaling of the local run: it decides as in a cluster and applies only changes."""

from __future__ import annotations

from tests.support.feeds import IDLE, NOON, a_feed, load

from deltastream_operator.domain.feed import Component, Feed
from deltastream_operator.domain.signals import Reading, Unknown
from deltastream_operator.local.scaling import Scaling

OUTAGE = Unknown(reason="RedisUnreachable", message="Redis: away")


class Workloads:
    """Fake workloads that record the replicas that are applied."""

    def __init__(self) -> None:
        self.calls: list[tuple[Component, int]] = []

    def apply(self, feed: Feed, component: Component, replicas: int) -> None:
        self.calls.append((component, replicas))


def scaling(feed: Feed) -> tuple[Scaling, Workloads, list[str]]:
    """Return a started Scaling, its fake workloads and its messages."""
    workloads, messages = Workloads(), list[str]()
    made = Scaling([feed], workloads.apply, messages.append, lambda: NOON)
    made.start()
    return made, workloads, messages


def tick(made: Scaling, reading: Reading) -> None:
    """Decide with this load and apply the decision."""
    made.carry_out(made.decide({"a": reading}))


def test_enrichers_start_first_at_min_replicas() -> None:
    """The load is still unknown, so enrichers start at minReplicas, before the generators."""
    assert scaling(a_feed(min_replicas=2))[1].calls == [("enricher", 2), ("generator", 1)]


def test_a_backlog_adds_enrichers_and_its_end_removes_them() -> None:
    """Each change is applied and printed once, with its reason. Unknown signals keep the replicas."""
    made, workloads, messages = scaling(a_feed())
    workloads.calls.clear()
    busy = load(lag=100_000)
    for reading in (busy, busy, OUTAGE, load(lag=10), load(lag=10)):
        tick(made, reading)
    assert workloads.calls == [("enricher", 4), ("enricher", 1)]
    assert [line.partition(": backlog")[0].partition(": 0.0 arr")[0] for line in messages] == [
        "a: enricher 1 -> 4: BacklogCatchUp",
        "a: enricher 4 -> 1: BacklogCatchUp",
    ]


def test_manual_keeps_the_replicas_of_the_file() -> None:
    """The load has no influence."""
    made, workloads, messages = scaling(a_feed("Manual", replicas=2))
    assert workloads.calls == [("enricher", 2), ("generator", 1)]
    tick(made, load(lag=10**9))
    assert (len(workloads.calls), messages) == (2, [])


def test_recommend_prints_each_recommendation_once_and_changes_nothing() -> None:
    """A recommendation is printed again only when it changes."""
    made, workloads, messages = scaling(a_feed("Recommend"))
    workloads.calls.clear()
    for _ in range(3):
        tick(made, load(lag=100_000))
    tick(made, IDLE)
    assert workloads.calls == []
    assert [line.split(":")[1].strip() for line in messages] == [
        "enricher 1 -> 4 (recommended)",
        "enricher 1 -> 1 (recommended)",
    ]
