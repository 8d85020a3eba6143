"""Why a pod's volumes do not come."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from deltastream_operator.cluster.watching import pods
from deltastream_operator.cluster.watching.mounts import Mounts


@dataclass
class KubeletEvents:
    """FailedMount Events by the uid of their pod, as the API server selects them."""

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
    """The first generator of a feed; its successor has its name."""
    return pods.read({"metadata": {"name": "a-generator-0", "uid": uid, "resourceVersion": "1"}})


def test_a_pod_is_not_blamed_for_what_kept_its_predecessor() -> None:
    """Rule: a StatefulSet's next pod has the same name; Events outlive the pod by an hour."""
    events = KubeletEvents({"old": 'configmap "day" not found'})
    mounts = Mounts(api=events, clock=events, namespace="market")  # type: ignore[arg-type]
    found = asyncio.run(mounts.problem(pod("old")))
    assert found is not None
    assert found.message == 'pod a-generator-0: configmap "day" not found'
    assert asyncio.run(mounts.problem(pod("new"))) is None


def test_a_pod_is_asked_about_at_most_every_five_seconds() -> None:
    """Rule: a feed is visited at every piece of news."""
    events = KubeletEvents({})
    mounts = Mounts(api=events, clock=events, namespace="market")  # type: ignore[arg-type]
    for moment in (100.0, 103.0, 105.5):
        events.now = moment
        asyncio.run(mounts.problem(pod("one")))
    assert events.asked == ["one", "one"]
