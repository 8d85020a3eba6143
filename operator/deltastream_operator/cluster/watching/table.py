"""The in-memory table of feeds, their workloads and their pods, filled by watches and repaired from lists."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deltastream_operator.cluster.watching.pods import Pod
from deltastream_operator.cluster.watching.pods import read as read_pod
from deltastream_operator.domain.feed import Component, Feed
from deltastream_operator.kubernetes import names
from deltastream_operator.parsing import resource

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Known:
    """A feed as the API server returned it, with its parsed spec or the problems of that spec."""

    body: Body
    feed: Feed | None
    problems: list[str]


def read_feed(body: Body) -> Known:
    """Parse a feed's body. The table calls this once for each version."""
    return Known(body, *resource.from_cluster(body))


@dataclass
class Table:
    """Feeds by name with their workloads and pods. Each change makes its feed due and wakes the loop."""

    feeds: dict[str, Known] = field(default_factory=dict)
    gone: dict[str, Body] = field(default_factory=dict)
    """Deleted feeds, until the loop has reported what they leave in Redis."""
    workloads: dict[tuple[str, Component], Body] = field(default_factory=dict)
    pods: dict[str, dict[str, Pod]] = field(default_factory=dict)
    due: set[str] = field(default_factory=set)
    news: int = 0
    """The number of changes so far."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: set[str] = field(default_factory=set)
    """Uids deleted since the last repair began: a list that was requested earlier can still contain them."""

    def saw_feed(self, kind: str | None, body: Body) -> None:
        """Take a watch event of a feed. `kind` is DELETED, ADDED, MODIFIED, or None for the first list."""
        name = body["metadata"]["name"]
        if kind == "DELETED" or "deletionTimestamp" in body["metadata"]:
            self._ended.add(body["metadata"]["uid"])
            if _same(body, self._feed(name)):
                self.gone[name] = self.feeds.pop(name).body
        elif self._has_changed(body, self._feed(name)):
            self.feeds[name] = read_feed(body)
        self.wake(name)

    def saw_workload(self, kind: str | None, component: Component, body: Body) -> None:
        """Take a watch event of one of the operator's workloads, or the reply to an apply."""
        feed = body["metadata"].get("labels", {}).get(names.FEED_LABEL)
        if feed is None:
            return
        if kind == "DELETED":
            self._ended.add(body["metadata"]["uid"])
            if _same(body, self.workloads.get((feed, component))):
                del self.workloads[feed, component]
        elif self._has_changed(body, self.workloads.get((feed, component))):
            self.workloads[feed, component] = body
        else:
            return
        self.wake(feed)

    def saw_pod(self, kind: str | None, body: Body) -> None:
        """Take a watch event of a pod of a feed."""
        pod = read_pod(body)
        known = self.pods.get(pod.feed, {}).get(pod.name)
        if kind == "DELETED":
            self._ended.add(pod.uid)
            # The table may already hold the StatefulSet's next pod, which has the same name.
            if known and known.uid == pod.uid:
                self._drop_pod(known)
        elif pod.uid not in self._ended and (known is None or pod.version > known.version):
            self.pods.setdefault(pod.feed, {})[pod.name] = pod
        else:
            return
        self.wake(pod.feed)

    def wake(self, feed: str) -> None:
        """Make the feed due and wake the loop."""
        self.news += 1
        self.due.add(feed)
        self.woken.set()

    def begin_repair(self) -> None:
        """Call before the lists are requested. Objects deleted before this call cannot appear in them."""
        self._ended.clear()

    def repair_feeds(self, bodies: Iterable[Body]) -> int:
        """Take the feeds of a list's page. Returns how many changes the watch had missed."""
        missed = 0
        for body in bodies:
            name = body["metadata"]["name"]
            if "deletionTimestamp" not in body["metadata"] and self._has_changed(body, self._feed(name)):
                self.feeds[name] = read_feed(body)
                missed += 1
                self.wake(name)
        return missed

    def end_feeds(self, alive: Container[str], version: int) -> int:
        """Remove feeds that are not `alive` in a list of this version. Returns how many."""
        ended = [name for name, known in self.feeds.items() if _has_ended(known.body, alive, version)]
        for name in ended:
            self.gone[name] = self.feeds.pop(name).body
            self.wake(name)
        return len(ended)

    def repair_workloads(self, component: Component, bodies: Iterable[Body]) -> int:
        """Take the workloads of a list's page. Returns 0: only changes of feeds are counted."""
        for body in bodies:
            self.saw_workload("MODIFIED", component, body)
        return 0

    def end_workloads(self, component: Component, alive: Container[str], version: int) -> int:
        """Remove workloads of the component that are not in the list. Returns 0."""
        for key, body in list(self.workloads.items()):
            if key[1] == component and _has_ended(body, alive, version):
                del self.workloads[key]
                self.wake(key[0])
        return 0

    def repair_pods(self, bodies: Iterable[Body]) -> int:
        """Take the pods of a list's page. Returns 0."""
        for body in bodies:
            self.saw_pod("MODIFIED", body)
        return 0

    def end_pods(self, alive: Container[str], version: int) -> int:
        """Remove pods that are not in the list, so that their problems leave the status. Returns 0."""
        for pod in [pod for pods in self.pods.values() for pod in pods.values()]:
            if pod.uid not in alive and pod.version <= version:
                self._drop_pod(pod)
                self.wake(pod.feed)
        return 0

    def _feed(self, name: str) -> Body | None:
        return self.feeds[name].body if name in self.feeds else None

    def _has_changed(self, body: Body, known: Body | None) -> bool:
        return body["metadata"]["uid"] not in self._ended and _newer(body, known)

    def _drop_pod(self, pod: Pod) -> None:
        del self.pods[pod.feed][pod.name]
        if not self.pods[pod.feed]:
            del self.pods[pod.feed]


def _has_ended(body: Body, alive: Container[str], version: int) -> bool:
    """Return whether the object is missing from a list of this version and is not newer than the list."""
    metadata = body["metadata"]
    return metadata["uid"] not in alive and int(metadata["resourceVersion"]) <= version


def _newer(body: Body, known: Body | None) -> bool:
    """Compare resource versions, which only increase over all objects of a kind and its lists."""
    if known is None:
        return True
    return int(body["metadata"]["resourceVersion"]) > int(known["metadata"]["resourceVersion"])


def _same(body: Body, known: Body | None) -> bool:
    """Compare uids: events of an object and of its successor with the same name come in any order."""
    return known is not None and body["metadata"]["uid"] == known["metadata"]["uid"]
