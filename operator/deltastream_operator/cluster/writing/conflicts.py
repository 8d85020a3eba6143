"""Find the field managers that own a workload's replicas, and explain a conflict. Pure functions."""

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
    """Return the field managers that own `replicas`.

    A manager that uses server-side apply is its name. Others are `name/operation`.
    """
    found = set()
    for entry in body["metadata"].get("managedFields", []):
        if "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {}):
            manager, operation = entry.get("manager", ""), entry.get("operation", "Apply")
            # To the API server, the same name with another operation is another manager.
            found.add(manager if operation == "Apply" else f"{manager}/{operation}")
    return found


def is_conflict(error: ApiError) -> bool:
    """Return whether another field manager owns the field, as opposed to a concurrent write."""
    return error.status == _CONFLICT and bool(_causes(error))


def problem(
    error: ApiError, feed: str, component: Component, namespace: str, *, target: int, now: int
) -> Problem:
    """Return the problem of a conflict: its message names the other manager and the command that resolves it.

    The command sets the decided `target`. With the present number, both managers would own the replicas.
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
