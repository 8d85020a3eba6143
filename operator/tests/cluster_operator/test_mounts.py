"""Test that the operator finds out why a pod's volumes cannot be mounted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from deltastream_operator.cluster.watching import pods
from deltastream_operator.cluster.watching.mounts import Mounts


@dataclass
class KubeletEvents:
    """An API server with FailedMount Events: `texts` are their messages by the uid of the pod."""

    texts: dict[str, str]
    asked: list[str] = field(default_factory=list)
    now: float = 100.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    async def get(self, path: str, *, fieldSelector: str, limit: str) -> dict[str, Any]:  # noqa: N803
        wanted = dict(part.split("=") for part in fieldSelector.split(","))
        assert wanted["involvedObject.kind"] == "Pod"
        assert wanted["reason"] == "FailedMount"
        uid = wanted["involvedObject.uid"]
        self.asked.append(uid)
        return {"items": [{"message": self.texts[uid]}] if uid in self.texts else []}


def pod(uid: str) -> pods.Pod:
    """Return the first generator pod of a feed. All pods of this ordinal have the same name."""
    return pods.read({"metadata": {"name": "a-generator-0", "uid": uid, "resourceVersion": "1"}})


def test_events_of_an_earlier_pod_with_the_same_name_are_ignored() -> None:
    """A StatefulSet's next pod has the same name. Events stay for an hour after their pod is deleted."""
    events = KubeletEvents({"old": 'configmap "day" not found'})
    mounts = Mounts(api=events, clock=events, namespace="market")  # type: ignore[arg-type]
    found = asyncio.run(mounts.problem(pod("old")))
    assert found is not None
    assert found.message == 'pod a-generator-0: configmap "day" not found'
    assert asyncio.run(mounts.problem(pod("new"))) is None


def test_the_events_of_a_pod_are_read_at_most_every_five_seconds() -> None:
    """The operator reconciles a feed at each change, which would cause too many requests."""
    events = KubeletEvents({})
    mounts = Mounts(api=events, clock=events, namespace="market")  # type: ignore[arg-type]
    for moment in (100.0, 103.0, 105.5):
        events.now = moment
        asyncio.run(mounts.problem(pod("one")))
    assert events.asked == ["one", "one"]
