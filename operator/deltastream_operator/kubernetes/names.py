"""Every name, label and path that the operator shares with the cluster (docs/kubernetes.md)."""

from __future__ import annotations

from dataclasses import dataclass

from deltastream_operator.domain.feed import API_VERSION, Component

GROUP, VERSION = API_VERSION.split("/")
PLURAL = "deltastreamfeeds"
FEED_LABEL = f"{GROUP}/feed"
COMPONENT_LABEL = "app.kubernetes.io/component"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGER, SCALER = "deltastream-operator", "deltastream-scaler"
SPEC_HASH = f"{GROUP}/spec-hash"
SHARD_COUNT = f"{GROUP}/shard-count"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A workload of a component: which API object it is and how its pods are labelled."""

    kind: str
    plural: str
    label: str


KINDS: dict[Component, Kind] = {
    "generator": Kind(kind="StatefulSet", plural="statefulsets", label="feed-generator"),
    "enricher": Kind(kind="Deployment", plural="deployments", label="worker-enricher"),
}


def workload(feed: str, component: Component) -> str:
    """Name of a feed's Deployment or StatefulSet."""
    return f"{feed}-{component}"


def selector(feed: str, component: Component) -> dict[str, str]:
    """Labels that select a component's pods; they can never change."""
    return {FEED_LABEL: feed, COMPONENT_LABEL: KINDS[component].label}


def feeds_path(namespace: str, name: str = "", subresource: str = "") -> str:
    """API path of the feeds of a namespace, of one, or of its subresource."""
    return "/".join(filter(None, (f"/apis/{API_VERSION}/namespaces/{namespace}/{PLURAL}", name, subresource)))


def workloads_path(namespace: str, component: Component, name: str = "") -> str:
    """API path of the workloads of a component in a namespace, or of one."""
    return "/".join(filter(None, (f"/apis/apps/v1/namespaces/{namespace}/{KINDS[component].plural}", name)))


def core_path(namespace: str, plural: str, name: str = "") -> str:
    """API path of core objects: pods, events."""
    return "/".join(filter(None, (f"/api/v1/namespaces/{namespace}/{plural}", name)))
