"""Replicas that another hand writes: what is a contest, how long it is remembered, and what ends it."""

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
WORDS = 'conflict with "kubectl" with subresource "scale" using apps/v1'


def owns_replicas(manager: str, operation: str) -> dict[str, Any]:
    """A managedFields entry."""
    fields = {"f:spec": {"f:replicas": {}}}
    return {"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsV1": fields}


class Server:
    """An API server whose Deployment has 7 replicas by kubectl; `error` is its answer to the scaler."""

    def __init__(self, error: ApiError | None) -> None:
        self.error, self.asked = error, 0
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
            self.asked += 1
            if self.error:
                raise self.error
        return self.body


def a_conflict(*reasons: str) -> ApiError:
    """A 409 with these causes, as the API server writes it."""
    causes = [{"reason": reason, "message": WORDS, "field": ".spec.replicas"} for reason in reasons]
    body = {"reason": "Conflict", "code": 409, "details": {"causes": causes}}
    return ApiError(409, f"Apply failed with 1 conflict: {WORDS}: .spec.replicas", body)


def made(server: Server) -> Workloads:
    """Workloads that know the server's Deployment."""
    table = Table()
    table.saw_workload("ADDED", "enricher", server.body)
    return Workloads(api=server, table=table, namespace="market", templates={"enricher": TEMPLATE})  # type: ignore[arg-type]


def brought(workloads: Workloads, target: int) -> Problem | None:
    """One visit's step."""
    return asyncio.run(workloads.reconcile(a_feed(replicas=2), "enricher", target, OWNER))


def test_a_contest_names_who_and_the_command_that_ends_it() -> None:
    """Rule: the other owner, both numbers, and what hands the replicas back; asked about once."""
    server = Server(a_conflict("FieldManagerConflict"))
    workloads = made(server)
    problem = brought(workloads, 2)
    assert problem
    assert is_contest(problem)
    assert "replicas are 7 by kubectl, 2 was decided" in problem.message
    assert "kubectl apply -n market --server-side --force-conflicts" in problem.message
    assert '"name":"a-enricher"},"spec":{"replicas":2}' in problem.message
    assert brought(workloads, 2) == problem
    assert server.asked == 1


@pytest.mark.parametrize("reasons", [(), ("Invalid",)])
def test_another_conflict_is_no_contest(reasons: tuple[str, ...]) -> None:
    """Rule: a write that met another (an update at the same moment, a uid that changed) is tried again."""
    server = Server(a_conflict(*reasons))
    workloads = made(server)
    for _ in range(2):
        with pytest.raises(ApiError):
            brought(workloads, 2)
    assert server.asked == 2, "it is not remembered"


def test_ownership_handed_back_without_a_new_value_ends_the_contest() -> None:
    """Rule: neither uid nor generation tell it; only who owns the replicas does."""
    server = Server(a_conflict("FieldManagerConflict"))
    workloads = made(server)
    assert brought(workloads, 2)
    handed = {**server.body["metadata"], "managedFields": [], "resourceVersion": "11"}
    server.body, server.error = {**server.body, "metadata": handed}, None
    workloads.table.saw_workload("MODIFIED", "enricher", server.body)
    assert brought(workloads, 2) is None
    assert server.asked == 2
