"""Test conflicts with another manager of the replicas: which are contests, and what ends a contest."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from devcluster.processes.operator_process import template
from tests.support.feeds import a_feed

from deltastream_operator.cluster.watching.table import Table
from deltastream_operator.cluster.writing import children
from deltastream_operator.cluster.writing.workloads import Workloads, is_contest
from deltastream_operator.domain.observed import Problem
from deltastream_operator.kubernetes.api import ApiError

OWNER = {"metadata": {"name": "a", "namespace": "market", "uid": "u-1", "generation": 1}}
TEMPLATE = template("worker-enricher", "subscriber", "worker")
CONFLICT = 'conflict with "kubectl" with subresource "scale" using apps/v1'


def owns_replicas(manager: str, operation: str) -> dict[str, Any]:
    """Return a managedFields entry in which the manager owns the replicas."""
    fields = {"f:spec": {"f:replicas": {}}}
    return {"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsV1": fields}


class Server:
    """An API server whose Deployment has 7 replicas, set by kubectl. The scaler's applies raise `error`."""

    def __init__(self, error: ApiError | None) -> None:
        self.error, self.scalings = error, 0
        manifest = children.manifest(a_feed(replicas=2), "enricher", TEMPLATE, owner=OWNER, shards=1)
        self.body: dict[str, Any] = manifest
        self.body["spec"]["replicas"] = 7
        self.body["metadata"] |= {"uid": "d-1", "generation": 3, "resourceVersion": "10"}
        self.body["metadata"]["managedFields"] = [owns_replicas("kubectl", "Update")]

    async def apply(
        self, path: str, body: Mapping[str, Any], manager: str, *, force: bool
    ) -> Mapping[str, Any]:
        if manager == "deltastream-scaler":
            assert not force
            self.scalings += 1
            if self.error:
                raise self.error
        return self.body


def a_conflict(*reasons: str) -> ApiError:
    """Return a 409 error with these causes, in the form that the API server uses."""
    causes = [{"reason": reason, "message": CONFLICT, "field": ".spec.replicas"} for reason in reasons]
    body = {"reason": "Conflict", "code": 409, "details": {"causes": causes}}
    return ApiError(409, f"Apply failed with 1 conflict: {CONFLICT}: .spec.replicas", body)


def workloads_of(server: Server) -> Workloads:
    """Return Workloads whose table has the server's Deployment."""
    table = Table()
    table.saw_workload("ADDED", "enricher", server.body)
    return Workloads(api=server, table=table, namespace="market", templates={"enricher": TEMPLATE})  # type: ignore[arg-type]


def reconciled(workloads: Workloads, target: int) -> Problem | None:
    """Reconcile the enrichers once. Returns the problem that was found, if any."""
    return asyncio.run(workloads.reconcile(a_feed(replicas=2), "enricher", target, OWNER))


def test_a_contest_names_the_other_manager_and_the_command_that_ends_it() -> None:
    """The message has both numbers and a command that hands the replicas back. The scaler tries only once."""
    server = Server(a_conflict("FieldManagerConflict"))
    workloads = workloads_of(server)
    problem = reconciled(workloads, 2)
    assert problem
    assert is_contest(problem)
    assert "replicas are 7 by kubectl, 2 was decided" in problem.message
    assert "kubectl apply -n market --server-side --force-conflicts" in problem.message
    assert '"name":"a-enricher"},"spec":{"replicas":2}' in problem.message
    assert reconciled(workloads, 2) == problem
    assert server.scalings == 1


@pytest.mark.parametrize("reasons", [(), ("Invalid",)])
def test_a_conflict_of_another_kind_is_retried(reasons: tuple[str, ...]) -> None:
    """A concurrent update or a changed uid also causes a 409. It is no contest, so the write is retried."""
    server = Server(a_conflict(*reasons))
    workloads = workloads_of(server)
    for _ in range(2):
        with pytest.raises(ApiError):
            reconciled(workloads, 2)
    assert server.scalings == 2, "the conflict is not remembered as a contest"


def test_a_contest_ends_when_the_other_manager_gives_up_the_field() -> None:
    """The uid and the generation stay the same. Only managedFields shows that the ownership ended."""
    server = Server(a_conflict("FieldManagerConflict"))
    workloads = workloads_of(server)
    assert reconciled(workloads, 2)
    handed = {**server.body["metadata"], "managedFields": [], "resourceVersion": "11"}
    server.body, server.error = {**server.body, "metadata": handed}, None
    workloads.table.saw_workload("MODIFIED", "enricher", server.body)
    assert reconciled(workloads, 2) is None
    assert server.scalings == 2
