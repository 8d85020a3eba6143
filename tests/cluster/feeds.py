"""Create, inspect, wait for and delete the DeltaStreamFeeds of the tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from devcluster.kube import Cluster, Refused
from devcluster.waiting import wait_until

API_VERSION, KIND, PLURAL = "deltastream.dev/v1alpha1", "DeltaStreamFeed", "deltastreamfeeds"


def feed(name: str, **spec: Any) -> dict[str, Any]:
    """A DeltaStreamFeed: a small synthetic market in mode Manual with one enricher, overridden by `spec`."""
    base: dict[str, Any] = {
        "mode": "Manual",
        "products": ["SPY"],
        "source": {"synthetic": {"seed": 7, "messagesPerSecond": 20}},
        "generator": {"minReplicas": 1, "maxReplicas": 1},
        "enricher": {"replicas": 1, "minReplicas": 0, "maxReplicas": 4},
    }
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": base | spec}


def idle(name: str) -> dict[str, Any]:
    """A feed of AAPL without processes, for a backlog that exists before its first enricher.

    A running enricher could empty the stream before the operator reads it. In mode Automatic the feed may
    have three enrichers, and takes them for a backlog of more than a second.
    """
    target = {"utilizationPercent": 70, "catchUpSeconds": 1}
    return feed(
        name,
        products=["AAPL"],
        generator={"minReplicas": 0, "maxReplicas": 0},
        enricher={"replicas": 0, "minReplicas": 1, "maxReplicas": 3, "target": target},
    )


@contextmanager
def applied(cluster: Cluster, body: dict[str, Any]) -> Iterator[str]:
    """Apply the feed for the time of the block, and yield its name. Afterwards delete it and its pods."""
    name: str = body["metadata"]["name"]
    cluster.apply(json.dumps(body))
    try:
        yield name
    finally:
        cluster.kubectl("delete", PLURAL, name, "--ignore-not-found")
        wait_until(lambda: children(cluster, name) == [], f"nothing of {name} is left")


def children(cluster: Cluster, name: str) -> list[str]:
    """All objects that belong to a feed, as kind/name."""
    kinds = "deployments,statefulsets,replicasets,pods,controllerrevisions"
    found = cluster.items(kinds, f"--selector=deltastream.dev/feed={name}")
    return sorted(f"{item['kind']}/{item['metadata']['name']}" for item in found)


def pods(cluster: Cluster, name: str, component: str) -> list[dict[str, Any]]:
    """The pods of one component of a feed, without those that are being deleted."""
    selector = f"--selector=deltastream.dev/feed={name},app.kubernetes.io/component={component}"
    return [pod for pod in cluster.items("pods", selector) if "deletionTimestamp" not in pod["metadata"]]


def status(cluster: Cluster, name: str) -> dict[str, Any]:
    """The feed's status; empty before the operator first reconciles it."""
    found: dict[str, Any] = cluster.get(PLURAL, name).get("status", {})
    return found


def condition(cluster: Cluster, name: str, kind: str) -> dict[str, Any]:
    """The feed's condition of this type; empty if the feed has none."""
    for found in status(cluster, name).get("conditions", []):
        if found["type"] == kind:
            return dict(found)
    return {}


def patch(cluster: Cluster, name: str, spec: dict[str, Any]) -> None:
    """Merge a patch into the feed's spec."""
    cluster.kubectl("patch", PLURAL, name, "--type=merge", "--patch", json.dumps({"spec": spec}))


def ready(cluster: Cluster, name: str, within_s: float = 60) -> None:
    """Wait until the feed is Ready, with `kubectl wait` as a user would. A failure shows its conditions."""
    try:
        cluster.kubectl("wait", f"{PLURAL}/{name}", "--for=condition=Ready", f"--timeout={within_s:.0f}s")
    except Refused as refused:
        state = "\n".join(
            f"{c['type']}={c['status']} {c['reason']}: {c['message']}"
            for c in status(cluster, name).get("conditions", [])
        )
        raise AssertionError(f"{refused}\n{state or 'no conditions: is the operator running?'}") from None
