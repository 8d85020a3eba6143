"""DeltaStreamFeeds of the tests: made, waited for, looked at, taken away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from devcluster.kube import Cluster, Refused
from devcluster.waiting import wait_until

API_VERSION, KIND, PLURAL = "deltastream.dev/v1alpha1", "DeltaStreamFeed", "deltastreamfeeds"


def feed(name: str, **spec: Any) -> dict[str, Any]:
    """A feed; `spec` over a small synthetic market in Manual with one enricher."""
    base: dict[str, Any] = {
        "mode": "Manual",
        "products": ["SPY"],
        "source": {"synthetic": {"seed": 7, "messagesPerSecond": 20}},
        "generator": {"minReplicas": 1, "maxReplicas": 1},
        "enricher": {"replicas": 1, "minReplicas": 0, "maxReplicas": 4},
    }
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": base | spec}


@contextmanager
def applied(cluster: Cluster, body: dict[str, Any]) -> Iterator[str]:
    """The feed in the cluster for the time of the block; its name. Gone with its pods afterwards."""
    name: str = body["metadata"]["name"]
    cluster.apply(json.dumps(body))
    try:
        yield name
    finally:
        cluster.kubectl("delete", PLURAL, name, "--ignore-not-found")
        wait_until(lambda: children(cluster, name) == [], f"nothing of {name} is left")


def children(cluster: Cluster, name: str) -> list[str]:
    """Everything that exists for a feed, as kind/name."""
    kinds = "deployments,statefulsets,replicasets,pods,controllerrevisions"
    found = cluster.items(kinds, f"--selector=deltastream.dev/feed={name}")
    return sorted(f"{item['kind']}/{item['metadata']['name']}" for item in found)


def pods(cluster: Cluster, name: str, component: str) -> list[dict[str, Any]]:
    """The pods of one component of a feed that are not on their way out."""
    selector = f"--selector=deltastream.dev/feed={name},app.kubernetes.io/component={component}"
    return [pod for pod in cluster.items("pods", selector) if "deletionTimestamp" not in pod["metadata"]]


def status(cluster: Cluster, name: str) -> dict[str, Any]:
    """The feed's status; empty before the operator's first visit."""
    found: dict[str, Any] = cluster.get(PLURAL, name).get("status", {})
    return found


def condition(cluster: Cluster, name: str, kind: str) -> dict[str, Any]:
    """One condition; empty if it is not there."""
    for found in status(cluster, name).get("conditions", []):
        if found["type"] == kind:
            return dict(found)
    return {}


def patch(cluster: Cluster, name: str, spec: dict[str, Any]) -> None:
    """Merge into the spec."""
    cluster.kubectl("patch", PLURAL, name, "--type=merge", "--patch", json.dumps({"spec": spec}))


def ready(cluster: Cluster, name: str, within_s: float = 60) -> None:
    """Wait as a user would; fails with the feed's conditions."""
    try:
        cluster.kubectl("wait", f"{PLURAL}/{name}", "--for=condition=Ready", f"--timeout={within_s:.0f}s")
    except Refused as refused:
        said = "\n".join(
            f"{c['type']}={c['status']} {c['reason']}: {c['message']}"
            for c in status(cluster, name).get("conditions", [])
        )
        raise AssertionError(f"{refused}\n{said or 'no conditions: is the operator running?'}") from None
