"""Test what keeps running while the operator does not apply a feed's spec.

It does not apply the spec of a feed that is refused, paused or in mode Recommend.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from devcluster.processes.operator_process import Cluster, Operator
from devcluster.waiting import wait_until


def test_recommend_reports_an_edit_and_does_not_apply_it(cluster: Cluster, operator: Operator) -> None:
    """In mode Recommend the operator creates missing workloads and never changes existing ones.

    The condition Reconciling stays True while the workloads differ from the spec.
    """
    cluster.make_feed(mode="Recommend")
    wait_until(lambda: _scaled(cluster.statefulset()) and _scaled(cluster.deployment()), "both are started")
    before = cluster.statefulset(), cluster.deployment()
    cluster.merge(f"{cluster.feeds}/a", {"spec": {"products": ["NIFTY", "SPY"]}})
    wait_until(lambda: cluster.condition("Reconciling").get("reason") == "HeldByMode", "it is reported")
    assert cluster.condition("Reconciling")["message"] == ("mode Recommend: not applied: generator: products")
    generations = [body and body["metadata"]["generation"] for body in before]
    now = cluster.statefulset(), cluster.deployment()
    assert [body and body["metadata"]["generation"] for body in now] == generations
    cluster.merge(f"{cluster.feeds}/a", {"spec": {"mode": "Manual"}})

    def applied() -> bool:
        body = cluster.statefulset()
        return bool(body and body["metadata"]["generation"] != generations[0])

    wait_until(applied, "mode Manual applies the edit")
    wait_until(lambda: cluster.condition("Reconciling").get("reason") != "HeldByMode", "it is applied")


def test_a_running_feed_keeps_its_product_against_an_older_feed_and_after_a_restart(
    cluster: Cluster, operator: Operator, make_operator: Callable[[], Operator]
) -> None:
    """The feed that produces a product keeps it, even while it is paused and its new spec lists another."""
    cluster.make_feed("older", products=("NIFTY",))
    cluster.make_feed("younger", products=("SPY",))
    wait_until(lambda: all(map(cluster.settled, ("older", "younger"))), "both feeds are applied")
    pause = {"metadata": {"annotations": {"deltastream.dev/paused": "true"}}, "spec": {"products": ["QQQ"]}}
    cluster.merge(f"{cluster.feeds}/younger", pause)
    cluster.merge(f"{cluster.feeds}/older", {"spec": {"products": ["NIFTY", "SPY"]}})

    def produced() -> str:
        body = cluster.statefulset("older")
        assert body is not None
        variables = body["spec"]["template"]["spec"]["containers"][0]["env"]
        return next(str(variable["value"]) for variable in variables if variable["name"] == "PRODUCTS")

    wait_until(lambda: cluster.condition("SpecValid", "older").get("reason") == "ProductTaken", "refused")
    shown = [line for line in operator.get("/metrics")[1].splitlines() if 'feed="older"' in line]
    asked = [line for line in shown if line.startswith("operator_asked_replicas")]
    assert sorted(float(line.split()[-1]) for line in asked) == [1, 2], "the metric shows what runs"
    assert not [line for line in shown if line.startswith("operator_desired_replicas")]
    operator.stop(signal.SIGKILL)
    other = make_operator()
    other.start()
    wait_until(lambda: other.ticks() >= 3, "the new operator has reconciled")
    assert produced() == "NIFTY"
    cluster.merge(f"{cluster.feeds}/younger", {"metadata": {"annotations": None}})
    wait_until(lambda: produced() == "NIFTY,SPY", "the younger feed has released SPY")


def test_a_produced_product_is_refused_to_other_feeds_until_it_is_free(
    cluster: Cluster, operator: Operator
) -> None:
    """The second feed's condition names the first feed. It starts after the first's generators end."""
    cluster.make_feed("first")
    wait_until(lambda: cluster.settled("first"), "the first feed is applied")
    cluster.make_feed("second")
    wait_until(lambda: cluster.condition("Ready", "second").get("reason") == "ProductTaken", "it is refused")
    assert "first" in cluster.condition("Ready", "second")["message"]
    assert cluster.deployment("second") is None
    cluster.ask("DELETE", f"{cluster.feeds}/first")
    reason = "feed first, which still produces it"
    wait_until(lambda: reason in cluster.condition("Ready", "second")["message"], "it waits for them")
    assert cluster.deployment("second") is None
    cluster.ask("DELETE", f"{cluster.apps}/statefulsets/first-generator")  # no garbage collector runs here
    wait_until(lambda: cluster.enrichers("second") == 2, "the second feed starts")


def _scaled(workload: dict[str, Any] | None) -> bool:
    """Return whether the scaler has set the replicas. A new workload does not have them yet."""
    fields = workload["metadata"]["managedFields"] if workload else []
    return any(entry["manager"] == "deltastream-scaler" for entry in fields)
