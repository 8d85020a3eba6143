"""What the operator tells Prometheus of a feed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.feeds import NOON, a_feed, load, serving

from deltastream_operator.cluster.metrics import Metrics
from deltastream_operator.domain.decide import Current, decide
from deltastream_operator.domain.feed import Feed
from deltastream_operator.domain.pause import PauseRequest
from deltastream_operator.domain.signals import WAITING, Reading, Unknown


@pytest.mark.parametrize(
    ("feed", "desired", "asked"),
    [
        (a_feed(max_replicas=5), 5, 5),
        (replace(a_feed(max_replicas=5), mode="Recommend"), 5, 2),
        (replace(a_feed(), pause=PauseRequest(paused=True)), 2, 2),
    ],
    ids=["Automatic", "Recommend", "paused"],
)
def test_a_recommendation_is_desired_and_not_asked_for(feed: Feed, desired: int, asked: int) -> None:
    """Who waits for replicas to become ready must not wait for what nobody brings about."""
    metrics = Metrics()
    decision = decide(feed, load(lag=10_000_000), Current(generator=1, enricher=2), NOON)
    metrics.show("a", decision, serving(1, 2))
    labels = {"feed": "a", "component": "enricher"}
    assert metrics.registry.get_sample_value("operator_desired_replicas", labels) == desired
    assert metrics.registry.get_sample_value("operator_asked_replicas", labels) == asked
    metrics.forget("a")
    assert metrics.registry.get_sample_value("operator_asked_replicas", labels) is None


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """A series of feed `a`."""
    return metrics.registry.get_sample_value(name, {"feed": "a", **labels})


@pytest.mark.parametrize("reading", [WAITING, Unknown(reason="RedisUnreachable", message="m")])
def test_a_load_that_is_not_known_has_no_series(reading: Reading) -> None:
    """An alert must not judge a number that nobody has read since."""
    metrics = Metrics()
    loads = ("operator_stream_lag_entries", "operator_stream_pending_entries", "operator_oldest_seconds")
    metrics.show_load("a", load(lag=7, pending=7, oldest_seconds=7))
    metrics.show_load("b", load(lag=7))
    assert [value(metrics, name) for name in loads] == [7, 7, 7]
    metrics.show_load("a", reading)
    assert [value(metrics, name) for name in loads] == [None, None, None]
    assert metrics.registry.get_sample_value(loads[0], {"feed": "b"}) == 7


def test_what_a_refused_feed_runs_is_shown_and_nothing_is_decided() -> None:
    """Its pods run on, and one that does not come back is worth an alert."""
    metrics = Metrics()
    decision = decide(a_feed(), load(), Current(generator=1, enricher=1), NOON)
    metrics.show("a", decision, serving(1, 1))
    metrics.show_undecided("a", Current(generator=1, enricher=3), serving(1, 2))
    found = {
        name: value(metrics, f"operator_{name}_replicas", component="enricher")
        for name in ("desired", "asked", "ready")
    }
    assert found == {"desired": None, "asked": 3, "ready": 2}
