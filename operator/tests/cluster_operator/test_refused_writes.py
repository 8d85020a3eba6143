"""Test writes that the API server refuses: the status reports them, and other writes are not affected."""

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
UNREACHABLE = Unknown(reason="RedisUnreachable", message="cannot be reached")
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
    """An API server that stores applied objects. `fails` has an error by object kind, or for `status`."""

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
        """Return the stored replicas of the workload whose path contains `kind`, or None."""
        return next((body["spec"]["replicas"] for path, body in self.stored.items() if kind in path), None)

    def condition(self, kind: str) -> dict[str, Any]:
        """Return one condition of the written status; empty if the status does not have it."""
        return next((row for row in self.status.get("conditions", []) if row["type"] == kind), {})


class NoEvents:
    """Ignores all Events."""

    def report(self, *_: object, **__: object) -> None:
        """Do nothing."""


def reconciler_of(server: Server) -> Reconciler:
    """Return a reconciler whose table has feed `a`."""
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
        events=NoEvents(),  # type: ignore[arg-type]
        metrics=Metrics(),
        namespace="market",
    )


def reconcile(reconciler: Reconciler) -> ApiError | None:
    """Reconcile feed `a` once. Returns the error that it raised, if any."""
    try:
        asyncio.run(reconciler.reconcile("a", {"a": UNREACHABLE}, {}, NOON))
    except ApiError as error:
        return error
    return None


@pytest.mark.parametrize("status", [400, 403, 404, 408, 422, 500, 503, 504])
def test_a_refused_write_of_one_component_is_reported_and_the_other_scales(status: int) -> None:
    """Example: a failing admission webhook leads to status 500. Stalled has its message."""
    server = Server(StatefulSet=ApiError(status, WEBHOOK))
    error = reconcile(reconciler_of(server))
    assert error, "the loop retries after an error"
    assert server.replicas("deployments") == 6
    stalled = server.condition("Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "WriteRefused")
    assert WEBHOOK in stalled["message"]
    assert server.condition("Ready")["status"] == "False"
    assert server.status["observedGeneration"] == 1


@pytest.mark.parametrize("status", [0, 401, 429])
def test_an_unavailable_api_server_gets_no_further_requests(status: int) -> None:
    """The other workload's write and the status would fail for the same reason."""
    server = Server(StatefulSet=ApiError(status, "later"))
    assert reconcile(reconciler_of(server))
    assert (server.stored, server.status) == ({}, {})


def test_a_concurrent_write_is_retried_and_not_reported() -> None:
    """A 409 that is no contest succeeds at the next try. The other component does not wait for it."""
    server = Server(StatefulSet=ApiError(409, "the object has been modified"))
    assert reconcile(reconciler_of(server))
    assert server.replicas("deployments") == 6
    assert server.condition("Stalled")["status"] == "False"


def test_a_retried_status_reports_the_change_since_the_last_written_status() -> None:
    """The replicas are written before the status. The retry must report "6 -> 9" and not "9 -> 9"."""
    server = Server()
    reconciler = reconciler_of(server)
    assert reconcile(reconciler) is None
    edited = {**BODY, "metadata": {**BODY["metadata"], "generation": 2, "resourceVersion": "99"}}
    reconciler.table.saw_feed("MODIFIED", {**edited, "spec": {**BODY["spec"], "enricher": {"replicas": 9}}})
    server.fails["status"] = ApiError(500, "etcdserver: leader changed")
    assert reconcile(reconciler)
    assert server.replicas("deployments") == 9
    del server.fails["status"]
    with contextlib.suppress(ApiError):
        reconcile(reconciler)
    last = server.status["lastDecision"]
    assert (last["from"], last["to"]) == (6, 9)
    assert last["message"].startswith("enricher 6 -> 9: ManualReplicas")
