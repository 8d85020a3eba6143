"""Why a pod does not serve, from its status alone."""

from __future__ import annotations

from typing import Any

import pytest

from deltastream_operator.cluster.watching import pods


def pod(*states: dict[str, Any], **status: Any) -> dict[str, Any]:
    """A pod of feed `a` whose containers have these states."""
    metadata = {"name": "a-enricher-x", "uid": "1", "resourceVersion": "1"}
    metadata["labels"] = {"deltastream.dev/feed": "a"}  # type: ignore[assignment]
    return {"metadata": metadata, "status": {"containerStatuses": list(states), **status}}


def waiting(reason: str, message: str | None = None) -> dict[str, Any]:
    """A container that waits."""
    state = {"waiting": {"reason": reason} | ({"message": message} if message else {})}
    return {"name": "worker", "image": "example/worker:1", "ready": False, "restartCount": 0, "state": state}


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError"])
def test_what_will_not_go_by_itself_is_named(reason: str) -> None:
    """Rule: pod, container and the kubelet's own words."""
    trouble = pods.read(pod(waiting(reason, "no such thing"))).trouble
    assert trouble is not None
    assert (trouble.reason, trouble.message) == (
        reason,
        "pod a-enricher-x, container worker: no such thing",
    )


def test_a_crash_is_told_with_its_last_words() -> None:
    """Rule: the last line of what it left behind, bounded."""
    ended = {"terminated": {"exitCode": 1, "message": "Traceback\n  …\nREDIS_URL: is required\n"}}
    state = waiting("CrashLoopBackOff") | {"lastState": ended, "restartCount": 3}
    trouble = pods.read(pod(state)).trouble
    assert trouble is not None
    assert trouble.message.endswith("ended 3 times, with 1: REDIS_URL: is required")
    ended["terminated"]["message"] = "x" * 10_000
    bounded = pods.read(pod(state)).trouble
    assert bounded is not None
    assert len(bounded.message) < 600


def test_a_container_that_ended_once_is_no_crash_loop() -> None:
    """Rule: it is one when the kubelet says so or it has been started again twice."""
    again = {"name": "worker", "ready": False, "restartCount": 1, "state": {"running": {}}}
    again["lastState"] = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    assert pods.read(pod(again)).trouble is None
    assert pods.read(pod(again | {"restartCount": 2})).trouble is not None
    waits = waiting("CrashLoopBackOff") | {"restartCount": 1, "lastState": again["lastState"]}
    trouble = pods.read(pod(waits)).trouble
    assert trouble is not None
    assert trouble.message == "pod a-enricher-x, container worker ended once, with 137: OOMKilled"


def test_starting_and_serving_are_no_trouble() -> None:
    """Rule: a pod that is only young is not reported; one that waits for volumes is asked about."""
    young = pods.read(pod(waiting("ContainerCreating")))
    assert young.trouble is None
    assert young.waits_for_volumes
    again = {"name": "worker", "ready": True, "restartCount": 1, "state": {"running": {}}}
    again["lastState"] = {"terminated": {"exitCode": 137}}
    assert pods.read(pod(again)).trouble is None


def test_a_pod_without_a_node_says_why() -> None:
    """Rule: the scheduler's words."""
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    condition["message"] = "0/1 nodes are available: 1 Insufficient cpu."
    trouble = pods.read(pod(conditions=[condition])).trouble
    assert trouble is not None
    assert trouble.reason == "Unschedulable"
    assert "Insufficient cpu" in trouble.message
