"""What runs on while a feed's spec asks for something else: refused, paused or in Recommend."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from devcluster.processes.operator_process import Cluster, Operator
from devcluster.waiting import wait_until


def test_an_edit_in_recommend_is_said_and_not_carried_out(cluster: Cluster, operator: Operator) -> None:
    """Rule: what does not run is made, then nothing is touched, and nothing is called settled that is not."""
    cluster.make_feed(mode="Recommend")
    wait_until(lambda: _scaled(cluster.statefulset()) and _scaled(cluster.deployment()), "it is started")
    before = cluster.statefulset(), cluster.deployment()
    cluster.merge(f"{cluster.feeds}/a", {"spec": {"products": ["NIFTY", "SPY"]}})
    wait_until(lambda: cluster.condition("Reconciling").get("reason") == "HeldByMode", "it is said")
    assert cluster.condition("Reconciling")["message"] == ("mode Recommend: not applied: generator: products")
    generations = [body and body["metadata"]["generation"] for body in before]
    now = cluster.statefulset(), cluster.deployment()
    assert [body and body["metadata"]["generation"] for body in now] == generations
    cluster.merge(f"{cluster.feeds}/a", {"spec": {"mode": "Manual"}})

    def carried_out() -> bool:
        body = cluster.statefulset()
        return bool(body and body["metadata"]["generation"] != generations[0])

    wait_until(carried_out, "another mode carries it out")
    wait_until(lambda: cluster.condition("Reconciling").get("reason") != "HeldByMode", "and says so")


def test_a_running_feed_keeps_its_product_from_an_older_one_and_through_a_restart(
    cluster: Cluster, operator: Operator, make_operator: Callable[[], Operator]
) -> None:
    """Rule: who makes it keeps it, also while it is paused and its new spec names another."""
    cluster.make_feed("older", products=("NIFTY",))
    cluster.make_feed("younger", products=("SPY",))
    wait_until(lambda: all(map(cluster.settled, ("older", "younger"))), "both are carried out")
    pause = {"metadata": {"annotations": {"deltastream.dev/paused": "true"}}, "spec": {"products": ["QQQ"]}}
    cluster.merge(f"{cluster.feeds}/younger", pause)
    cluster.merge(f"{cluster.feeds}/older", {"spec": {"products": ["NIFTY", "SPY"]}})

    def made() -> str:
        body = cluster.statefulset("older")
        assert body is not None
        variables = body["spec"]["template"]["spec"]["containers"][0]["env"]
        return next(str(variable["value"]) for variable in variables if variable["name"] == "PRODUCTS")

    wait_until(lambda: cluster.condition("SpecValid", "older").get("reason") == "ProductTaken", "refused")
    shown = [line for line in operator.get("/metrics")[1].splitlines() if 'feed="older"' in line]
    asked = [line for line in shown if line.startswith("operator_asked_replicas")]
    assert sorted(float(line.split()[-1]) for line in asked) == [1, 2], "what runs is shown"
    assert not [line for line in shown if line.startswith("operator_desired_replicas")]
    operator.stop(signal.SIGKILL)
    other = make_operator()
    other.start()
    wait_until(lambda: other.ticks() >= 3, "it decided")
    assert made() == "NIFTY"
    cluster.merge(f"{cluster.feeds}/younger", {"metadata": {"annotations": None}})
    wait_until(lambda: made() == "NIFTY,SPY", "the younger let go")


def test_a_product_that_is_made_is_refused_to_others_until_it_is_free(
    cluster: Cluster, operator: Operator
) -> None:
    """Rule: the other's condition names the feed, and it starts once the generators are gone."""
    cluster.make_feed("first")
    wait_until(lambda: cluster.settled("first"), "the first is carried out")
    cluster.make_feed("second")
    wait_until(lambda: cluster.condition("Ready", "second").get("reason") == "ProductTaken", "refused")
    assert "first" in cluster.condition("Ready", "second")["message"]
    assert cluster.deployment("second") is None
    cluster.ask("DELETE", f"{cluster.feeds}/first")
    still = "feed first, whose generators still produce it"
    wait_until(lambda: still in cluster.condition("Ready", "second")["message"], "it waits for them")
    assert cluster.deployment("second") is None
    cluster.ask("DELETE", f"{cluster.apps}/statefulsets/first-generator")  # nobody collects here
    wait_until(lambda: cluster.enrichers("second") == 2, "the second starts")


def _scaled(workload: dict[str, Any] | None) -> bool:
    """Made is half of it: until somebody owns its replicas it is still being started."""
    fields = workload["metadata"]["managedFields"] if workload else []
    return any(entry["manager"] == "deltastream-scaler" for entry in fields)
