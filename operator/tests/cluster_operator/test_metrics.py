"""What the operator tells Prometheus of a feed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.feeds import NOON, a_feed, load, serving

from deltastream_operator.adapters.metrics import Metrics
from deltastream_operator.domain.decide import Current, decide
from deltastream_operator.domain.feed import Feed
from deltastream_operator.domain.pause import PauseRequest


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
