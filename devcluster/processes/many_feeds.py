"""Measure one operator with 200 feeds on a real API server: its writes, memory and CPU time."""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devcluster.processes.api_server import controlling, serving, take_feeds
from devcluster.processes.operator_process import Cluster, Operator, new_namespace
from devcluster.waiting import wait_until

FEEDS = 200
RESOURCES = ("deltastreamfeeds", "deployments", "statefulsets", "pods", "events")
_COUNTER = re.compile(r"^apiserver_request_total\{(?P<labels>.*)\} (?P<value>\S+)", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@contextmanager
def own_cluster() -> Iterator[Cluster]:
    """Yield a namespace on a new API server with controllers.

    The server is not shared, because its request counters cover all its clients.
    """
    with tempfile.TemporaryDirectory(prefix="deltastream-many-", ignore_cleanup_errors=True) as home:
        server_home, controllers_home = Path(home, "server"), Path(home, "controllers")
        server_home.mkdir()
        controllers_home.mkdir()
        with serving(server_home) as server:
            take_feeds(server)
            with controlling(server, controllers_home):
                yield new_namespace(server)


def settle(cluster: Cluster, operator: Operator) -> None:
    """Create the feeds, and return once the operator has reported all statuses and Events."""
    for number in range(FEEDS):
        mode = ("Manual", "Automatic")[number % 2]
        cluster.make_feed(f"f-{number}", products=(f"P{number}",), mode=mode)
    wait_until(lambda: _settled(cluster) == FEEDS, "every feed's status reports signals and pods", 300)
    wait_until(lambda: quiet(cluster, operator), "all Events are posted", 120)


def quiet(cluster: Cluster, operator: Operator) -> bool:
    """Return whether the operator writes nothing during two of its ticks."""
    before, ticks = written(cluster), operator.ticks()
    wait_until(lambda: operator.ticks() >= ticks + 2, "two ticks", 120)
    return written(cluster) == before


def written(cluster: Cluster) -> Counter[str]:
    """Return the API server's count of write requests, by verb and resource, for the operator's resources."""
    found: Counter[str] = Counter()
    for line in _COUNTER.finditer(cluster.ask("GET", "/metrics")):
        labels = dict(_LABEL.findall(line["labels"]))
        if labels["resource"] in RESOURCES and labels["verb"] not in ("GET", "LIST", "WATCH"):
            found[f"{labels['verb']} {labels['resource']}/{labels['subresource']}"] += int(line["value"])
    return found


def observed(cluster: Cluster, name: str) -> int:
    """Return the `observedGeneration` of a feed's status; 0 if it has none."""
    return int(cluster.ask("GET", f"{cluster.feeds}/{name}").get("status", {}).get("observedGeneration", 0))


def edit(cluster: Cluster, name: str, most: int) -> int:
    """Change `maxReplicas` without an effect on the replicas. Returns the new generation."""
    body = cluster.merge(f"{cluster.feeds}/{name}", {"spec": {"enricher": {"maxReplicas": most}}})
    return int(body["metadata"]["generation"])


def resident_mib(pid: int, field: str = "VmRSS") -> float:
    """Return the resident memory of a process in MiB: now (`VmRSS`) or at its peak (`VmHWM`)."""
    (line,) = [each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if field in each]
    return int(line.split()[1]) / 1024


def processor_s(pid: int) -> float:
    """Return the CPU time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _settled(cluster: Cluster) -> int:
    """Return the number of feeds whose status reports signals and pods.

    Readiness is not part of it: without a kubelet, pods never become Ready.
    """
    found = 0
    for body in cluster.ask("GET", cluster.feeds)["items"]:
        status = body.get("status", {})
        conditions = {each["type"]: each["status"] for each in status.get("conditions", [])}
        counted = all(
            status.get(component, {}).get("replicas") == status.get(component, {}).get("desiredReplicas")
            for component in ("generator", "enricher")
        )
        found += conditions.get("MetricsAvailable") == "True" and counted
    return found
