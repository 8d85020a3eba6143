"""Errors in a feed are reported where its user looks for them, and other feeds are not affected."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest
from devcluster.kube import Cluster
from devcluster.release import CHART, NAME, install
from devcluster.waiting import wait_until

from tests.cluster.feeds import applied, condition, feed, ready

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def bystander(system: Cluster) -> Iterator[str]:
    """A valid feed that must not be affected."""
    with applied(system, feed("bystander", products=["QQQ"])) as name:
        ready(system, name)
        yield name


def _says(cluster: Cluster, name: str, *words: str) -> None:
    """Wait until the feed is not Ready and the condition contains all the words."""

    def reported() -> bool:
        found = condition(cluster, name, "Ready")
        return found.get("status") == "False" and all(word in found["message"] for word in words)

    try:
        wait_until(reported, f"{name} says {words}")
    except AssertionError:
        raise AssertionError(f"{name} says {condition(cluster, name, 'Ready')}, not {words}") from None


def _config_map(cluster: Cluster, name: str, **data: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
    cluster.apply(json.dumps(body))


def _replay(name: str, config_map: str) -> dict[str, object]:
    replay = {"configMapRef": {"name": config_map}, "asOf": "2024-06-21T15:30:00+05:30"}
    return feed(name, products=["NIFTY"], source={"replay": replay})


def test_a_malformed_recording_is_named_by_its_line(system: Cluster, bystander: str) -> None:
    """The generator's error message appears in the feed's condition."""
    _config_map(system, "torn", **{"recording.csv": "strike,nonsense\n1,2\n"})
    with applied(system, _replay("torn", "torn")) as name:
        _says(system, name, "recording.csv")
        ready(system, bystander, 5)


def test_a_config_map_that_does_not_exist_is_named(system: Cluster, bystander: str) -> None:
    """The pod cannot start. The feed's condition names the missing ConfigMap."""
    with applied(system, _replay("absent", "no-such-recording")) as name:
        _says(system, name, "no-such-recording")
        ready(system, bystander, 5)


def test_an_unknown_product_is_named(system: Cluster, bystander: str) -> None:
    """The product is valid by the schema, but the generator does not know it."""
    with applied(system, feed("odd", products=["PHLOGISTON"])) as name:
        _says(system, name, "PHLOGISTON")
        ready(system, bystander, 5)


def test_a_product_of_an_older_feed_is_refused_to_a_newer_one(system: Cluster, bystander: str) -> None:
    """The cache is keyed by product, so only one feed may make a product: the older one."""
    with applied(system, feed("rival", products=["QQQ"])) as name:
        _says(system, name, "QQQ", bystander)
        ready(system, bystander, 5)


def test_an_image_that_does_not_exist_is_named(system: Cluster, bystander: str) -> None:
    """Running feeds keep their pods and stay Ready. Stalled says why the rollout cannot proceed."""
    system.helm("upgrade", NAME, str(CHART), "--set=workerEnricher.image.tag=no-such-tag")

    def stalled() -> str:
        found = condition(system, bystander, "Stalled")
        return str(found.get("message")) if found.get("status") == "True" else ""

    try:
        wait_until(lambda: "no-such-tag" in stalled(), "Stalled names the image")
        ready(system, bystander, 5)
        pods = system.items("pods", f"--selector=deltastream.dev/feed={bystander}")
        conditions = [{c["type"]: c["status"] for c in pod["status"]["conditions"]} for pod in pods]
        assert [found.get("Ready") for found in conditions].count("True") == 2
    finally:
        install(system)
    wait_until(lambda: not stalled(), "the rollout proceeds")
    ready(system, bystander)


def test_a_secret_without_the_needed_key_is_named_by_an_event(system: Cluster, bystander: str) -> None:
    """The kubelet's event names the key. The old pod keeps serving."""
    keys = {"jwt_previous_secret": "", "client_analytics": "x"}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "half"}, "stringData": keys}
    system.apply(json.dumps(body))
    system.helm("upgrade", NAME, str(CHART), "--set=auth.existingSecret=half")
    try:

        def named() -> bool:
            events = system.items("events", "--field-selector=reason=FailedMount")
            return any("jwt_secret" in event["message"] for event in events)

        wait_until(named, "an event names jwt_secret")
        ready(system, bystander, 5)
    finally:
        install(system)


def test_a_redis_that_refuses_the_operators_password_is_reported_and_scales_nothing_down(
    system: Cluster, bystander: str
) -> None:
    """An unknown backlog does not count as zero: the feed keeps its replicas. MetricsAvailable says why."""
    secret = system.get("secret", f"{NAME}-redis")
    right = secret["data"]["operator_redis_url"]
    wrong = base64.b64encode(base64.b64decode(right).replace(b"@", b"x@", 1)).decode()
    patch = ("patch", "secret", f"{NAME}-redis", "--type=merge", "--patch")
    system.kubectl(*patch, json.dumps({"data": {"operator_redis_url": wrong}}))
    system.kubectl("rollout", "restart", f"deployment/{NAME}-operator")
    try:

        def refused() -> bool:
            found = condition(system, bystander, "MetricsAvailable")
            return found.get("status") == "False" and found["reason"] == "RedisRefusedLogin"

        wait_until(refused, "MetricsAvailable says so")
        assert system.get("deployment", f"{bystander}-enricher")["spec"]["replicas"] == 1
    finally:
        system.kubectl(*patch, json.dumps({"data": {"operator_redis_url": right}}))
        system.kubectl("rollout", "restart", f"deployment/{NAME}-operator")
        system.kubectl("rollout", "status", f"deployment/{NAME}-operator", "--timeout=60s")
    wait_until(
        lambda: condition(system, bystander, "MetricsAvailable").get("status") == "True",
        "it is well again",
        60,
    )
