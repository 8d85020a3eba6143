"""Test the metrics that the operator exports for a feed."""

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
    """Replicas that are only recommended never become ready, so an alert must not wait for them."""
    metrics = Metrics()
    decision = decide(feed, load(lag=10_000_000), Current(generator=1, enricher=2), NOON)
    metrics.show("a", decision, serving(1, 2))
    labels = {"feed": "a", "component": "enricher"}
    assert metrics.registry.get_sample_value("operator_desired_replicas", labels) == desired
    assert metrics.registry.get_sample_value("operator_asked_replicas", labels) == asked
    metrics.forget("a")
    assert metrics.registry.get_sample_value("operator_asked_replicas", labels) is None


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """Return the value of one of feed `a`'s series, or None if there is no such series."""
    return metrics.registry.get_sample_value(name, {"feed": "a", **labels})


@pytest.mark.parametrize("reading", [WAITING, Unknown(reason="RedisUnreachable", message="m")])
def test_an_unknown_load_has_no_series(reading: Reading) -> None:
    """An alert must not use an old value while the operator cannot read a new one."""
    metrics = Metrics()
    loads = ("operator_stream_lag_entries", "operator_stream_pending_entries", "operator_oldest_seconds")
    metrics.show_load("a", load(lag=7, pending=7, oldest_seconds=7))
    metrics.show_load("b", load(lag=7))
    assert [value(metrics, name) for name in loads] == [7, 7, 7]
    metrics.show_load("a", reading)
    assert [value(metrics, name) for name in loads] == [None, None, None]
    assert metrics.registry.get_sample_value(loads[0], {"feed": "b"}) == 7


def test_a_refused_feed_shows_its_running_replicas_and_no_decision() -> None:
    """Its pods keep running, and a pod that does not become ready again must cause an alert."""
    metrics = Metrics()
    decision = decide(a_feed(), load(), Current(generator=1, enricher=1), NOON)
    metrics.show("a", decision, serving(1, 1))
    metrics.show_undecided("a", Current(generator=1, enricher=3), serving(1, 2))
    found = {
        name: value(metrics, f"operator_{name}_replicas", component="enricher")
        for name in ("desired", "asked", "ready")
    }
    assert found == {"desired": None, "asked": 3, "ready": 2}
