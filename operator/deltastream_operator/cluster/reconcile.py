"""Reconcile one feed: read its spec, decide, apply its workloads and write its status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog

from deltastream_operator.cluster.metrics import Metrics
from deltastream_operator.cluster.watching.mounts import Mounts
from deltastream_operator.cluster.watching.table import Table
from deltastream_operator.cluster.writing import merge
from deltastream_operator.cluster.writing.events import Events
from deltastream_operator.cluster.writing.workloads import Workloads, is_contest, is_transient
from deltastream_operator.domain import products, status
from deltastream_operator.domain.decide import Choice, Current, Decision, decide
from deltastream_operator.domain.feed import COMPONENTS, SOURCES, Feed
from deltastream_operator.domain.observed import Facts, Problem
from deltastream_operator.domain.signals import WAITING, Reading, source_of
from deltastream_operator.domain.source import SourceState, in_a_cluster
from deltastream_operator.domain.source_news import SourceNews
from deltastream_operator.kubernetes import names
from deltastream_operator.kubernetes.api import Api, ApiError

_NOT_FOUND = 404
log = structlog.get_logger()


@dataclass
class Reconciler:
    """Reconciles feeds, and keeps the last status that it wrote for each, by the feed's uid."""

    api: Api
    table: Table
    workloads: Workloads
    mounts: Mounts
    events: Events
    metrics: Metrics
    namespace: str
    _written: dict[str, dict[str, Any]] = field(default_factory=dict)
    _news: SourceNews = field(default_factory=SourceNews)

    def forget(self, uids: set[str]) -> None:
        """Drop the state of all feeds but those with these uids."""
        self._written = {uid: written for uid, written in self._written.items() if uid in uids}
        self._news.forget(uids)
        self.workloads.forget()

    def status_of(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the last status that this process wrote, else the watched one, which may be outdated."""
        written = self._written.get(body["metadata"]["uid"])
        found: Mapping[str, Any] = body.get("status", {}) if written is None else written
        return found

    def report_deletion(self, body: Mapping[str, Any], reading: Reading) -> None:
        """Log, and post as an Event, what a deleted feed leaves in its stream, which nothing deletes."""
        name = body["metadata"]["name"]
        text, warning = status.left_behind(name, reading)
        log.info("feed_deleted", feed=name, text=text)
        self.events.report_for(body, "FeedDeleted", text, warning=warning)

    async def reconcile(
        self, name: str, readings: Mapping[str, Reading], refused: Mapping[str, Problem], now: datetime
    ) -> None:
        """Reconcile the feed `name`, if it exists.

        `readings` are the loads of all feeds, `refused` the feeds that list a product of another feed. Raises
        ApiError if a write to the API server failed, so that the caller retries later.
        """
        known = self.table.feeds.get(name)
        if known is None:
            return
        body, feed = known.body, known.feed
        problems = "; ".join(known.problems)
        refusal = Problem(reason="InvalidSpec", message=problems) if problems else None
        refusal = refusal or refused.get(name) or (products.not_for_a_cluster(feed) if feed else None)
        previous = dict(self.status_of(body))
        generation = body["metadata"]["generation"]
        reading = readings.get(name, WAITING)
        self.metrics.show_load(name, reading)
        current = Current(**{c: self.workloads.asked_for(c, body) for c in COMPONENTS})
        selector = ",".join(f"{key}={value}" for key, value in names.selector(name, "enricher").items())
        if feed is None or refusal:
            problem = refusal or Problem(reason="InvalidSpec", message="the spec cannot be read")
            seen = self._seen(body)
            built = status.refused(previous, problem, seen, now=now, generation=generation, selector=selector)
            self.metrics.show_undecided(name, current, seen)
            if await self._write_status(body, previous, built):
                self.events.report(name, problem.reason, problem.message, warning=True)
            return
        if reading == WAITING and previous.get("observedGeneration") == generation:
            return  # after a restart the last status stays valid until the second reading
        decision = decide(feed, reading, current, now)
        trouble, failure = await self._apply(feed, decision, body)
        facts = await self._facts(body, trouble)
        held, source = self._held(feed, decision, body), _source(feed, decision, facts)
        facts = replace(facts, held=held, source=source)
        kind = SOURCES[type(feed.source)]
        built = status.build(previous, decision, facts, source=kind, generation=generation, selector=selector)
        if await self._write_status(body, previous, built):
            self._announce(body, status.changes(previous, decision), facts, previous)
        self.metrics.show(name, decision, facts)
        if failure:
            raise failure  # the status reports it; the caller retries with back-off

    async def _apply(
        self, feed: Feed, decision: Decision, body: Mapping[str, Any]
    ) -> tuple[list[Problem], ApiError | None]:
        """Apply both workloads. Return the problems that block them and the error of a failed write.

        Raises ApiError if the API server is unavailable.
        """
        found: list[Problem] = []
        failure = None
        for component in COMPONENTS:
            target = decision.of(component).target
            if target is None:
                continue
            try:
                problem = await self.workloads.reconcile(feed, component, target, body)
            except ApiError as error:
                if error.outage:
                    raise
                failure, problem = error, None
                if error.refused:
                    text = f"{component}: the API server refused the write: {error}"
                    problem = Problem(reason="WriteRefused", message=text)
            if problem:
                found.append(problem)
        return found, failure

    async def _facts(self, body: Mapping[str, Any], trouble: list[Problem]) -> Facts:
        contested = next((problem for problem in trouble if is_contest(problem)), None)
        lasting = [problem for problem in trouble if not is_contest(problem) and not is_transient(problem)]
        stalled = lasting[0] if lasting else await self._stalled(body["metadata"]["name"])
        return replace(self._seen(body), stalled=stalled, contested=contested)

    def _held(self, feed: Feed, decision: Decision, body: Mapping[str, Any]) -> Problem | None:
        """Return which fields of the spec are not applied because of a pause or mode Recommend."""
        found = [
            f"{component}: {text}"
            for component in COMPONENTS
            if decision.of(component).target is None
            and (text := self.workloads.held_back(feed, component, body))
        ]
        if not found:
            return None
        why, reason = ("paused", "HeldByPause") if decision.paused else ("mode Recommend", "HeldByMode")
        return Problem(reason=reason, message=f"{why}: not applied: {'; '.join(found)}")

    def _seen(self, body: Mapping[str, Any]) -> Facts:
        observe = self.workloads.observe
        return Facts(generator=observe("generator", body), enricher=observe("enricher", body))

    async def _stalled(self, name: str) -> Problem | None:
        """Return why a pod does not serve. Pods with a cause come before pods that wait for a volume."""
        pods = sorted(self.table.pods.get(name, {}).values(), key=lambda pod: pod.name)
        for pod in pods:
            if pod.trouble:
                return pod.trouble
        for pod in pods:
            if pod.waits_for_volumes and (problem := await self.mounts.problem(pod)):
                return problem
        return None

    async def _write_status(
        self, body: Mapping[str, Any], previous: Mapping[str, Any], built: dict[str, Any]
    ) -> bool:
        """Write the status if it changed. Returns whether it was written."""
        if built == previous:
            return False
        metadata = body["metadata"]
        path = names.feeds_path(self.namespace, metadata["name"], "status")
        # With the uid, a feed that was deleted and created again cannot get the old feed's status.
        patch = {"metadata": {"uid": metadata["uid"]}, "status": merge.patch(previous, built)}
        try:
            await self.api.merge(path, patch)
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return False
            raise
        self._written[metadata["uid"]] = built
        return True

    def _announce(
        self, body: Mapping[str, Any], choices: list[Choice], facts: Facts, previous: Mapping[str, Any]
    ) -> None:
        name, uid, old = body["metadata"]["name"], body["metadata"]["uid"], previous.get("conditions", [])
        for choice in choices:
            self.metrics.decisions.labels(choice.reason).inc()
            log.info("decided", feed=name, component=choice.component, text=choice.text())
            self.events.report(name, choice.reason, choice.text())
        before = {condition["type"]: condition["status"] for condition in old}
        for kind, problem in (("Stalled", facts.stalled), ("ReplicasContested", facts.contested)):
            if problem and before.get(kind) != "True":
                self.events.report(name, kind, problem.message, warning=True)
        for change in self._news.of(uid, facts.source, old):
            text = f"{change.reason}: {change.message}"
            self.events.report(name, change.type, text, warning=change.status == "False")


def _source(feed: Feed, decision: Decision, facts: Facts) -> SourceState | None:
    state = source_of(feed, decision.reading, decision.generator.requested, facts.generator)
    return in_a_cluster(feed, state) if state else None
