"""A write that the API server answers with an error: told in the feed's status, and nobody else's trouble."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import pytest
from devcluster.processes.operator_process import template
from tests.support.feeds import NOON

from deltastream_operator.cluster.metrics import Metrics
from deltastream_operator.cluster.reconcile import Reconciler
from deltastream_operator.cluster.watching.table import Table
from deltastream_operator.cluster.writing.workloads import Workloads
from deltastream_operator.domain.signals import Unknown
from deltastream_operator.kubernetes.api import ApiError

WEBHOOK = 'Internal error occurred: failed calling webhook "x": connection refused'
AWAY = Unknown(reason="RedisUnreachable", message="away")
BODY: dict[str, Any] = {
    "metadata": {
        "name": "a", "namespace": "market", "uid": "u-1", "generation": 1, "resourceVersion": "1",
        "creationTimestamp": "2026-11-25T12:00:00Z",
    },
    "spec": {
        "mode": "Manual", "products": ["NIFTY"], "source": {"synthetic": {"seed": 1}},
        "enricher": {"replicas": 6},
    },
}  # fmt: skip


class Server:
    """An API server that stores what is applied; `fails` gives the errors of kinds or of `status`."""

    def __init__(self, **fails: ApiError) -> None:
        self.fails, self.version = fails, 10
        self.stored: dict[str, dict[str, Any]] = {}
        self.status: dict[str, Any] = {}

    async def get(self, path: str) -> dict[str, Any]:
        raise ApiError(404, "not found")

    async def apply(self, path: str, body: Mapping[str, Any], manager: str, *, force: bool) -> dict[str, Any]:
        if error := self.fails.get(body["kind"]):
            raise error
        self.version += 1
        known = self.stored.get(
            path, {"metadata": {"uid": path, "managedFields": []}, "spec": {"replicas": 1}}
        )
        metadata = {**known["metadata"], **body["metadata"]}
        metadata |= {"generation": self.version, "resourceVersion": str(self.version)}
        if "replicas" in body["spec"]:
            metadata["managedFields"] = [
                {"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
            ]
        self.stored[path] = {"metadata": metadata, "spec": {**known["spec"], **body["spec"]}}
        return self.stored[path]

    async def merge(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        if error := self.fails.get("status"):
            raise error
        self.status = body["status"]
        return {}

    def replicas(self, kind: str) -> int | None:
        """What is asked for of the one workload whose path has this word."""
        return next((body["spec"]["replicas"] for path, body in self.stored.items() if kind in path), None)

    def condition(self, kind: str) -> dict[str, Any]:
        """One condition of the status that was written; empty without one."""
        return next((row for row in self.status.get("conditions", []) if row["type"] == kind), {})


class Quiet:
    """Events that nobody reads."""

    def report(self, *_: object, **__: object) -> None:
        """Told."""


def made(server: Server) -> Reconciler:
    """A reconciler of feed `a`."""
    table = Table()
    table.saw_feed("ADDED", BODY)
    templates: Any = {
        "generator": template("feed-generator", "generator"),
        "enricher": template("worker-enricher", "subscriber", "worker"),
    }
    return Reconciler(
        api=server,  # type: ignore[arg-type]
        table=table,
        workloads=Workloads(api=server, table=table, namespace="market", templates=templates),  # type: ignore[arg-type]
        mounts=None,  # type: ignore[arg-type]
        events=Quiet(),  # type: ignore[arg-type]
        metrics=Metrics(),
        namespace="market",
    )


def visited(reconciler: Reconciler) -> ApiError | None:
    """One visit; what it raised."""
    try:
        asyncio.run(reconciler.reconcile("a", {"a": AWAY}, {}, NOON))
    except ApiError as error:
        return error
    return None


@pytest.mark.parametrize("status", [400, 403, 404, 408, 422, 500, 503, 504])
def test_an_error_of_one_component_is_told_and_does_not_hold_the_other(status: int) -> None:
    """Rule: an admission webhook that fails answers 500; its words are in Stalled, and enrichers scale."""
    server = Server(StatefulSet=ApiError(status, WEBHOOK))
    error = visited(made(server))
    assert error, "it is tried again"
    assert server.replicas("deployments") == 6
    stalled = server.condition("Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "WriteRefused")
    assert WEBHOOK in stalled["message"]
    assert server.condition("Ready")["status"] == "False"
    assert server.status["observedGeneration"] == 1


@pytest.mark.parametrize("status", [0, 401, 429])
def test_an_api_server_that_is_not_there_is_asked_nothing_more(status: int) -> None:
    """Rule: nobody answered, or not now: the other write and the status would fare no better."""
    server = Server(StatefulSet=ApiError(status, "later"))
    assert visited(made(server))
    assert (server.stored, server.status) == ({}, {})


def test_a_write_that_met_another_is_only_tried_again() -> None:
    """Rule: a 409 that is no contest passes by itself: nothing is said of it, and nothing else waits."""
    server = Server(StatefulSet=ApiError(409, "the object has been modified"))
    assert visited(made(server))
    assert server.replicas("deployments") == 6
    assert server.condition("Stalled")["status"] == "False"


def test_a_decision_whose_telling_failed_is_told_from_what_was_told_last() -> None:
    """Rule: the replicas are written before the status; the retry must not say "from 6 to 6"."""
    server = Server()
    reconciler = made(server)
    assert visited(reconciler) is None
    edited = {**BODY, "metadata": {**BODY["metadata"], "generation": 2, "resourceVersion": "99"}}
    reconciler.table.saw_feed("MODIFIED", {**edited, "spec": {**BODY["spec"], "enricher": {"replicas": 9}}})
    server.fails["status"] = ApiError(500, "etcdserver: leader changed")
    assert visited(reconciler)
    assert server.replicas("deployments") == 9
    del server.fails["status"]
    with contextlib.suppress(ApiError):
        visited(reconciler)
    last = server.status["lastDecision"]
    assert (last["from"], last["to"]) == (6, 9)
    assert last["message"].startswith("enricher 6 -> 9: ManualReplicas")
