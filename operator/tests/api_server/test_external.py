"""Test a feed whose market another program writes: it has enrichers and no generators."""

from __future__ import annotations

from typing import Any

from devcluster.processes.operator_process import Cluster, Operator
from devcluster.waiting import wait_until

EXTERNAL = {"external": {}}


def products_of(workload: dict[str, Any] | None) -> str | None:
    """Return the variable PRODUCTS of a workload's first container."""
    assert workload is not None
    variables = workload["spec"]["template"]["spec"]["containers"][0]["env"]
    return next((str(one["value"]) for one in variables if one["name"] == "PRODUCTS"), None)


def test_an_external_feed_gets_enrichers_that_know_its_products(cluster: Cluster, operator: Operator) -> None:
    """No generator is created, and the condition Ready does not wait for one."""
    cluster.make_feed(source=EXTERNAL)
    wait_until(lambda: cluster.enrichers() == 2, "the enrichers are created")
    wait_until(lambda: bool(cluster.status().get("generator")), "the status is written")
    assert cluster.statefulset() is None
    generator = cluster.status()["generator"]
    assert (generator["desiredReplicas"], generator["reason"]) == (0, "ExternalSource")
    assert products_of(cluster.deployment()) == "NIFTY"
    assert "generator" not in cluster.condition("Reconciling")["message"]


def test_a_feed_that_becomes_external_loses_its_generators_and_gets_them_back(
    cluster: Cluster, operator: Operator
) -> None:
    """A generator that starts during the change publishes nothing."""
    cluster.make_feed()
    wait_until(lambda: (_generators(cluster), cluster.enrichers()) == (1, 2), "generator and enrichers run")
    assert products_of(cluster.deployment()) is None
    cluster.merge(f"{cluster.feeds}/a", {"spec": {"source": {"synthetic": None, **EXTERNAL}}})
    wait_until(lambda: _generators(cluster) == 0, "the generator is removed")
    wait_until(lambda: products_of(cluster.deployment()) == "NIFTY", "the enrichers know the products")
    body: Any = cluster.statefulset()
    variables = body["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "SOURCE", "value": "external"} in variables
    cluster.merge(f"{cluster.feeds}/a", {"spec": {"source": {"synthetic": {}, "external": None}}})
    wait_until(lambda: _generators(cluster) == 1, "the generator is back")


def _generators(cluster: Cluster) -> int | None:
    body = cluster.statefulset()
    return body["spec"].get("replicas") if body else None
