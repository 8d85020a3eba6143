"""What 200 feeds cost an operator that has nothing to do: bounded memory and no write at all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.api_server import controlling, serving, take_feeds
from tests.support.operator_process import Cluster, Operator, new_namespace
from tests.support.stores import wait_until

FEEDS = 200
EDITS = 20
TICKS = 4
RSS_MAX_MIB = 120
RESOURCES = ("deltastreamfeeds", "deployments", "statefulsets", "pods", "events")
_COUNTER = re.compile(r"^apiserver_request_total\{(?P<labels>.*)\} (?P<value>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def written(cluster: Cluster) -> Counter[str]:
    """Writing calls, by resource and verb, that the API server has counted of what an operator may write."""
    found: Counter[str] = Counter()
    for line in _COUNTER.finditer(cluster.ask("GET", "/metrics")):
        labels = dict(_LABEL.findall(line["labels"]))
        if labels["resource"] in RESOURCES and labels["verb"] not in ("GET", "LIST", "WATCH"):
            found[f"{labels['verb']} {labels['resource']}/{labels['subresource']}"] += int(line["value"])
    return found


def resident_mib(pid: int) -> float:
    """Resident memory of a process."""
    (line,) = [each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in each]
    return int(line.split()[1]) / 1024


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """On a server of its own with its controllers: the counters are the whole server's."""
    with serving(tmp_path_factory.mktemp("server")) as server:
        take_feeds(server)
        with controlling(server, tmp_path_factory.mktemp("controllers")):
            yield new_namespace(server)


@pytest.mark.timeout(300)
def test_two_hundred_idle_feeds_cost_little_and_nothing_is_written(
    cluster: Cluster, make_operator: Callable[[], Operator], redis_url: str
) -> None:
    """Rule: signals are read every tick from a real Redis, and no news is no write."""
    operator = make_operator()
    operator.environ["REDIS_URL"] = redis_url
    operator.start()
    for number in range(FEEDS):
        mode = ("Manual", "Automatic")[number % 2]
        cluster.make_feed(f"f-{number}", products=(f"P{number}",), mode=mode)
    wait_until(lambda: _settled(cluster) == FEEDS, "every feed is told to have its signals and pods", 200)
    wait_until(lambda: _quiet(cluster, operator), "the Events of it are posted", 60)
    assert operator.process
    before, ticks = written(cluster), operator.ticks()
    assert before.total() > 3 * FEEDS, "two workloads and a status each: the counter counts them"
    wait_until(lambda: operator.ticks() >= ticks + TICKS, "it has looked at all of them again and again", 200)
    assert written(cluster) - before == Counter()
    assert resident_mib(operator.process.pid) <= RSS_MAX_MIB


def test_each_edit_is_one_write_of_the_status(
    cluster: Cluster, make_operator: Callable[[], Operator]
) -> None:
    """Rule: an edit that changes no workload is answered by one write, whatever the machine's speed."""
    operator = make_operator()
    operator.start()
    cluster.make_feed("edited", mode="Manual", enricher={"replicas": 1, "maxReplicas": 5})
    wait_until(lambda: cluster.status("edited").get("enricher", {}).get("replicas") == 1, "pods are counted")
    wait_until(lambda: _quiet(cluster, operator), "the first decisions are written")
    before = written(cluster)
    for number in range(EDITS):
        edit = {"spec": {"enricher": {"maxReplicas": 10 + number}}}
        generation = cluster.merge(f"{cluster.feeds}/edited", edit)["metadata"]["generation"]
        wait_until(lambda g=generation: cluster.status("edited").get("observedGeneration") == g, "observed")  # type: ignore[misc]
    wait_until(lambda: _quiet(cluster, operator), "nothing follows")
    assert written(cluster) - before == Counter(
        {"PATCH deltastreamfeeds/": EDITS, "PATCH deltastreamfeeds/status": EDITS}
    )


def _quiet(cluster: Cluster, operator: Operator) -> bool:
    """Whether nothing is written for two ticks."""
    before, ticks = written(cluster), operator.ticks()
    wait_until(lambda: operator.ticks() >= ticks + 2, "two ticks pass")
    return written(cluster) == before


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
