"""200 feeds on a real API server and one operator: what it writes, holds in memory and computes."""

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
    """A namespace on a server of its own with its controllers: the counters are the whole server's."""
    with tempfile.TemporaryDirectory(prefix="deltastream-many-", ignore_cleanup_errors=True) as home:
        server_home, controllers_home = Path(home, "server"), Path(home, "controllers")
        server_home.mkdir()
        controllers_home.mkdir()
        with serving(server_home) as server:
            take_feeds(server)
            with controlling(server, controllers_home):
                yield new_namespace(server)


def settle(cluster: Cluster, operator: Operator) -> None:
    """Make the feeds, and return once the operator has told all that there is to tell of them."""
    for number in range(FEEDS):
        mode = ("Manual", "Automatic")[number % 2]
        cluster.make_feed(f"f-{number}", products=(f"P{number}",), mode=mode)
    wait_until(lambda: _settled(cluster) == FEEDS, "every feed is told to have its signals and pods", 300)
    wait_until(lambda: quiet(cluster, operator), "the Events of it are posted", 120)


def quiet(cluster: Cluster, operator: Operator) -> bool:
    """Whether nothing is written for two ticks of the operator."""
    before, ticks = written(cluster), operator.ticks()
    wait_until(lambda: operator.ticks() >= ticks + 2, "two ticks", 120)
    return written(cluster) == before


def written(cluster: Cluster) -> Counter[str]:
    """Writing calls, by resource and verb, that the API server has counted of what an operator may write."""
    found: Counter[str] = Counter()
    for line in _COUNTER.finditer(cluster.ask("GET", "/metrics")):
        labels = dict(_LABEL.findall(line["labels"]))
        if labels["resource"] in RESOURCES and labels["verb"] not in ("GET", "LIST", "WATCH"):
            found[f"{labels['verb']} {labels['resource']}/{labels['subresource']}"] += int(line["value"])
    return found


def observed(cluster: Cluster, name: str) -> int:
    """The generation that the status of a feed speaks of."""
    return int(cluster.ask("GET", f"{cluster.feeds}/{name}").get("status", {}).get("observedGeneration", 0))


def edit(cluster: Cluster, name: str, most: int) -> int:
    """Change a ceiling that no replicas depend on; the new generation."""
    body = cluster.merge(f"{cluster.feeds}/{name}", {"spec": {"enricher": {"maxReplicas": most}}})
    return int(body["metadata"]["generation"])


def resident_mib(pid: int, field: str = "VmRSS") -> float:
    """Resident memory of a process, now or at most."""
    (line,) = [each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if field in each]
    return int(line.split()[1]) / 1024


def processor_s(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _settled(cluster: Cluster) -> int:
    """Feeds whose signals are known and whose pods are counted: no kubelet will ever make them Ready."""
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
