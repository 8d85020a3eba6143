"""What is seen of a feed's workloads, and what is written, against an API server that only notes."""

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
NEXT = {"metadata": {"name": "a", "namespace": "market", "uid": "u-2", "generation": 1}}
NOTHING = Observed(replicas=0, ready=0, updated=0)


@dataclass
class Server:
    """Takes what is applied, as an API server does: defaults, generations, owners of `replicas`."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    fails_to_scale: bool = False
    watch: Callable[[dict[str, Any]], None] = lambda _: None
    """Told of what was applied before the answer arrives."""
    versions: int = 0

    async def get(self, path: str, **_: str) -> dict[str, Any]:
        if path not in self.objects:
            raise ApiError(404, "not found")
        return self.objects[path]

    async def apply(self, path: str, body: dict[str, Any], manager: str, *, force: bool) -> dict[str, Any]:
        if manager == names.SCALER and self.fails_to_scale:
            raise ApiError(503, "away")
        self.versions += 1
        was = self.objects.get(path) or {"metadata": {"uid": path, "generation": 0}, "spec": {"replicas": 1}}
        made = copy.deepcopy(was)
        made["spec"] |= body["spec"]
        made["metadata"] |= body["metadata"] | {"resourceVersion": str(self.versions)}
        made["metadata"]["generation"] += made["spec"] != was["spec"]
        if manager == names.SCALER:
            owned = {"manager": manager, "fieldsV1": {"f:spec": {"f:replicas": {}}}}
            made["metadata"]["managedFields"] = [owned]
        self.objects[path] = made
        self.watch(made)
        return made


def workloads() -> tuple[Workloads, Server]:
    """Of an empty namespace."""
    server = Server()
    templates = {
        "generator": template("feed-generator", "generator"),
        "enricher": template("worker-enricher", "subscriber", "worker"),
    }
    made = Workloads(api=server, table=Table(), namespace="market", templates=templates)  # type: ignore[arg-type]
    return made, server


def bring(made: Workloads, feed: Feed, owner: dict[str, Any] = OWNER, target: int = 2) -> None:
    """The enrichers, one step."""
    asyncio.run(made.reconcile(feed, "enricher", target, owner))


def tell(made: Workloads, **numbers: int) -> None:
    """The controller has seen the newest spec and says so."""
    body = copy.deepcopy(dict(made.table.workloads["a", "enricher"]))
    body["status"] = {"observedGeneration": body["metadata"]["generation"], **numbers}
    body["metadata"]["resourceVersion"] = str(int(body["metadata"]["resourceVersion"]) + 100)
    made.table.saw_workload("MODIFIED", "enricher", body)
    made.api.objects[body["metadata"]["uid"]] = body  # type: ignore[attr-defined]
    made.api.versions += 200  # type: ignore[attr-defined]


@pytest.mark.parametrize("early", [False, True])
def test_pods_of_an_earlier_template_are_not_updated_ones(early: bool) -> None:
    """Rule: until the controller has seen the new template, none is of it, however quick the watch is."""
    made, server = workloads()
    if early:
        server.watch = lambda body: made.table.saw_workload("MODIFIED", "enricher", body)
    bring(made, a_feed(replicas=2))
    assert made.observe("enricher", OWNER) == NOTHING
    tell(made, replicas=2, readyReplicas=2, updatedReplicas=2)
    assert made.observe("enricher", OWNER) == Observed(replicas=2, ready=2, updated=2)
    edited = {"metadata": OWNER["metadata"] | {"generation": 2}}
    bring(made, a_feed(replicas=2, concurrency_per_replica=4), edited)
    assert made.observe("enricher", edited) == Observed(replicas=2, ready=2, updated=0)
    tell(made, replicas=3, readyReplicas=2, updatedReplicas=1)
    assert made.observe("enricher", edited) == Observed(replicas=3, ready=2, updated=1)


def test_a_scaling_makes_no_pod_old() -> None:
    """Rule: the template is as it was, whether the controller has seen the new number or not."""
    made, _ = workloads()
    bring(made, a_feed(replicas=2))
    tell(made, replicas=2, readyReplicas=2, updatedReplicas=2)
    bring(made, a_feed(replicas=2), target=5)
    assert made.observe("enricher", OWNER) == Observed(replicas=2, ready=2, updated=2)


def test_another_hand_s_scaling_makes_no_pod_old() -> None:
    """Rule: what we then write again is the template that is there."""
    made, server = workloads()
    bring(made, a_feed(replicas=2))
    tell(made, replicas=2, readyReplicas=2, updatedReplicas=2)
    scaled = copy.deepcopy(dict(made.table.workloads["a", "enricher"]))
    scaled["spec"]["replicas"] = 7
    scaled["metadata"]["generation"] += 1
    scaled["metadata"]["resourceVersion"] = "5000"
    server.objects[scaled["metadata"]["uid"]], server.versions = scaled, 5000
    made.table.saw_workload("MODIFIED", "enricher", scaled)
    bring(made, a_feed(replicas=2), target=7)
    assert made.observe("enricher", OWNER).updated == 2


def test_an_earlier_feed_s_pods_are_not_its_successor_s() -> None:
    """Rule: after delete and create under one name, what is being collected counts for nothing."""
    made, _ = workloads()
    bring(made, a_feed(replicas=2))
    tell(made, replicas=2, readyReplicas=2, updatedReplicas=2)
    assert made.observe("enricher", NEXT) == NOTHING


def test_after_a_restart_the_newest_generation_must_have_been_seen() -> None:
    """Rule: which of them brought the template is not known any more."""
    made, _ = workloads()
    bring(made, a_feed(replicas=2))
    tell(made, replicas=2, readyReplicas=2, updatedReplicas=2)
    again = replace(made, _templated={})
    assert again.observe("enricher", OWNER).updated == 2
    body = copy.deepcopy(dict(made.table.workloads["a", "enricher"]))
    body["metadata"] |= {"generation": 9, "resourceVersion": "9999"}
    made.table.saw_workload("MODIFIED", "enricher", body)
    assert again.observe("enricher", OWNER).updated == 0


def test_a_workload_whose_replicas_nobody_wrote_asks_for_none() -> None:
    """Rule: made by two writes of which the second failed, it runs the API server's default of one."""
    made, server = workloads()
    server.fails_to_scale = True
    with pytest.raises(ApiError):
        bring(made, a_feed(replicas=2))
    assert made.table.workloads["a", "enricher"]["spec"]["replicas"] == 1
    assert made.asked_for("enricher", OWNER) is None
    server.fails_to_scale = False
    bring(made, a_feed(replicas=2))
    assert made.asked_for("enricher", OWNER) == 2


def test_another_feed_s_workload_asks_for_nothing_of_this_one() -> None:
    """Rule: Recommend makes what is not there, and says who stands in the way."""
    made, _ = workloads()
    bring(made, a_feed(replicas=2))
    assert made.asked_for("enricher", NEXT) is None


def test_what_an_edit_would_change_is_named_by_its_fields() -> None:
    """Rule: where nothing is changed, the status must say what is not as the spec has it."""
    made, _ = workloads()
    feed = a_feed(replicas=2, products=2)
    asyncio.run(made.reconcile(feed, "generator", 1, OWNER))
    bring(made, feed)
    assert [made.held_back(feed, component, OWNER) for component in COMPONENTS] == [None, None]
    edited = {"metadata": OWNER["metadata"] | {"generation": 2}}
    other = a_feed(replicas=2, products=3, concurrency_per_replica=2)
    assert made.held_back(other, "generator", edited) == "products"
    assert made.held_back(other, "enricher", edited) == "enricher.concurrencyPerReplica"
    again = {"metadata": OWNER["metadata"] | {"generation": 3}}
    replay = replace(other, source=Replay(config_map=ConfigMapRef(name="day")))
    assert made.held_back(replay, "generator", again) == "products, source"
    newer = workloads()[0]
    newer.table.workloads.update(made.table.workloads)
    newer.templates["enricher"]["spec"]["containers"][0]["image"] = "example/subscriber:2"  # type: ignore[index]
    assert newer.held_back(feed, "enricher", OWNER) == "the chart's pod template"
    assert newer.held_back(feed, "enricher", NEXT) is None
