"""Test garbage collection and changes of the shard count, with a running kube-controller-manager."""

from __future__ import annotations

import pytest
from devcluster.processes.operator_process import Cluster, Operator
from devcluster.waiting import wait_until

pytestmark = pytest.mark.usefixtures("controllers")
PRODUCTS = ("P0", "P1", "P2", "P3")


def pods(cluster: Cluster) -> list[dict[str, object]]:
    """Return the generators' pods."""
    selector = "app.kubernetes.io/component%3Dfeed-generator"
    listed: list[dict[str, object]] = cluster.ask("GET", f"{cluster.core}/pods?labelSelector={selector}")[
        "items"
    ]
    return listed


def shard_counts(cluster: Cluster) -> set[str]:
    """Return the different values of SHARD_COUNT in the existing generator pods."""
    return {
        variable["value"]
        for pod in pods(cluster)
        for container in pod["spec"]["containers"]  # type: ignore[index]
        for variable in container["env"]
        if variable["name"] == "SHARD_COUNT"
    }


def test_the_workloads_of_a_deleted_feed_are_deleted(cluster: Cluster, operator: Operator) -> None:
    """Kubernetes deletes them by their ownerReferences. There is no finalizer, which could block that."""
    cluster.make_feed()
    wait_until(lambda: cluster.deployment() is not None and cluster.statefulset() is not None, "both exist")
    assert "finalizers" not in cluster.feed()["metadata"]
    cluster.ask("DELETE", f"{cluster.feeds}/a")
    wait_until(lambda: cluster.deployment() is None and cluster.statefulset() is None, "both are deleted")
    ticks = operator.ticks()
    wait_until(lambda: operator.ticks() >= ticks + 2, "two more ticks")
    assert cluster.deployment() is None, "the operator does not create it again"
    messages = [
        event["message"]
        for event in cluster.ask("GET", f"{cluster.core}/events")["items"]
        if event["reason"] == "FeedDeleted"
    ]
    assert len(messages) == 1, "the stream outlives the feed: one Event reports what is left in it"
    assert messages[0].startswith("the number of messages left in its stream is unknown: ")


def test_a_feed_recreated_at_once_gets_new_workloads(cluster: Cluster, operator: Operator) -> None:
    """The operator waits until the old feed's workloads are deleted. It does not take them over."""
    cluster.make_feed()
    wait_until(lambda: cluster.enrichers() == 2, "the first feed is applied")
    cluster.ask("DELETE", f"{cluster.feeds}/a")
    cluster.make_feed(enricher={"replicas": 3})
    uid = cluster.feed()["metadata"]["uid"]

    def belongs() -> bool:
        body = cluster.deployment()
        return bool(body and body["metadata"]["ownerReferences"][0]["uid"] == uid)

    wait_until(lambda: belongs() and cluster.enrichers() == 3, "the new feed has its own workloads")


def test_a_new_shard_count_waits_until_no_generator_is_left(cluster: Cluster, operator: Operator) -> None:
    """Generators with different shard counts never run together: two could produce the same product."""
    cluster.make_feed(products=PRODUCTS, generator={"productsPerReplica": 2})
    wait_until(lambda: len(pods(cluster)) == 2, "two generators")
    assert shard_counts(cluster) == {"2"}
    cluster.merge(f"{cluster.feeds}/a", {"spec": {"generator": {"productsPerReplica": 1}}})
    seen: list[set[str]] = []

    def resharded() -> bool:
        seen.append(shard_counts(cluster))
        return len(pods(cluster)) == 4 and seen[-1] == {"4"}

    wait_until(resharded, "four generators")
    assert all(len(counts) <= 1 for counts in seen)
