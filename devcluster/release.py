"""Install and test the product on a cluster: one Helm release in its own namespace, as a user installs it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from devcluster.kube import Cluster, Refused

ROOT = Path(__file__).resolve().parents[1]
CHART = ROOT / "charts" / "deltastream"
SAMPLES = ROOT / "k8s" / "samples"
SELF_CONTAINED = "deltastream.dev/needs!=internet"
"""Selects the samples that no exchange is needed for."""
NAME = "deltastream"
GATEWAYS = {"api-gateway": 8000, "socket-gateway": 8002}


def namespace(cluster: Cluster, name: str) -> Cluster:
    """Create the namespace if absent, with Pod Security level `restricted`, and return its Cluster."""
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    cluster.apply(json.dumps(body))
    return cluster.within(name)


def install(cluster: Cluster, *options: str, within: str = "300s") -> None:
    """Run `helm upgrade --install` and wait until every pod is Ready.

    Raises Refused with the pods that are not Ready and the reasons.
    """
    try:
        # Without --reset-values an upgrade without values keeps those of the previous installation.
        chart = ("upgrade", "--install", NAME, str(CHART), "--reset-values")
        cluster.helm(*chart, "--wait", f"--timeout={within}", *options)
    except Refused as refused:
        raise Refused(f"{refused}\n{unready(cluster)}") from None


def for_page(ports: Mapping[str, int]) -> list[str]:
    """Return Helm's options for the page over port-forwards. `ports`: the loopback port of each gateway."""
    origins = ",".join(f"http://{host}:{ports['api-gateway']}" for host in ("127.0.0.1", "localhost"))
    return [
        f"--set=apiGateway.socketUrl=:{ports['socket-gateway']}",
        f"--set=socketGateway.corsOrigins={{{origins}}}",
    ]


def unready(cluster: Cluster) -> str:
    """Return text for diagnosis: the pods that are not Ready, the kubelet's reasons and the last warnings."""
    lines = []
    for pod in cluster.items("pods"):
        conditions = {c["type"]: c["status"] for c in pod["status"].get("conditions", [])}
        if conditions.get("Ready") == "True" or pod["status"].get("phase") == "Succeeded":
            continue
        name = pod["metadata"]["name"]
        for state in pod["status"].get("containerStatuses", []):
            current = state["state"].get("waiting") or state["state"].get("terminated") or {}
            last = state.get("lastState", {}).get("terminated", {})
            lines.append(f"pod {name}, {state['name']}: {current.get('reason', 'running, not ready')}")
            lines += [f"  {text[-500:]}" for text in (current.get("message"), last.get("message")) if text]
    events = cluster.items("events", "--field-selector=type=Warning", "--sort-by=.lastTimestamp")
    for event in events[-8:]:
        about = event["involvedObject"]
        lines.append(f"event {about['kind']}/{about['name']} {event['reason']}: {event['message'][:300]}")
    return "\n".join(lines)


def smoke(cluster: Cluster) -> str:
    """Run `helm test` and return the logs of its Jobs. Raises Refused with the logs if a Job fails."""
    failure: Refused | None = None
    try:
        cluster.helm("test", NAME, "--timeout=300s")
    except Refused as refused:
        failure = refused
    # `helm test --logs` fails for Jobs, so read the logs of the test hooks' Jobs with kubectl.
    jobs = [job["metadata"] for job in cluster.items("jobs", f"--selector=app.kubernetes.io/instance={NAME}")]
    tests = [job["name"] for job in jobs if "test" in job.get("annotations", {}).get("helm.sh/hook", "")]
    logs = [cluster.kubectl("logs", f"job/{name}", "--all-containers") for name in tests]
    if failure:
        raise Refused("\n".join([str(failure), *logs]))
    return "\n".join(logs)
