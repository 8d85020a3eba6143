"""Apply a feed's Deployment and StatefulSet by server-side apply with two field managers.

`deltastream-operator` owns everything but `replicas` and applies with force.
`deltastream-scaler` owns `replicas` and applies without force: a conflict is reported, not overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deltastream_operator.cluster.watching.table import Table
from deltastream_operator.cluster.writing import children, conflicts
from deltastream_operator.domain.feed import KIND, Component, Feed
from deltastream_operator.domain.observed import Observed, Problem
from deltastream_operator.kubernetes import names
from deltastream_operator.kubernetes.api import Api, ApiError

_NOT_FOUND = 404


@dataclass
class Workloads:
    """The workloads of all feeds. Writes only what differs from the watched objects."""

    api: Api
    table: Table
    namespace: str
    templates: Mapping[Component, Mapping[str, Any]]
    _written: dict[str, int] = field(default_factory=dict)
    """Each workload's generation after the operator's last write, by uid."""
    _templated: dict[str, int] = field(default_factory=dict)
    """Each workload's generation after the last template change, by uid: scaling makes no pod outdated."""
    _wanted: dict[tuple[str, Component], tuple[str, str]] = field(default_factory=dict)
    """The hash of each manifest and the inputs that it depends on: building a manifest is expensive."""
    _contested: dict[tuple[str, Component], tuple[str, int, Problem]] = field(default_factory=dict)
    _held: dict[tuple[str, Component], tuple[str, str | None]] = field(default_factory=dict)
    """The result of `held_back`, cached for the same reason."""

    async def reconcile(
        self, feed: Feed, component: Component, target: int, owner: Mapping[str, Any]
    ) -> Problem | None:
        """Reconcile one component one step towards `target` replicas. Returns the problem that blocks it.

        `owner` is the feed's body. Raises ApiError if a call fails, so that the caller retries later.
        """
        body = self.table.workloads.get((feed.name, component))
        if body is None:
            if target == 0:
                return None  # a new workload would start with one replica
            if problem := await self._foreign(feed, component, owner):
                return problem
        elif not _belongs(body, owner):
            return _not_ours(body, feed, component)
        shards = max(target, 1) if component == "generator" else 1
        if component == "generator" and body is not None:
            made_for = int(body["metadata"].get("annotations", {}).get(names.SHARD_COUNT, shards))
            if target == 0:
                shards = made_for
            elif made_for != shards and not _is_empty(body):
                # The shards change: all old generators must stop before a new one starts.
                return await self._scale(feed, component, 0, body)
        stamp = f"{owner['metadata']['uid']}/{owner['metadata']['generation']}/{shards}"
        known, digest = self._wanted.get((feed.name, component), ("", ""))
        if body is None or known != stamp or _hash(body) != digest or not self._is_unchanged(body):
            wanted = children.manifest(feed, component, self.templates[component], owner=owner, shards=shards)
            digest = _hash(wanted)
            if body is None or _hash(body) != digest or not self._is_unchanged(body):
                body = await self._apply(feed, component, wanted, names.MANAGER, force=True)
            self._wanted[feed.name, component] = (stamp, digest)
        return await self._scale(feed, component, target, body)

    def forget(self) -> None:
        """Drop the state of deleted workloads."""
        alive = {body["metadata"]["uid"] for body in self.table.workloads.values()}
        self._written = {uid: generation for uid, generation in self._written.items() if uid in alive}
        self._templated = {uid: at for uid, at in self._templated.items() if uid in alive}
        keys = self.table.workloads.keys()
        self._contested = {key: known for key, known in self._contested.items() if key in keys}
        self._wanted = {key: known for key, known in self._wanted.items() if key in keys}
        self._held = {key: known for key, known in self._held.items() if key in keys}

    def _is_unchanged(self, body: Mapping[str, Any]) -> bool:
        """Return whether the operator's last write is the newest change of the spec."""
        generation: int = body["metadata"]["generation"]
        return self._written.get(body["metadata"]["uid"]) == generation

    def observe(self, component: Component, owner: Mapping[str, Any]) -> Observed:
        """Return the pod counts of the feed's own workload; zeros if there is none or it has another owner.

        Until the Kubernetes controller has observed the newest template, its status counts earlier pods.
        """
        body = self._own(component, owner)
        if body is None:
            return Observed(replicas=0, ready=0, updated=0)
        status, metadata = body.get("status", {}), body["metadata"]
        newest = self._templated.get(metadata["uid"], metadata["generation"])
        seen = status.get("observedGeneration", 0) >= newest
        return Observed(
            replicas=status.get("replicas", 0),
            ready=status.get("readyReplicas", 0),
            updated=status.get("updatedReplicas", 0) if seen else 0,
        )

    def asked_for(self, component: Component, owner: Mapping[str, Any]) -> int | None:
        """Return the `spec.replicas` of the feed's workload, or None if there is no workload.

        Creating a workload takes two writes. Between them it has the API server's default, which counts as
        None.
        """
        body = self._own(component, owner)
        return _replicas(body) if body and conflicts.owners(body) else None

    def held_back(self, feed: Feed, component: Component, owner: Mapping[str, Any]) -> str | None:
        """Return the fields in which the workload differs from spec and template, or None."""
        body = self._own(component, owner)
        if body is None:
            return None
        shards = int(body["metadata"].get("annotations", {}).get(names.SHARD_COUNT, 1))
        stamp = f"{owner['metadata']['uid']}/{owner['metadata']['generation']}/{shards}/{_hash(body)}"
        known = self._held.get((feed.name, component))
        if known is None or known[0] != stamp:
            wanted = children.manifest(feed, component, self.templates[component], owner=owner, shards=shards)
            same = _hash(wanted) == _hash(body)
            known = (stamp, None if same else ", ".join(children.changes(wanted, body)))
            self._held[feed.name, component] = known
        return known[1]

    def _own(self, component: Component, owner: Mapping[str, Any]) -> Mapping[str, Any] | None:
        body = self.table.workloads.get((owner["metadata"]["name"], component))
        return body if body and _belongs(body, owner) else None

    async def _scale(
        self, feed: Feed, component: Component, target: int, body: Mapping[str, Any]
    ) -> Problem | None:
        """Apply `replicas`. Returns the problem of a conflict.

        After a conflict the write is repeated only if the workload, its field managers or the target changed.
        The managers count because handing the replicas back need not change the generation.
        """
        owners = conflicts.owners(body)
        if _replicas(body) == target and names.SCALER in owners:
            self._contested.pop((feed.name, component), None)
            return None
        key, generation = (feed.name, component), body["metadata"]["generation"]
        stamp = f"{body['metadata']['uid']}/{generation}/{','.join(sorted(owners))}"
        known = self._contested.get(key)
        if known and known[:2] == (stamp, target):
            return known[2]
        wanted = children.replicas(feed.name, component, self.namespace, target)
        try:
            await self._apply(feed, component, wanted, names.SCALER, force=False)
        except ApiError as error:
            if not conflicts.is_conflict(error):
                raise
            problem = conflicts.problem(
                error, feed.name, component, self.namespace, target=target, now=_replicas(body)
            )
            self._contested[key] = (stamp, target, problem)
            return problem
        self._contested.pop(key, None)
        return None

    async def _apply(
        self, feed: Feed, component: Component, body: Mapping[str, Any], manager: str, *, force: bool
    ) -> Mapping[str, Any]:
        path = names.workloads_path(self.namespace, component, names.workload(feed.name, component))
        # Read before the call, because the watch may deliver the new body before the reply.
        before = self.table.workloads.get((feed.name, component))
        answer = await self.api.apply(path, body, manager, force=force)
        uid, generation = answer["metadata"]["uid"], answer["metadata"]["generation"]
        self._written[uid] = generation
        changed = before is None or generation != before["metadata"]["generation"]
        if manager == names.MANAGER and (changed or uid not in self._templated):
            self._templated[uid] = generation
        self.table.saw_workload("MODIFIED", component, answer)
        return answer

    async def _foreign(self, feed: Feed, component: Component, owner: Mapping[str, Any]) -> Problem | None:
        """Return the problem if a workload of this name exists and has another owner.

        The operator never takes over such a workload.
        """
        name = names.workload(feed.name, component)
        try:
            found = await self.api.get(names.workloads_path(self.namespace, component, name))
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        if _belongs(found, owner):
            self.table.saw_workload("MODIFIED", component, found)
            return None
        return _not_ours(found, feed, component)


def is_transient(problem: Problem) -> bool:
    """Return whether the problem ends without intervention."""
    return problem.reason == "BeingCollected"


def is_contest(problem: Problem) -> bool:
    """Return whether another field manager owns the replicas, as opposed to other problems."""
    return problem.reason == "OtherFieldManager"


def _belongs(body: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    owners = [reference["uid"] for reference in body["metadata"].get("ownerReferences", [])]
    return owner["metadata"]["uid"] in owners


def _not_ours(body: Mapping[str, Any], feed: Feed, component: Component) -> Problem:
    """Return the problem of a workload that belongs to a deleted feed or to someone else."""
    name = f"{names.KINDS[component].kind} {names.workload(feed.name, component)}"
    if any(reference["kind"] == KIND for reference in body["metadata"].get("ownerReferences", [])):
        return Problem(reason="BeingCollected", message=f"{name} of an earlier feed is being deleted")
    text = f"{name} exists and does not belong to this feed; rename the feed or remove it"
    return Problem(reason="NameTaken", message=text)


def _is_empty(body: Mapping[str, Any]) -> bool:
    """Return whether no pod is left, according to a status that observes the newest spec."""
    status = body.get("status", {})
    newest = status.get("observedGeneration", 0) >= body["metadata"]["generation"]
    return _replicas(body) == 0 and newest and not status.get("replicas", 0)


def _replicas(body: Mapping[str, Any]) -> int:
    count: int = body["spec"].get("replicas", 1)
    return count


def _hash(body: Mapping[str, Any]) -> str:
    found: str = body["metadata"].get("annotations", {}).get(names.SPEC_HASH, "")
    return found
