"""Test which products count as produced now, according to the generators' StatefulSet and pods."""

from __future__ import annotations

from typing import Any

import pytest

from deltastream_operator.cluster.watching.produced import Produced
from deltastream_operator.cluster.watching.table import Table

LABELS = {"deltastream.dev/feed": "a", "app.kubernetes.io/component": "feed-generator"}


def pod_spec(products: str) -> dict[str, Any]:
    """Return the pod spec of a generator with these products. It also has an unrelated container."""
    variables = [{"name": "FEED", "value": "a"}, {"name": "PRODUCTS", "value": products}]
    return {"containers": [{"name": "other"}, {"name": "generator", "env": variables}]}


def saw_statefulset(table: Table, products: str, replicas: int, version: int = 1) -> None:
    """Pass a watch event of the feed's StatefulSet to the table."""
    metadata = {"name": "a-generator", "uid": "s", "resourceVersion": str(version), "labels": LABELS}
    spec = {"replicas": replicas, "template": {"spec": pod_spec(products)}}
    table.saw_workload("MODIFIED", "generator", {"metadata": metadata, "spec": spec})


def saw_pod(table: Table, products: str, kind: str = "ADDED", **status: Any) -> None:
    """Pass a watch event of a pod of the StatefulSet to the table."""
    metadata = {"name": "a-generator-0", "uid": "p", "resourceVersion": "1", "labels": LABELS}
    table.saw_pod(kind, {"metadata": metadata, "spec": pod_spec(products), "status": status})


def test_a_statefulset_with_replicas_produces_its_products() -> None:
    """The products count before the first pod exists. They are those of the newest body."""
    table = Table()
    produced = Produced(table)
    assert produced.by_feed() == {}
    saw_statefulset(table, "NIFTY,SPY", 1)
    assert produced.by_feed() == {"a": {"NIFTY", "SPY"}}
    saw_statefulset(table, "NIFTY", 1, version=2)
    assert produced.by_feed() == {"a": {"NIFTY"}}


def test_a_statefulset_with_0_replicas_produces_nothing_after_its_pods_are_gone() -> None:
    """A terminating pod still produces ticks."""
    table = Table()
    saw_statefulset(table, "NIFTY", 0)
    saw_pod(table, "NIFTY")
    assert Produced(table).by_feed() == {"a": {"NIFTY"}}
    saw_pod(table, "NIFTY", kind="DELETED")
    assert Produced(table).by_feed() == {}


def test_pods_of_an_earlier_template_produce_its_products() -> None:
    """A stuck rollout leaves such pods running."""
    table = Table()
    saw_statefulset(table, "SPY", 1)
    saw_pod(table, "NIFTY")
    assert Produced(table).by_feed() == {"a": {"NIFTY", "SPY"}}


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_produces_nothing(phase: str) -> None:
    """A pod ends when its recording ends, or when the node evicts it."""
    table = Table()
    saw_pod(table, "NIFTY", phase=phase)
    assert Produced(table).by_feed() == {}


def test_the_enrichers_of_an_external_feed_hold_its_products() -> None:
    """Another program writes the messages. Without enrichers nothing of them reaches the cache."""
    table = Table()
    labels = {**LABELS, "app.kubernetes.io/component": "worker-enricher"}
    metadata = {"name": "a-enricher", "uid": "d", "resourceVersion": "1", "labels": labels}
    spec = {"replicas": 1, "template": {"spec": pod_spec("NIFTY")}}
    table.saw_workload("MODIFIED", "enricher", {"metadata": metadata, "spec": spec})
    assert Produced(table).by_feed() == {"a": {"NIFTY"}}
    metadata = {**metadata, "resourceVersion": "2"}
    table.saw_workload("MODIFIED", "enricher", {"metadata": metadata, "spec": {**spec, "replicas": 0}})
    assert Produced(table).by_feed() == {}


def test_a_deleted_feed_s_pods_produce_until_they_are_gone() -> None:
    """Kubernetes deletes the StatefulSet before its pods."""
    table = Table()
    saw_statefulset(table, "NIFTY", 1)
    saw_pod(table, "NIFTY")
    table.saw_workload("DELETED", "generator", dict(table.workloads["a", "generator"]))
    assert Produced(table).by_feed() == {"a": {"NIFTY"}}
