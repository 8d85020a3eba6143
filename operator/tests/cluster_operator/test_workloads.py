"""Test how workloads are observed and written, against an API server in memory."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from devcluster.processes.operator_process import template
from tests.support.feeds import a_feed

from deltastream_operator.cluster.watching.table import Table
from deltastream_operator.cluster.writing.workloads import Workloads
from deltastream_operator.domain.feed import COMPONENTS, ConfigMapRef, Feed, Replay
from deltastream_operator.domain.observed import Observed
from deltastream_operator.kubernetes import names
from deltastream_operator.kubernetes.api import ApiError

OWNER = {"metadata": {"name": "a", "namespace": "market", "uid": "u-1", "generation": 1}}
SUCCESSOR = {"metadata": {"name": "a", "namespace": "market", "uid": "u-2", "generation": 1}}
NOTHING = Observed(replicas=0, ready=0, updated=0)


@dataclass
class Server:
    """Stores applied objects as an API server does, with generations and the owner of `replicas`."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    fails_to_scale: bool = False
    watch: Callable[[dict[str, Any]], None] = lambda _: None
    """Called with each applied object before the apply returns, as a fast watch would deliver it."""
    versions: int = 0

    async def get(self, path: str, **_: str) -> dict[str, Any]:
        if path not in self.objects:
            raise ApiError(404, "not found")
        return self.objects[path]

    async def apply(self, path: str, body: dict[str, Any], manager: str, *, force: bool) -> dict[str, Any]:
        if manager == names.SCALER and self.fails_to_scale:
            raise ApiError(503, "unavailable")
        self.versions += 1
        was = self.objects.get(path) or {"metadata": {"uid": path, "generation": 0}, "spec": {"replicas": 1}}
        stored = copy.deepcopy(was)
        stored["spec"] |= body["spec"]
        stored["metadata"] |= body["metadata"] | {"resourceVersion": str(self.versions)}
        stored["metadata"]["generation"] += stored["spec"] != was["spec"]
        if manager == names.SCALER:
            owned = {"manager": manager, "fieldsV1": {"f:spec": {"f:replicas": {}}}}
            stored["metadata"]["managedFields"] = [owned]
        self.objects[path] = stored
        self.watch(stored)
        return stored


def new_workloads() -> tuple[Workloads, Server]:
    """Return the workloads of an empty namespace, and its server."""
    server = Server()
    templates = {
        "generator": template("feed-generator", "generator"),
        "enricher": template("worker-enricher", "subscriber", "worker"),
    }
    workloads = Workloads(api=server, table=Table(), namespace="market", templates=templates)  # type: ignore[arg-type]
    return workloads, server


def reconcile(workloads: Workloads, feed: Feed, owner: dict[str, Any] = OWNER, target: int = 2) -> None:
    """Reconcile the enrichers of the feed once."""
    asyncio.run(workloads.reconcile(feed, "enricher", target, owner))


def report_status(workloads: Workloads, **numbers: int) -> None:
    """Write the status as the Deployment controller does after it has seen the newest spec."""
    body = copy.deepcopy(dict(workloads.table.workloads["a", "enricher"]))
    body["status"] = {"observedGeneration": body["metadata"]["generation"], **numbers}
    body["metadata"]["resourceVersion"] = str(int(body["metadata"]["resourceVersion"]) + 100)
    workloads.table.saw_workload("MODIFIED", "enricher", body)
    workloads.api.objects[body["metadata"]["uid"]] = body  # type: ignore[attr-defined]
    workloads.api.versions += 200  # type: ignore[attr-defined]


@pytest.mark.parametrize("early", [False, True])
def test_pods_of_an_earlier_template_do_not_count_as_updated(early: bool) -> None:
    """No pod counts as updated until the Deployment controller has seen the new template.

    The result is the same if the watch delivers the new object before the apply returns.
    """
    workloads, server = new_workloads()
    if early:
        server.watch = lambda body: workloads.table.saw_workload("MODIFIED", "enricher", body)
    reconcile(workloads, a_feed(replicas=2))
    assert workloads.observe("enricher", OWNER) == NOTHING
    report_status(workloads, replicas=2, readyReplicas=2, updatedReplicas=2)
    assert workloads.observe("enricher", OWNER) == Observed(replicas=2, ready=2, updated=2)
    edited = {"metadata": OWNER["metadata"] | {"generation": 2}}
    reconcile(workloads, a_feed(replicas=2, concurrency_per_replica=4), edited)
    assert workloads.observe("enricher", edited) == Observed(replicas=2, ready=2, updated=0)
    report_status(workloads, replicas=3, readyReplicas=2, updatedReplicas=1)
    assert workloads.observe("enricher", edited) == Observed(replicas=3, ready=2, updated=1)


def test_pods_stay_updated_when_the_operator_scales() -> None:
    """Scaling does not change the template, so the controller need not have seen the new number."""
    workloads, _ = new_workloads()
    reconcile(workloads, a_feed(replicas=2))
    report_status(workloads, replicas=2, readyReplicas=2, updatedReplicas=2)
    reconcile(workloads, a_feed(replicas=2), target=5)
    assert workloads.observe("enricher", OWNER) == Observed(replicas=2, ready=2, updated=2)


def test_pods_stay_updated_when_another_manager_scales() -> None:
    """The operator then applies the same template again, which changes no pod."""
    workloads, server = new_workloads()
    reconcile(workloads, a_feed(replicas=2))
    report_status(workloads, replicas=2, readyReplicas=2, updatedReplicas=2)
    scaled = copy.deepcopy(dict(workloads.table.workloads["a", "enricher"]))
    scaled["spec"]["replicas"] = 7
    scaled["metadata"]["generation"] += 1
    scaled["metadata"]["resourceVersion"] = "5000"
    server.objects[scaled["metadata"]["uid"]], server.versions = scaled, 5000
    workloads.table.saw_workload("MODIFIED", "enricher", scaled)
    reconcile(workloads, a_feed(replicas=2), target=7)
    assert workloads.observe("enricher", OWNER).updated == 2


def test_workloads_of_a_deleted_feed_do_not_count_for_its_successor() -> None:
    """A feed is recreated with the same name while Kubernetes still deletes the old feed's workloads."""
    workloads, _ = new_workloads()
    reconcile(workloads, a_feed(replicas=2))
    report_status(workloads, replicas=2, readyReplicas=2, updatedReplicas=2)
    assert workloads.observe("enricher", SUCCESSOR) == NOTHING


def test_after_a_restart_the_controller_must_have_seen_the_newest_generation() -> None:
    """A restarted operator does not know which generation changed the template."""
    workloads, _ = new_workloads()
    reconcile(workloads, a_feed(replicas=2))
    report_status(workloads, replicas=2, readyReplicas=2, updatedReplicas=2)
    again = replace(workloads, _templated={})
    assert again.observe("enricher", OWNER).updated == 2
    body = copy.deepcopy(dict(workloads.table.workloads["a", "enricher"]))
    body["metadata"] |= {"generation": 9, "resourceVersion": "9999"}
    workloads.table.saw_workload("MODIFIED", "enricher", body)
    assert again.observe("enricher", OWNER).updated == 0


def test_a_workload_has_no_requested_replicas_until_the_scaler_has_set_them() -> None:
    """The workload is created first and scaled second. In between it has the API server's default of 1."""
    workloads, server = new_workloads()
    server.fails_to_scale = True
    with pytest.raises(ApiError):
        reconcile(workloads, a_feed(replicas=2))
    assert workloads.table.workloads["a", "enricher"]["spec"]["replicas"] == 1
    assert workloads.asked_for("enricher", OWNER) is None
    server.fails_to_scale = False
    reconcile(workloads, a_feed(replicas=2))
    assert workloads.asked_for("enricher", OWNER) == 2


def test_a_workload_of_another_feed_has_no_requested_replicas_of_this_one() -> None:
    """So in mode Recommend the operator tries to create the workload and reports that the name is taken."""
    workloads, _ = new_workloads()
    reconcile(workloads, a_feed(replicas=2))
    assert workloads.asked_for("enricher", SUCCESSOR) is None


def test_the_fields_of_an_edit_that_is_not_applied_are_named() -> None:
    """If the operator does not apply an edit, the status names the fields in which the workloads differ."""
    workloads, _ = new_workloads()
    feed = a_feed(replicas=2, products=2)
    asyncio.run(workloads.reconcile(feed, "generator", 1, OWNER))
    reconcile(workloads, feed)
    assert [workloads.held_back(feed, component, OWNER) for component in COMPONENTS] == [None, None]
    edited = {"metadata": OWNER["metadata"] | {"generation": 2}}
    other = a_feed(replicas=2, products=3, concurrency_per_replica=2)
    assert workloads.held_back(other, "generator", edited) == "products"
    assert workloads.held_back(other, "enricher", edited) == "enricher.concurrencyPerReplica"
    again = {"metadata": OWNER["metadata"] | {"generation": 3}}
    replay = replace(other, source=Replay(config_map=ConfigMapRef(name="day")))
    assert workloads.held_back(replay, "generator", again) == "products, source"
    newer = new_workloads()[0]
    newer.table.workloads.update(workloads.table.workloads)
    newer.templates["enricher"]["spec"]["containers"][0]["image"] = "example/subscriber:2"  # type: ignore[index]
    assert newer.held_back(feed, "enricher", OWNER) == "the chart's pod template"
    assert newer.held_back(feed, "enricher", SUCCESSOR) is None
