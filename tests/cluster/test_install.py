"""Install, upgrade, uninstall and reinstall of the release on a real node, with Pod Security `restricted`."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from devcluster.kube import Cluster, Refused
from devcluster.release import NAME, install, smoke
from devcluster.waiting import wait_until

from tests.cluster.data import secret

pytestmark = pytest.mark.timeout(600)
COMPONENTS = {
    "analytics",
    "api-gateway",
    "auth",
    "logging-service",
    "mongodb",
    "operator",
    "redis",
    "socket-gateway",
    "storage",
}
ACCOUNT = {"email": "desk@example.com", "password": "correct horse battery"}


def _pods(cluster: Cluster) -> dict[str, str]:
    """The uid of each long-running pod, by the pod's name."""
    found = cluster.items(
        "pods", f"--selector=app.kubernetes.io/instance={NAME}", "--field-selector=status.phase=Running"
    )
    return {
        pod["metadata"]["name"]: pod["metadata"]["uid"]
        for pod in found
        if "deletionTimestamp" not in pod["metadata"]
    }


def _post(port: int, path: str, body: dict[str, str]) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def _status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_defaults_install_into_a_restricted_namespace_and_every_pod_is_ready(
    system: Cluster, installed_pods: list[dict[str, Any]]
) -> None:
    """The fixture runs `helm install --wait --timeout 120s`. This test checks the pods right after it."""
    enforced = system.get("namespace", NAME)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    assert enforced == "restricted"
    components = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in installed_pods}
    assert components >= COMPONENTS
    for pod in installed_pods:
        name, states = pod["metadata"]["name"], pod["status"]["containerStatuses"]
        of_a_job = pod["metadata"]["ownerReferences"][0]["kind"] == "Job"  # it may be ending
        assert of_a_job or all(state["ready"] for state in states), name
        assert sum(state["restartCount"] for state in states) == 0, name


def test_helm_test_sends_a_chain_through_and_reads_it_at_both_gateways(system: Cluster) -> None:
    """This runs the smoke Jobs in the same way as `make smoke`."""
    output = smoke(system)
    assert "0.9155" in output
    assert "23400" in output


def test_an_upgrade_restarts_only_what_it_changes_and_keeps_passwords_and_accounts(system: Cluster) -> None:
    """After a change to one service's setting, only its pods are new; Secrets and stores are the same."""
    with system.forward(f"svc/{NAME}-api-gateway", 8000) as port:
        assert _post(port, "/api/auth/register", ACCOUNT)[0] in (201, 409)
    secrets = {name: secret(system, f"{NAME}-{name}") for name in ("redis", "mongodb", "auth")}
    before = _pods(system)
    install(system, "--set=analytics.logLevel=DEBUG", within="120s")
    wait_until(lambda: len(_pods(system)) == len(before), "the old pods are gone")
    after = _pods(system)
    changed = set(after.values()) - set(before.values())
    assert {name for name, uid in after.items() if uid in changed} == {
        name for name in after if name.startswith(f"{NAME}-analytics-")
    }
    assert {name: secret(system, f"{NAME}-{name}") for name in secrets} == secrets


def test_an_uninstall_keeps_volumes_and_secrets_and_a_new_install_finds_the_data(system: Cluster) -> None:
    """Volumes and Secrets stay, all else is deleted. An old account can log in after the reinstall."""
    with system.forward(f"svc/{NAME}-api-gateway", 8000) as port:
        assert _post(port, "/api/auth/register", ACCOUNT)[0] in (201, 409)
    system.helm("uninstall", NAME, "--wait", "--timeout=120s")
    kinds = (
        "deployments,statefulsets,jobs,cronjobs,pods,services,configmaps,"
        "serviceaccounts,roles,rolebindings,networkpolicies,poddisruptionbudgets"
    )
    ours = f"--selector=app.kubernetes.io/instance={NAME}"
    try:
        # Pods of a feed that was just deleted may use their whole grace period; test Jobs stay for a minute.
        wait_until(lambda: system.items(kinds, ours) == [], "all is gone", 180)
    except AssertionError:
        pytest.fail("left: " + system.kubectl("get", kinds, ours, "--output=name"))
    left = system.items("secrets,persistentvolumeclaims", f"--selector=app.kubernetes.io/instance={NAME}")
    assert sorted(f"{item['kind']}/{item['metadata']['name']}" for item in left) == [
        f"PersistentVolumeClaim/data-{NAME}-mongodb-0",
        f"PersistentVolumeClaim/data-{NAME}-redis-0",
        f"Secret/{NAME}-auth",
        f"Secret/{NAME}-mongodb",
        f"Secret/{NAME}-redis",
    ]
    install(system, within="120s")
    with system.forward(f"svc/{NAME}-api-gateway", 8000) as port:
        # The gateway's pod is Ready without auth. Network policies may not yet let it reach auth's new pod.
        wait_until(lambda: _status(port, "/readyz") == 200, "the gateway reaches all upstreams")
        status, body = _post(port, "/api/auth/login", ACCOUNT)
    assert (status, "token" in body) == (200, True)


def test_a_chart_with_contradictions_is_refused_with_all_of_them_at_once(system: Cluster) -> None:
    """Helm refuses it before it sends anything to the cluster."""
    with pytest.raises(Refused) as refused:
        install(system, "--set=redis.enabled=false", "--set=mongodb.enabled=false", within="10s")
    assert "externalRedis" in str(refused.value)
    assert "externalMongodb" in str(refused.value)
