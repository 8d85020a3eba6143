"""A connection between two components opens exactly if the chart's table declares the call."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from devcluster.kube import Cluster
from devcluster.release import CHART, NAME

from tests.cluster.connecting import PYTHON, reaches
from tests.cluster.feeds import applied, feed, ready

pytestmark = pytest.mark.timeout(300)
PORTS = {
    "analytics": 8004,
    "api-gateway": 8000,
    "auth": 8001,
    "logging-service": 8005,
    "mongodb": 27017,
    "redis": 6379,
    "socket-gateway": 8002,
    "storage": 8003,
}
STORES = ("mongodb", "redis")  # their images have no Python
BASH = """
for target in "$@"; do
    IFS=, read -r name host port <<< "$target"
    timeout 3 bash -c "</dev/tcp/$host/$port" 2> /dev/null && echo "$name"
done
true
"""


def _values() -> dict[str, Any]:
    policy: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())["networkPolicy"]
    return policy


def _pods(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """One running pod of each component, by component."""
    selector = f"--selector=app.kubernetes.io/instance={NAME}"
    found = cluster.items("pods", selector, "--field-selector=status.phase=Running")
    return {pod["metadata"]["labels"]["app.kubernetes.io/component"]: pod for pod in found}


def _reaches(
    cluster: Cluster, source: str, pod: dict[str, Any], targets: list[tuple[str, str, int]]
) -> set[str]:
    """The names of the targets to which the pod can connect."""
    execute = ("exec", pod["metadata"]["name"], f"--container={pod['spec']['containers'][0]['name']}", "--")
    if source in STORES:
        flat = [f"{name},{host},{port}" for name, host, port in targets]
        return set(cluster.kubectl(*execute, "bash", "-c", BASH, "-", *flat).split())
    return reaches(cluster, pod, targets)


def test_connections_open_exactly_where_a_call_is_declared(system: Cluster) -> None:
    """The gateways accept any caller. Every other connection is refused or times out."""
    policy = _values()
    with applied(system, feed("wired")) as name:
        ready(system, name)
        pods = _pods(system)
        assert pods.keys() >= PORTS.keys() | {"operator", "feed-generator", "worker-enricher"}
        seen, declared = {}, {}
        for source, pod in sorted(pods.items()):
            targets = [
                (component, pods[component]["status"]["podIP"], port)
                for component, port in PORTS.items()
                if component != source  # a pod always reaches itself
            ]
            seen[source] = _reaches(system, source, pod, targets)
            declared[source] = set(policy["calls"].get(source, [])) - {source}
    assert seen == declared


def test_a_pod_without_the_labels_reaches_only_the_gateways(system: Cluster) -> None:
    """No policy restricts this pod's own traffic, so it is the other pods' policies that refuse it."""
    pods = _pods(system)
    image = pods["operator"]["spec"]["containers"][0]["image"]
    targets = [(component, pods[component]["status"]["podIP"], port) for component, port in PORTS.items()]
    client = "unauthorised-client"
    overrides = {
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": client,
                    "image": image,
                    "command": ["python", "-c", PYTHON, json.dumps(targets)],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        }
    }
    system.kubectl(
        "run", client, f"--image={image}", "--restart=Never", f"--overrides={json.dumps(overrides)}"
    )
    try:
        system.kubectl("wait", f"pod/{client}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
        opened = set(json.loads(system.kubectl("logs", client)))
    finally:
        system.kubectl("delete", "pod", client, "--now", "--ignore-not-found")
    assert opened == set(_values()["open"])
