"""Read from a pod's status why it does not serve. Pure functions."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deltastream_operator.domain.observed import Problem
from deltastream_operator.kubernetes import names

TEXT_MAX = 400
_CRASHES = 2
_FAILURES = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)
_ENDED = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, kw_only=True)
class Pod:
    """The facts about a pod that the table keeps."""

    name: str
    uid: str
    version: int
    feed: str
    trouble: Problem | None
    waits_for_volumes: bool
    """True while containers are not created. If this lasts, only the kubelet's Events name the cause."""
    products: str
    """Its products, comma-separated as in PRODUCTS; empty if it produces none or has ended."""


def read(body: Mapping[str, Any]) -> Pod:
    """Return the facts to keep about a pod."""
    metadata, status = body["metadata"], body.get("status", {})
    labels = metadata.get("labels", {})
    states = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    conditions = {condition["type"]: condition for condition in status.get("conditions", [])}
    creating = any(
        _waiting(state).get("reason") in ("ContainerCreating", "PodInitializing") for state in states
    )
    return Pod(
        name=metadata["name"],
        uid=metadata["uid"],
        version=int(metadata["resourceVersion"]),
        feed=labels.get(names.FEED_LABEL, ""),
        trouble=_trouble(metadata["name"], states, conditions),
        waits_for_volumes=creating and "deletionTimestamp" not in metadata,
        products="" if status.get("phase") in _ENDED else products_of(body.get("spec", {})),
    )


def products_of(pod_spec: Mapping[str, Any]) -> str:
    """Return the variable PRODUCTS of a pod's containers, or an empty string."""
    containers: Iterable[Mapping[str, Any]] = pod_spec.get("containers", [])
    for container in containers:
        for variable in container.get("env", []):
            if variable["name"] == "PRODUCTS":
                return sys.intern(str(variable.get("value", "")))  # one string for all pods of a feed
    return ""


def _waiting(state: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = state.get("state", {}).get("waiting", {})
    return found


def _trouble(
    pod: str, states: Iterable[Mapping[str, Any]], conditions: Mapping[str, Mapping[str, Any]]
) -> Problem | None:
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("reason") == "Unschedulable":
        return Problem(reason="Unschedulable", message=f"pod {pod}: {_short(scheduled.get('message'))}")
    for state in states:
        where = f"pod {pod}, container {state.get('name')}"
        waiting = _waiting(state)
        if waiting.get("reason") in _FAILURES:
            text = _short(waiting.get("message")) or f"image {state.get('image')}"
            return Problem(reason=str(waiting["reason"]), message=f"{where}: {text}")
        ended = state.get("state", {}).get("terminated") or state.get("lastState", {}).get("terminated")
        restarts = state.get("restartCount", 0)
        # One crash is not reported: the kubelet restarts at once (a full node, a store that was not ready).
        again = restarts >= _CRASHES or waiting.get("reason") == "CrashLoopBackOff"
        if ended and ended.get("exitCode") and not state.get("ready") and again:
            text = _short(ended.get("message")) or ended.get("reason", "no output")
            often = "once" if restarts < _CRASHES else f"{restarts} times"
            message = f"{where} ended {often}, with {ended['exitCode']}: {text}"
            return Problem(reason="CrashLoop", message=message)
    return None


def _short(text: str | None) -> str:
    """Return the last line of a message, in which a crashed program states the cause."""
    lines = [line.strip() for line in (text or "").strip().splitlines() if line.strip()]
    return lines[-1][:TEXT_MAX] if lines else ""
