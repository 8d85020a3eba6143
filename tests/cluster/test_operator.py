"""The operator under edits, a kill, an unavailable API server, and other clients that change its objects."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from devcluster.kube import Cluster
from devcluster.node.machine import Machine
from devcluster.waiting import wait_until
from kubernetes import client as k8s
from kubernetes import config, watch

from tests.cluster.feeds import API_VERSION, PLURAL, applied, condition, feed, patch, pods, ready, status

pytestmark = pytest.mark.timeout(300)
GROUP, VERSION = API_VERSION.split("/")
EDITS = 50


@pytest.fixture(scope="module")
def api(system: Cluster) -> k8s.CustomObjectsApi:
    return k8s.CustomObjectsApi(config.new_client_from_config(str(system.kubeconfig)))


def test_each_edit_is_observed_once_and_in_order(system: Cluster, api: k8s.CustomObjectsApi) -> None:
    """Every generation is observed once and in order. `make bench-operator` measures how fast."""
    where = (GROUP, VERSION, system.namespace, PLURAL)
    with applied(system, feed("quick")) as name:
        ready(system, name)
        edited, observed = [], []
        for number in range(EDITS):
            version = api.get_namespaced_custom_object(*where, name)["metadata"]["resourceVersion"]
            body = {"spec": {"enricher": {"maxReplicas": 10 + number}}}
            edited.append(api.patch_namespaced_custom_object(*where, name, body)["metadata"]["generation"])
            stream = watch.Watch().stream(
                api.list_namespaced_custom_object,
                *where,
                field_selector=f"metadata.name={name}",
                resource_version=version,
                timeout_seconds=60,
            )
            for event in stream:
                seen = event["object"].get("status", {}).get("observedGeneration")
                if seen not in (None, *observed[-1:], edited[0] - 1):
                    observed.append(seen)
                if seen == edited[-1]:
                    break
    assert observed == edited


def _workloads(cluster: Cluster, name: str) -> dict[str, tuple[int, int]]:
    """Generation and replicas of every workload of a feed: any change would show in them."""
    found = cluster.items("deployments,statefulsets", f"--selector=deltastream.dev/feed={name}")
    return {
        f"{item['kind']}/{item['metadata']['name']}": (
            item["metadata"]["generation"],
            item["spec"]["replicas"],
        )
        for item in found
    }


def _operator_pods(cluster: Cluster) -> list[str]:
    found = cluster.items("pods", "--selector=app.kubernetes.io/component=operator")
    return [pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]]


def test_a_killed_operator_resumes_and_its_death_changes_nothing(system: Cluster) -> None:
    """The operator is killed with -9 while a feed runs. An edit made meanwhile is applied."""
    with applied(system, feed("survivor", enricher={"replicas": 2, "maxReplicas": 4})) as name:
        ready(system, name)
        before = _workloads(system, name)
        (victim,) = _operator_pods(system)
        system.kubectl("exec", victim, "--", "python", "-c", "import os; os.kill(1, 9)")
        system.kubectl("delete", "pod", victim, "--grace-period=0", "--force")
        assert _workloads(system, name) == before
        patch(system, name, {"enricher": {"replicas": 3}})
        generation = system.get(PLURAL, name)["metadata"]["generation"]
        wait_until(lambda: status(system, name)["observedGeneration"] == generation, "it decides again")
        after = _workloads(system, name)
        assert after.pop(f"Deployment/{name}-enricher")[1] == 3
        assert after == {key: value for key, value in before.items() if key in after}


@contextmanager
def _api_server_unavailable(machine: Machine) -> Iterator[None]:
    """Block the API server for pods, on old and new connections. The tests can still reach it."""
    rule = ["INPUT", "-i", "cni0", "-p", "tcp", "--dport", "6443", "-j", "DROP"]
    subprocess.run(machine.inside(["iptables", "--insert", *rule]), check=True)
    try:
        yield
    finally:
        subprocess.run(machine.inside(["iptables", "--delete", *rule]), check=True)


def test_an_edit_made_while_the_api_server_is_unavailable_is_applied_later(
    system: Cluster, machine: Machine
) -> None:
    """The API server is unavailable for 15 seconds. kopf alone would never process this edit."""
    with applied(system, feed("patient")) as name:
        ready(system, name)
        with _api_server_unavailable(machine):
            until = time.monotonic() + 15
            patch(system, name, {"enricher": {"replicas": 2}})
            wait_until(lambda: time.monotonic() > until, "15 s are over")
            assert len(pods(system, name, "worker-enricher")) == 1
        wait_until(
            lambda: system.get("deployment", f"{name}-enricher")["spec"]["replicas"] == 2, "carried out"
        )


def test_another_client_that_sets_replicas_is_named_and_not_overridden(system: Cluster) -> None:
    """After `kubectl scale` of an owned Deployment, ReplicasContested names the field manager."""
    with applied(system, feed("contested")) as name:
        ready(system, name)
        system.kubectl("scale", f"deployment/{name}-enricher", "--replicas=2")
        wait_until(
            lambda: condition(system, name, "ReplicasContested").get("status") == "True", "it is noticed"
        )
        assert "kubectl" in condition(system, name, "ReplicasContested")["message"]
        assert system.get("deployment", f"{name}-enricher")["spec"]["replicas"] == 2
