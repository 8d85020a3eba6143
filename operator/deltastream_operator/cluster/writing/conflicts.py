"""Whose the replicas of a workload are, and what to do when another hand writes them. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from deltastream_operator.cluster.writing import children
from deltastream_operator.domain.feed import Component
from deltastream_operator.domain.observed import Problem
from deltastream_operator.kubernetes import names
from deltastream_operator.kubernetes.api import ApiError

_CONFLICT = 409
_CAUSE = "FieldManagerConflict"
_OTHER = re.compile(r'conflicts? with "([^"]+)"')


def owners(body: Mapping[str, Any]) -> set[str]:
    """Field managers of `replicas`; the scaler's own is its name alone."""
    found = set()
    for entry in body["metadata"].get("managedFields", []):
        if "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {}):
            manager, operation = entry.get("manager", ""), entry.get("operation", "Apply")
            # The same name with another operation is another manager to the API server.
            found.add(manager if operation == "Apply" else f"{manager}/{operation}")
    return found


def is_conflict(error: ApiError) -> bool:
    """Whether another field manager stands in the way, as opposed to a write at the same moment."""
    return error.status == _CONFLICT and bool(_causes(error))


def problem(
    error: ApiError, feed: str, component: Component, namespace: str, *, target: int, now: int
) -> Problem:
    """Who writes them, and what ends it.

    The command gives the decided number: with the number that is there, both managers would own it.
    """
    others = {other for cause in _causes(error) for other in _OTHER.findall(cause["message"])}
    who = ", ".join(sorted(others)) or "another field manager"
    name = f"{names.KINDS[component].kind} {names.workload(feed, component)}"
    wanted = children.replicas(feed, component, namespace, target)
    del wanted["metadata"]["namespace"]
    manifest = json.dumps(wanted, separators=(",", ":"))
    command = (
        f"echo '{manifest}' | kubectl apply -n {namespace} --server-side --force-conflicts "
        f"--field-manager={names.SCALER} -f -"
    )
    return Problem(
        reason="OtherFieldManager",
        message=f"{name}: replicas are {now} by {who}, {target} was decided; stop {who} from writing them "
        f"and hand them back with: {command} (or leave them to {who} with spec.mode Recommend)",
    )


def _causes(error: ApiError) -> list[Mapping[str, str]]:
    details = error.body.get("details") or {}
    return [
        {"message": "", **cause} for cause in details.get("causes") or [] if cause.get("reason") == _CAUSE
    ]
