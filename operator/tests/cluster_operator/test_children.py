"""Test the workload manifests that the operator builds from the chart's pod templates."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from devcluster.processes.operator_process import template
from tests.support.feeds import a_feed

from deltastream_operator.cluster.writing import children
from deltastream_operator.domain.feed import Component, ConfigMapRef, Feed, Kite, Replay
from deltastream_operator.kubernetes import names

OWNER = {"metadata": {"name": "a", "namespace": "market", "uid": "u-1"}}
TEMPLATES: dict[Component, dict[str, Any]] = {
    "generator": template("feed-generator", "generator"),
    "enricher": template("worker-enricher", "subscriber", "worker"),
}


def manifest(component: Component, feed: Feed | None = None, shards: int = 1) -> dict[str, Any]:
    """Return the manifest of a feed's workload. The default feed has two enrichers."""
    feed = feed or a_feed(replicas=2)
    return children.manifest(feed, component, TEMPLATES[component], owner=OWNER, shards=shards)


def environment(body: dict[str, Any], container: int = 0) -> dict[str, Any]:
    """Return a container's environment variables; None for a variable without a plain value."""
    spec = body["spec"]["template"]["spec"]["containers"][container]
    return {variable["name"]: variable.get("value") for variable in spec["env"]}


def test_the_manifest_never_contains_replicas() -> None:
    """The scaler is their field manager. An apply with replicas would take over the field by force."""
    assert all("replicas" not in manifest(component)["spec"] for component in TEMPLATES)
    scaled = children.replicas("a", "enricher", "market", 4)
    assert scaled["spec"] == {"replicas": 4}


def test_the_chart_s_template_is_not_modified() -> None:
    """All feeds share one template."""
    before = copy.deepcopy(TEMPLATES)
    manifest("generator")
    manifest("enricher")
    assert before == TEMPLATES


def test_pods_have_the_selector_s_and_the_release_s_labels() -> None:
    """Kubernetes refuses a workload whose selector does not match its pods."""
    for component in TEMPLATES:
        body = manifest(component)
        labels = body["spec"]["template"]["metadata"]["labels"]
        assert body["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert labels["app.kubernetes.io/instance"] == "test"
        assert labels["app.kubernetes.io/managed-by"] == "deltastream-operator"


def test_generators_take_their_shard_from_the_pod_ordinal() -> None:
    """A StatefulSet never runs two pods of one ordinal, so no two generators produce the same product."""
    body = manifest("generator", a_feed(products=3), shards=3)
    assert body["kind"] == "StatefulSet"
    assert body["spec"]["podManagementPolicy"] == "Parallel"
    assert environment(body)["SHARD_COUNT"] == "3"
    assert environment(body)["PRODUCTS"] == "P0,P1,P2"
    index = body["spec"]["template"]["spec"]["containers"][0]["env"][-1]
    field = {"fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}
    assert index == {"name": "SHARD_INDEX", "valueFrom": {"fieldRef": field}}


def test_both_enricher_containers_have_the_feed_and_the_concurrency() -> None:
    """The subscriber and the worker of a pod work on the same feed with the same concurrency."""
    body = manifest("enricher", a_feed(replicas=1, concurrency_per_replica=3))
    assert [environment(body, index) for index in (0, 1)] == [{"FEED": "a", "CONCURRENCY": "3"}] * 2


def test_the_configmap_of_a_recording_is_mounted() -> None:
    """The ConfigMap is mounted at /recording, and REPLAY_PATH names the file of its key."""
    source = Replay(config_map=ConfigMapRef(name="day", key="x.csv"), loop="Once")
    body = manifest("generator", replace(a_feed(), source=source))
    spec = body["spec"]["template"]["spec"]
    assert spec["volumes"] == [{"name": "recording", "configMap": {"name": "day"}}]
    mount = {"name": "recording", "mountPath": "/recording", "readOnly": True}
    assert spec["containers"][0]["volumeMounts"] == [mount]
    assert environment(body)["REPLAY_PATH"] == "/recording/x.csv"
    assert environment(body)["REPLAY_LOOP"] == "Once"
    assert "REPLAY_AS_OF" not in environment(body)


def test_the_secret_of_kite_is_mounted_so_that_a_new_token_needs_no_restart() -> None:
    """Variables of a running container never change, but files of a Secret do. Without it the pod starts.

    A feed may name any Secret of the namespace, so the pod gets these two keys of it and no other.
    """
    body = manifest("generator", replace(a_feed(), source=Kite(secret="kite")))
    spec = body["spec"]["template"]["spec"]
    items = [{"key": key, "path": key} for key in ("api-key", "access-token")]
    secret = {"secretName": "kite", "optional": True, "defaultMode": 0o440, "items": items}
    assert spec["volumes"] == [{"name": "credentials", "secret": secret}]
    mount = {"name": "credentials", "mountPath": "/credentials", "readOnly": True}
    assert spec["containers"][0]["volumeMounts"] == [mount]
    assert environment(body)["KITE_API_KEY_FILE"] == "/credentials/api-key"
    assert environment(body)["KITE_ACCESS_TOKEN_FILE"] == "/credentials/access-token"
    enricher = manifest("enricher", replace(a_feed(replicas=1), source=Kite(secret="kite")))
    assert "volumes" not in enricher["spec"]["template"]["spec"]


def test_the_hash_changes_exactly_when_the_manifest_changes() -> None:
    """Another concurrency changes the hash. The number of replicas does not, as it is not in the manifest."""
    digest = manifest("enricher")["metadata"]["annotations"][names.SPEC_HASH]
    same = manifest("enricher")["metadata"]["annotations"][names.SPEC_HASH]
    other = manifest("enricher", a_feed(replicas=2, concurrency_per_replica=2))
    more = manifest("enricher", a_feed(replicas=9))
    assert digest == same == more["metadata"]["annotations"][names.SPEC_HASH]
    assert digest != other["metadata"]["annotations"][names.SPEC_HASH]


def test_the_feed_s_variable_replaces_one_of_the_same_name_in_the_chart() -> None:
    """Server-side apply refuses a list of variables in which a name occurs twice."""
    template = copy.deepcopy(TEMPLATES["enricher"])
    for container in template["spec"]["containers"]:
        container["env"] = [{"name": "FEED", "value": "other"}, {"name": "TZ", "value": "UTC"}]
    body = children.manifest(a_feed(), "enricher", template, owner=OWNER, shards=1)
    for container in body["spec"]["template"]["spec"]["containers"]:
        assert [each["name"] for each in container["env"]] == ["TZ", "FEED", "CONCURRENCY"]
        assert {"name": "FEED", "value": "a"} in container["env"]


def test_a_topology_spread_without_a_selector_gets_the_feed_s_pods() -> None:
    """A constraint with a selector stays: the chart's user can spread the pods of all feeds together."""
    template = copy.deepcopy(TEMPLATES["enricher"])
    selected = {"labelSelector": {"matchLabels": {"app.kubernetes.io/component": "worker-enricher"}}}
    template["spec"]["topologySpreadConstraints"] = [{"maxSkew": 1}, {"maxSkew": 2, **selected}]
    pod = children.manifest(a_feed(), "enricher", template, owner=OWNER, shards=1)["spec"]["template"]
    own = {"matchLabels": names.selector("a", "enricher")}
    assert pod["spec"]["topologySpreadConstraints"] == [
        {"maxSkew": 1, "labelSelector": own},
        {"maxSkew": 2, **selected},
    ]
