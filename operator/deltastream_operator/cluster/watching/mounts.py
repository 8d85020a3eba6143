"""Find out why a pod's volumes cannot be mounted: only the kubelet's Events contain the cause."""

from __future__ import annotations

from dataclasses import dataclass, field

from deltastream_operator.cluster.watching.pods import Pod
from deltastream_operator.domain.observed import Problem
from deltastream_operator.kubernetes import names
from deltastream_operator.kubernetes.api import Api
from deltastream_operator.ports import Clock

_ASK_EVERY_S = 5.0
_TEXT_MAX = 400


@dataclass
class Mounts:
    """Queries the Events of a pod at most every 5 s.

    Results are kept by the pod's uid, because a StatefulSet's next pod has the same name.
    """

    api: Api
    clock: Clock
    namespace: str
    _answers: dict[str, tuple[float, Problem | None]] = field(default_factory=dict)

    async def problem(self, pod: Pod) -> Problem | None:
        """Return the newest FailedMount of the pod as a problem, or None. Raises ApiError."""
        now = self.clock.monotonic()
        self._answers = {uid: answer for uid, answer in self._answers.items() if now - answer[0] < 60}
        known = self._answers.get(pod.uid)
        if known and now - known[0] < _ASK_EVERY_S:
            return known[1]
        path = names.core_path(self.namespace, "events")
        selector = f"involvedObject.kind=Pod,involvedObject.uid={pod.uid},reason=FailedMount"
        listed = (await self.api.get(path, fieldSelector=selector, limit="5"))["items"]
        # `failed to sync` means that the kubelet has not fetched a ConfigMap yet; it does a second later.
        texts = [event["message"] for event in listed if "failed to sync" not in event.get("message", "")]
        problem = None
        if texts:
            problem = Problem(reason="FailedMount", message=f"pod {pod.name}: {texts[-1][:_TEXT_MAX]}")
        self._answers[pod.uid] = (now, problem)
        return problem
