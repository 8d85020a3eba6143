"""The local run decides as a cluster does, and asks its workloads only for what changes."""

from __future__ import annotations

from tests.support.feeds import IDLE, NOON, a_feed, load

from deltastream_operator.domain.feed import Component, Feed
from deltastream_operator.domain.signals import Unknown
from deltastream_operator.local.scaling import Scaling

AWAY = Unknown(reason="RedisUnreachable", message="Redis: away")


class Asked:
    """Workloads that only write down what is asked of them."""

    def __init__(self) -> None:
        self.calls: list[tuple[Component, int]] = []

    def apply(self, feed: Feed, component: Component, replicas: int) -> None:
        self.calls.append((component, replicas))


def scaling(feed: Feed) -> tuple[Scaling, Asked, list[str]]:
    """Started, with what was asked at the start forgotten."""
    asked, said = Asked(), list[str]()
    made = Scaling([feed], asked.apply, said.append, lambda: NOON)
    made.start()
    return made, asked, said


def test_readers_start_first_at_the_minimum() -> None:
    """Nothing is known of the load yet."""
    assert scaling(a_feed(min_replicas=2))[1].calls == [("enricher", 2), ("generator", 1)]


def test_a_backlog_brings_enrichers_and_its_end_takes_them_away() -> None:
    """Each change once, with its reason on the screen; Unknown in between holds."""
    made, asked, said = scaling(a_feed())
    asked.calls.clear()
    busy = {"a": load(lag=100_000)}
    for reading in (busy, busy, {"a": AWAY}, {"a": load(lag=10)}, {"a": load(lag=10)}):
        made.tick(reading)
    assert asked.calls == [("enricher", 4), ("enricher", 1)]
    assert [line.partition(": backlog")[0].partition(": 0.0 arr")[0] for line in said] == [
        "a: enricher 1 -> 4: BacklogCatchUp",
        "a: enricher 4 -> 1: BacklogCatchUp",
    ]


def test_manual_stays_as_the_file_says() -> None:
    """Whatever the load."""
    made, asked, said = scaling(a_feed("Manual", replicas=2))
    assert asked.calls == [("enricher", 2), ("generator", 1)]
    made.tick({"a": load(lag=10**9)})
    assert (len(asked.calls), said) == (2, [])


def test_recommend_speaks_once_and_changes_nothing() -> None:
    """A recommendation is news only when it changes."""
    made, asked, said = scaling(a_feed("Recommend"))
    asked.calls.clear()
    for _ in range(3):
        made.tick({"a": load(lag=100_000)})
    made.tick({"a": IDLE})
    assert asked.calls == []
    assert [line.split(":")[1].strip() for line in said] == [
        "enricher 1 -> 4 (recommended)",
        "enricher 1 -> 1 (recommended)",
    ]
