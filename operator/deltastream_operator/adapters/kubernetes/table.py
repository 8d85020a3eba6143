"""What the watches have told so far: feeds, their workloads, their pods. In memory, repaired from lists."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deltastream_operator.adapters.kubernetes import names
from deltastream_operator.adapters.kubernetes.pods import Pod
from deltastream_operator.adapters.kubernetes.pods import read as read_pod
from deltastream_operator.domain.feed import Component

Body = Mapping[str, Any]


@dataclass
class Table:
    """Feeds by name, and what belongs to each. Whatever changes makes its feed due and wakes the loop."""

    feeds: dict[str, Body] = field(default_factory=dict)
    workloads: dict[tuple[str, Component], Body] = field(default_factory=dict)
    pods: dict[str, dict[str, Pod]] = field(default_factory=dict)
    due: set[str] = field(default_factory=set)
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def saw_feed(self, kind: str | None, body: Body) -> None:
        """A watch event of a feed; `kind` is DELETED, ADDED, MODIFIED, or None for the first list."""
        name = body["metadata"]["name"]
        if kind == "DELETED" or "deletionTimestamp" in body["metadata"]:
            self.feeds.pop(name, None)
        elif _newer(body, self.feeds.get(name)):
            self.feeds[name] = body
        self.wake(name)

    def saw_workload(self, kind: str | None, component: Component, body: Body) -> None:
        """A watch event of a workload that carries our label, or the answer to our own apply."""
        feed = body["metadata"].get("labels", {}).get(names.FEED_LABEL)
        if feed is None:
            return
        if kind == "DELETED":
            self.workloads.pop((feed, component), None)
        elif _newer(body, self.workloads.get((feed, component))):
            self.workloads[feed, component] = body
        self.wake(feed)

    def saw_pod(self, kind: str | None, body: Body) -> None:
        """A watch event of a pod of a feed."""
        pod = read_pod(body)
        if kind == "DELETED":
            self.pods.get(pod.feed, {}).pop(pod.name, None)
        else:
            self.pods.setdefault(pod.feed, {})[pod.name] = pod
        self.wake(pod.feed)

    def wake(self, feed: str) -> None:
        """Have the loop visit the feed now."""
        self.due.add(feed)
        self.woken.set()

    def repair_feeds(self, listed: Iterable[Body]) -> int:
        """Make the feeds what a list says; how many the watch had missed."""
        bodies = {body["metadata"]["name"]: body for body in listed}
        missed = 0
        for name in [name for name in self.feeds if name not in bodies]:
            del self.feeds[name]
            missed += 1
        for name, body in bodies.items():
            known = self.feeds.get(name)
            if "deletionTimestamp" not in body["metadata"] and _newer(body, known):
                self.feeds[name] = body
                missed += 1
                self.wake(name)
        return missed

    def repair_workloads(self, component: Component, listed: Iterable[Body]) -> None:
        """Make the workloads of a component what a list says."""
        bodies = {body["metadata"]["labels"][names.FEED_LABEL]: body for body in listed}
        for feed, known in [key for key in self.workloads if key[1] == component]:
            if feed not in bodies:
                del self.workloads[feed, known]
                self.wake(feed)
        for body in bodies.values():
            self.saw_workload("MODIFIED", component, body)


def _newer(body: Body, known: Body | None) -> bool:
    """Resource versions only grow; another uid is another object of the same name."""
    if known is None or known["metadata"]["uid"] != body["metadata"]["uid"]:
        return True
    return int(body["metadata"]["resourceVersion"]) > int(known["metadata"]["resourceVersion"])
