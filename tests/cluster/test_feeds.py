"""The life of a feed from `kubectl apply` to `kubectl delete`, as its user sees it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from devcluster.kube import Cluster, Refused
from devcluster.waiting import wait_until

from tests.cluster.feeds import PLURAL, applied, children, condition, feed, patch, pods, ready, status

pytestmark = pytest.mark.timeout(300)


def test_an_applied_feed_runs_within_thirty_seconds_and_a_deleted_one_leaves_nothing(system: Cluster) -> None:
    """The pods are Running and the feed is Ready. After the deletion no child object is left."""
    with applied(system, feed("first")) as name:
        ready(system, name, 30)
        phases = [
            pod["status"]["phase"]
            for component in ("feed-generator", "worker-enricher")
            for pod in pods(system, name, component)
        ]
        assert phases == ["Running", "Running"]
        system.kubectl("delete", PLURAL, name, "--timeout=10s")
        wait_until(lambda: children(system, name) == [], "its children are collected")


def test_kubectl_scale_drives_the_enrichers_in_manual(system: Cluster) -> None:
    """The feed's scale subresource scales up and down."""
    with applied(system, feed("scaled")) as name:
        ready(system, name)
        for replicas in (3, 1):
            system.kubectl("scale", f"dsf/{name}", f"--replicas={replicas}")
            wait_until(
                lambda n=replicas: status(system, name)["enricher"]["readyReplicas"] == n,
                f"{replicas} enrichers are ready",
                60,
            )
            assert len(pods(system, name, "worker-enricher")) == replicas
        scale = system.kubectl(
            "get",
            "--raw",
            f"/apis/deltastream.dev/v1alpha1/namespaces/{system.namespace}/{PLURAL}/{name}/scale",
        )
        assert f"deltastream.dev/feed={name}" in scale


def test_a_feed_is_shown_with_its_mode_and_replicas(system: Cluster) -> None:
    """`kubectl get dsf` shows the important columns, and no value that changes every second."""
    with applied(system, feed("shown")) as name:
        ready(system, name)
        header, line = system.kubectl("get", "dsf", name).strip().splitlines()
        counts = ["GENERATORS", "ENRICHERS", "DESIRED"]
        assert header.split() == ["NAME", "MODE", "SOURCE", *counts, "READY", "CONNECTED", "AGE"]
        assert line.split()[:7] == [name, "Manual", "synthetic", "1", "1", "1", "True"]
        assert "REASON" in system.kubectl("get", "dsf", name, "--output=wide").splitlines()[0]
        assert name in system.kubectl("get", "deltastream")


def test_kubectl_explain_describes_every_field(system: Cluster) -> None:
    """Every field of an enricher has a description."""
    text = system.kubectl("explain", "dsf.spec.enricher")
    assert "concurrencyPerReplica" in text
    assert "<no description>" not in system.kubectl("explain", "dsf.spec", "--recursive=false")


def _spec(**changes: Any) -> dict[str, Any]:
    body = copy.deepcopy(feed("refused"))
    body["spec"] |= changes
    return body


REFUSED = {
    "no source": (_spec(source={}), "spec.source"),
    "two sources": (
        _spec(source={"synthetic": {"seed": 1}, "replay": {"configMapRef": {"name": "x"}}}),
        "spec.source",
    ),
    "min above max": (_spec(enricher={"replicas": 1, "minReplicas": 5, "maxReplicas": 2}), "minReplicas"),
    "no replicas in Manual": (_spec(enricher={"minReplicas": 1, "maxReplicas": 2}), "replicas"),
    "an unknown mode": (_spec(mode="Clever"), "spec.mode"),
    "no product": (_spec(products=[]), "spec.products"),
    "an unknown field": (_spec(enrichers={}), "enrichers"),
    "a product in lower case": (_spec(products=["nifty"]), "spec.products"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_feed_is_refused_with_the_name_of_the_field(system: Cluster, case: str) -> None:
    """The API server itself refuses it, before anything runs."""
    body, field = REFUSED[case]
    with pytest.raises(Refused) as refused, applied(system, body):
        pass
    assert field in str(refused.value)


def test_an_edit_is_observed_with_its_generation(system: Cluster) -> None:
    """observedGeneration says which spec the status describes. Ready waits for that spec's pods."""
    with applied(system, feed("edited")) as name:
        ready(system, name)
        patch(system, name, {"source": {"synthetic": {"messagesPerSecond": 30}}})
        generation = system.get(PLURAL, name)["metadata"]["generation"]
        wait_until(
            lambda: status(system, name).get("observedGeneration") == generation, "the edit is observed"
        )
        ready(system, name)
        (generator,) = pods(system, name, "feed-generator")
        variable = {"name": "MESSAGES_PER_SECOND", "value": "30"}
        assert variable in generator["spec"]["containers"][0]["env"], "Ready describes the new pod"


def test_a_paused_feed_is_not_changed_until_the_pause_ends(system: Cluster) -> None:
    """The operator writes nothing to its workloads while the annotation is set."""
    with applied(system, feed("paused")) as name:
        ready(system, name)
        system.kubectl("annotate", f"dsf/{name}", "deltastream.dev/paused=true")
        wait_until(lambda: condition(system, name, "Paused").get("status") == "True", "Paused is True")
        patch(system, name, {"enricher": {"replicas": 2}})
        generation = system.get(PLURAL, name)["metadata"]["generation"]
        wait_until(
            lambda: status(system, name).get("observedGeneration") == generation, "the edit is observed"
        )
        assert len(pods(system, name, "worker-enricher")) == 1
        system.kubectl("annotate", f"dsf/{name}", "deltastream.dev/paused-")
        wait_until(lambda: len(pods(system, name, "worker-enricher")) == 2, "the edit is applied")


def test_two_generators_never_make_the_same_product_when_their_number_changes(system: Cluster) -> None:
    """With more products than one generator can make, all old generators stop before the new ones start."""
    body = feed("sharded", products=["SPY", "QQQ"], generator={"minReplicas": 1, "maxReplicas": 2})
    with applied(system, body) as name:
        ready(system, name)
        old = {pod["metadata"]["uid"] for pod in pods(system, name, "feed-generator")}
        patch(system, name, {"generator": {"productsPerReplica": 1}})
        seen: list[set[str]] = []

        def divided() -> bool:
            uids = {pod["metadata"]["uid"] for pod in pods(system, name, "feed-generator")}
            seen.append(uids)
            return len(uids) == 2 and not uids & old

        wait_until(divided, "two generators share the products")
        assert not any(uids & old and uids - old for uids in seen)
        ready(system, name)
