"""Workloads from the chart's pod templates, checked without a cluster."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from devcluster.processes.operator_process import template
from tests.support.feeds import a_feed

from deltastream_operator.cluster.writing import children
from deltastream_operator.domain.feed import Component, ConfigMapRef, Feed, Replay
from deltastream_operator.kubernetes import names

OWNER = {"metadata": {"name": "a", "namespace": "market", "uid": "u-1"}}
TEMPLATES: dict[Component, dict[str, Any]] = {
    "generator": template("feed-generator", "generator"),
    "enricher": template("worker-enricher", "subscriber", "worker"),
}


def made(component: Component, feed: Feed | None = None, shards: int = 1) -> dict[str, Any]:
    """The workload of a feed, the usual one unless another is given."""
    wanted = feed or a_feed(replicas=2)
    return children.manifest(wanted, component, TEMPLATES[component], owner=OWNER, shards=shards)


def environment(body: dict[str, Any], container: int = 0) -> dict[str, Any]:
    """A container's variables that have a plain value."""
    spec = body["spec"]["template"]["spec"]["containers"][container]
    return {variable["name"]: variable.get("value") for variable in spec["env"]}


def test_replicas_are_never_in_what_the_operator_applies() -> None:
    """Rule: the other manager owns them; naming them here would take them over by force."""
    assert all("replicas" not in made(component)["spec"] for component in TEMPLATES)
    scaled = children.replicas("a", "enricher", "market", 4)
    assert scaled["spec"] == {"replicas": 4}


def test_the_chart_s_template_is_not_touched() -> None:
    """Rule: one template serves all feeds."""
    before = copy.deepcopy(TEMPLATES)
    made("generator")
    made("enricher")
    assert before == TEMPLATES


def test_pods_carry_what_the_selector_selects() -> None:
    """Rule: selector, pod labels and the labels of the release."""
    for component in TEMPLATES:
        body = made(component)
        labels = body["spec"]["template"]["metadata"]["labels"]
        assert body["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert labels["app.kubernetes.io/instance"] == "test"
        assert labels["app.kubernetes.io/managed-by"] == "deltastream-operator"


def test_generators_know_their_shard_from_their_ordinal() -> None:
    """Rule: an ordinal never runs twice, so no product is made twice."""
    body = made("generator", a_feed(products=3), shards=3)
    assert body["kind"] == "StatefulSet"
    assert body["spec"]["podManagementPolicy"] == "Parallel"
    assert environment(body)["SHARD_COUNT"] == "3"
    assert environment(body)["PRODUCTS"] == "P0,P1,P2"
    index = body["spec"]["template"]["spec"]["containers"][0]["env"][-1]
    field = {"fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}
    assert index == {"name": "SHARD_INDEX", "valueFrom": {"fieldRef": field}}


def test_both_enricher_containers_know_the_feed() -> None:
    """Rule: the pair works on the same feed with the same concurrency."""
    body = made("enricher", a_feed(replicas=1, concurrency_per_replica=3))
    assert [environment(body, index) for index in (0, 1)] == [{"FEED": "a", "CONCURRENCY": "3"}] * 2


def test_a_recording_is_mounted_and_named() -> None:
    """Rule: the ConfigMap under /recording, the file its key."""
    source = Replay(config_map=ConfigMapRef(name="day", key="x.csv"), loop="Once")
    body = made("generator", replace(a_feed(), source=source))
    spec = body["spec"]["template"]["spec"]
    assert spec["volumes"] == [{"name": "recording", "configMap": {"name": "day"}}]
    mount = {"name": "recording", "mountPath": "/recording", "readOnly": True}
    assert spec["containers"][0]["volumeMounts"] == [mount]
    assert environment(body)["REPLAY_PATH"] == "/recording/x.csv"
    assert environment(body)["REPLAY_LOOP"] == "Once"
    assert "REPLAY_AS_OF" not in environment(body)


def test_the_hash_moves_with_what_is_applied_and_only_with_it() -> None:
    """Rule: the same feed makes the same hash; another rate makes another."""
    digest = made("enricher")["metadata"]["annotations"][names.SPEC_HASH]
    same = made("enricher")["metadata"]["annotations"][names.SPEC_HASH]
    other = made("enricher", a_feed(replicas=2, concurrency_per_replica=2))
    more = made("enricher", a_feed(replicas=9))
    assert digest == same == more["metadata"]["annotations"][names.SPEC_HASH]
    assert digest != other["metadata"]["annotations"][names.SPEC_HASH]


def test_a_variable_of_the_feed_s_comes_once_whatever_the_chart_s_user_sets() -> None:
    """Rule: server-side apply refuses a name that comes twice, so the feed's own replaces it."""
    template = copy.deepcopy(TEMPLATES["enricher"])
    for container in template["spec"]["containers"]:
        container["env"] = [{"name": "FEED", "value": "other"}, {"name": "TZ", "value": "UTC"}]
    body = children.manifest(a_feed(), "enricher", template, owner=OWNER, shards=1)
    for container in body["spec"]["template"]["spec"]["containers"]:
        assert [each["name"] for each in container["env"]] == ["TZ", "FEED", "CONCURRENCY"]
        assert {"name": "FEED", "value": "a"} in container["env"]


def test_a_spread_counts_the_feed_s_pods_unless_it_says_which() -> None:
    """Rule: the chart's user may spread the pods of all feeds together."""
    template = copy.deepcopy(TEMPLATES["enricher"])
    told = {"labelSelector": {"matchLabels": {"app.kubernetes.io/component": "worker-enricher"}}}
    template["spec"]["topologySpreadConstraints"] = [{"maxSkew": 1}, {"maxSkew": 2, **told}]
    pod = children.manifest(a_feed(), "enricher", template, owner=OWNER, shards=1)["spec"]["template"]
    own = {"matchLabels": names.selector("a", "enricher")}
    assert pod["spec"]["topologySpreadConstraints"] == [
        {"maxSkew": 1, "labelSelector": own},
        {"maxSkew": 2, **told},
    ]
