"""What generators make now, by their StatefulSet and their pods."""

from __future__ import annotations

from typing import Any

import pytest

from deltastream_operator.cluster.watching.produced import Produced
from deltastream_operator.cluster.watching.table import Table

LABELS = {"deltastream.dev/feed": "a", "app.kubernetes.io/component": "feed-generator"}


def pod_spec(products: str) -> dict[str, Any]:
    """A generator's, beside a container that has nothing to do with it."""
    variables = [{"name": "FEED", "value": "a"}, {"name": "PRODUCTS", "value": products}]
    return {"containers": [{"name": "other"}, {"name": "generator", "env": variables}]}


def told(table: Table, products: str, replicas: int, version: int = 1) -> None:
    """The watch shows the feed's StatefulSet."""
    metadata = {"name": "a-generator", "uid": "s", "resourceVersion": str(version), "labels": LABELS}
    spec = {"replicas": replicas, "template": {"spec": pod_spec(products)}}
    table.saw_workload("MODIFIED", "generator", {"metadata": metadata, "spec": spec})


def told_pod(table: Table, products: str, kind: str = "ADDED", **status: Any) -> None:
    """The watch shows a pod of it."""
    metadata = {"name": "a-generator-0", "uid": "p", "resourceVersion": "1", "labels": LABELS}
    table.saw_pod(kind, {"metadata": metadata, "spec": pod_spec(products), "status": status})


def test_a_statefulset_that_asks_for_pods_makes_its_products() -> None:
    """Rule: before its first pod is there, and by its newest body."""
    table = Table()
    made = Produced(table)
    assert made.by_feed() == {}
    told(table, "NIFTY,SPY", 1)
    assert made.by_feed() == {"a": {"NIFTY", "SPY"}}
    told(table, "NIFTY", 1, version=2)
    assert made.by_feed() == {"a": {"NIFTY"}}


def test_a_statefulset_at_zero_makes_nothing_once_its_pods_are_gone() -> None:
    """Rule: a pod that ends still makes its ticks."""
    table = Table()
    told(table, "NIFTY", 0)
    told_pod(table, "NIFTY")
    assert Produced(table).by_feed() == {"a": {"NIFTY"}}
    told_pod(table, "NIFTY", kind="DELETED")
    assert Produced(table).by_feed() == {}


def test_pods_of_an_earlier_template_make_what_it_named() -> None:
    """Rule: a rollout that does not go on leaves them running for ever."""
    table = Table()
    told(table, "SPY", 1)
    told_pod(table, "NIFTY")
    assert Produced(table).by_feed() == {"a": {"NIFTY", "SPY"}}


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_makes_nothing(phase: str) -> None:
    """Rule: a recording that is over, an evicted pod."""
    table = Table()
    told_pod(table, "NIFTY", phase=phase)
    assert Produced(table).by_feed() == {}


def test_a_deleted_feed_s_pods_make_their_products_until_they_are_gone() -> None:
    """Rule: its StatefulSet goes before its pods."""
    table = Table()
    told(table, "NIFTY", 1)
    told_pod(table, "NIFTY")
    table.saw_workload("DELETED", "generator", dict(table.workloads["a", "generator"]))
    assert Produced(table).by_feed() == {"a": {"NIFTY"}}
