"""With kube-controller-manager: what is collected, and in which order generators change their division."""

from __future__ import annotations

import pytest
from devcluster.processes.operator_process import Cluster, Operator
from devcluster.waiting import wait_until

pytestmark = pytest.mark.usefixtures("controllers")
PRODUCTS = ("P0", "P1", "P2", "P3")


def pods(cluster: Cluster) -> list[dict[str, object]]:
    """Generators' pods."""
    selector = "app.kubernetes.io/component%3Dfeed-generator"
    listed: list[dict[str, object]] = cluster.ask("GET", f"{cluster.core}/pods?labelSelector={selector}")[
        "items"
    ]
    return listed


def shard_counts(cluster: Cluster) -> set[str]:
    """SHARD_COUNT of all generators that exist."""
    return {
        variable["value"]
        for pod in pods(cluster)
        for container in pod["spec"]["containers"]  # type: ignore[index]
        for variable in container["env"]
        if variable["name"] == "SHARD_COUNT"
    }


def test_a_deleted_feed_takes_its_workloads_along(cluster: Cluster, operator: Operator) -> None:
    """Rule: ownerReferences do it; there is no finalizer that could block the deletion."""
    cluster.make_feed()
    wait_until(lambda: cluster.deployment() is not None and cluster.statefulset() is not None, "they exist")
    assert "finalizers" not in cluster.feed()["metadata"]
    cluster.ask("DELETE", f"{cluster.feeds}/a")
    wait_until(lambda: cluster.deployment() is None and cluster.statefulset() is None, "collected")
    ticks = operator.ticks()
    wait_until(lambda: operator.ticks() >= ticks + 2, "two more ticks")
    assert cluster.deployment() is None, "it does not come back"
    told = [
        event["message"]
        for event in cluster.ask("GET", f"{cluster.core}/events")["items"]
        if event["reason"] == "FeedDeleted"
    ]
    assert len(told) == 1, "the stream outlives the feed: the Event says what is left in it"
    assert told[0].startswith("the number of messages left in its stream is unknown: ")


def test_a_feed_made_again_at_once_gets_new_workloads(cluster: Cluster, operator: Operator) -> None:
    """Rule: the old one's children are waited for, not taken over."""
    cluster.make_feed()
    wait_until(lambda: cluster.enrichers() == 2, "the first is carried out")
    cluster.ask("DELETE", f"{cluster.feeds}/a")
    cluster.make_feed(enricher={"replicas": 3})
    uid = cluster.feed()["metadata"]["uid"]

    def belongs() -> bool:
        body = cluster.deployment()
        return bool(body and body["metadata"]["ownerReferences"][0]["uid"] == uid)

    wait_until(lambda: belongs() and cluster.enrichers() == 3, "its own workloads")


def test_another_division_of_the_products_waits_until_no_generator_is_left(
    cluster: Cluster, operator: Operator
) -> None:
    """Rule: generators of two divisions never exist at once, or a product would be made twice."""
    cluster.make_feed(products=PRODUCTS, generator={"productsPerReplica": 2})
    wait_until(lambda: len(pods(cluster)) == 2, "two generators")
    assert shard_counts(cluster) == {"2"}
    cluster.merge(f"{cluster.feeds}/a", {"spec": {"generator": {"productsPerReplica": 1}}})
    seen: list[set[str]] = []

    def divided_anew() -> bool:
        seen.append(shard_counts(cluster))
        return len(pods(cluster)) == 4 and seen[-1] == {"4"}

    wait_until(divided_anew, "four generators")
    assert all(len(counts) <= 1 for counts in seen)
