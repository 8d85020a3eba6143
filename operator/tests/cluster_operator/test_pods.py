"""Test how a pod's problem is derived from the pod's status."""

from __future__ import annotations

from typing import Any

import pytest

from deltastream_operator.cluster.watching import pods


def pod(*states: dict[str, Any], **status: Any) -> dict[str, Any]:
    """Return a pod of feed `a` whose containers have these states."""
    metadata = {"name": "a-enricher-x", "uid": "1", "resourceVersion": "1"}
    metadata["labels"] = {"deltastream.dev/feed": "a"}  # type: ignore[assignment]
    return {"metadata": metadata, "status": {"containerStatuses": list(states), **status}}


def waiting(reason: str, message: str | None = None) -> dict[str, Any]:
    """Return the status of a container that waits for this reason."""
    state = {"waiting": {"reason": reason} | ({"message": message} if message else {})}
    return {"name": "worker", "image": "example/worker:1", "ready": False, "restartCount": 0, "state": state}


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError"])
def test_a_container_that_cannot_start_is_reported(reason: str) -> None:
    """The problem names the pod and the container, and has the kubelet's message."""
    trouble = pods.read(pod(waiting(reason, "no such thing"))).trouble
    assert trouble is not None
    assert (trouble.reason, trouble.message) == (
        reason,
        "pod a-enricher-x, container worker: no such thing",
    )


def test_a_crash_loop_is_reported_with_the_last_line_of_the_output() -> None:
    """The message has the last line of the termination message, with a limited length."""
    ended = {"terminated": {"exitCode": 1, "message": "Traceback\n  …\nREDIS_URL: is required\n"}}
    state = waiting("CrashLoopBackOff") | {"lastState": ended, "restartCount": 3}
    trouble = pods.read(pod(state)).trouble
    assert trouble is not None
    assert trouble.message.endswith("ended 3 times, with 1: REDIS_URL: is required")
    ended["terminated"]["message"] = "x" * 10_000
    bounded = pods.read(pod(state)).trouble
    assert bounded is not None
    assert len(bounded.message) < 600


def test_a_container_that_ended_once_is_not_in_a_crash_loop() -> None:
    """A crash loop needs the kubelet's reason CrashLoopBackOff or two restarts."""
    again = {"name": "worker", "ready": False, "restartCount": 1, "state": {"running": {}}}
    again["lastState"] = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    assert pods.read(pod(again)).trouble is None
    assert pods.read(pod(again | {"restartCount": 2})).trouble is not None
    waits = waiting("CrashLoopBackOff") | {"restartCount": 1, "lastState": again["lastState"]}
    trouble = pods.read(pod(waits)).trouble
    assert trouble is not None
    assert trouble.message == "pod a-enricher-x, container worker ended once, with 137: OOMKilled"


def test_a_starting_or_ready_pod_has_no_problem() -> None:
    """A pod in ContainerCreating may wait for volumes, which the operator checks separately."""
    young = pods.read(pod(waiting("ContainerCreating")))
    assert young.trouble is None
    assert young.waits_for_volumes
    again = {"name": "worker", "ready": True, "restartCount": 1, "state": {"running": {}}}
    again["lastState"] = {"terminated": {"exitCode": 137}}
    assert pods.read(pod(again)).trouble is None


def test_an_unschedulable_pod_is_reported() -> None:
    """The problem has the scheduler's message."""
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    condition["message"] = "0/1 nodes are available: 1 Insufficient cpu."
    trouble = pods.read(pod(conditions=[condition])).trouble
    assert trouble is not None
    assert trouble.reason == "Unschedulable"
    assert "Insufficient cpu" in trouble.message
