"""Test the operator process on a real API server: field managers, conflicts, status, restarts and outages."""

from __future__ import annotations

import json
import re
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from devcluster.processes.operator_process import Cluster, Operator
from devcluster.waiting import wait_until


def managers(body: dict[str, object]) -> dict[str, dict[str, object]]:
    """Return the fields of an object's spec that each field manager owns."""
    metadata: dict[str, list[dict[str, dict[str, dict[str, object]]]]] = body["metadata"]  # type: ignore[assignment]
    return {str(entry["manager"]): entry["fieldsV1"].get("f:spec", {}) for entry in metadata["managedFields"]}


def calm(cluster: Cluster, feed: str) -> bool:
    """Return whether the feed is applied and its status reports that Redis is unreachable (there is none)."""
    reported = cluster.condition("MetricsAvailable", feed).get("reason") == "RedisUnreachable"
    return reported and cluster.settled(feed) and cluster.enrichers(feed) == 2


def test_two_field_managers_own_the_template_and_the_replicas(cluster: Cluster, operator: Operator) -> None:
    """One field manager owns the template of both workloads. The other owns only the replicas."""
    cluster.make_feed()
    wait_until(lambda: cluster.enrichers() == 2 and cluster.statefulset() is not None, "workloads exist")
    deployment = cluster.deployment()
    assert deployment is not None
    owned = managers(deployment)
    assert owned["deltastream-scaler"] == {"f:replicas": {}}
    assert "f:template" in owned["deltastream-operator"]
    assert "f:replicas" not in owned["deltastream-operator"]
    owner = deployment["metadata"]["ownerReferences"][0]
    assert (owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == (
        cluster.feed()["metadata"]["uid"],
        True,
        False,
    )
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        assert {"name": "FEED", "value": "a"} in container["env"]


def test_an_edit_reaches_workload_and_status(cluster: Cluster, operator: Operator) -> None:
    """The status describes the newest generation and names the reason of the decision."""
    cluster.make_feed()
    wait_until(cluster.settled, "the first status")
    cluster.merge(f"{cluster.feeds}/a", {"spec": {"enricher": {"replicas": 5}}})
    wait_until(lambda: cluster.settled() and cluster.enrichers() == 5, "the edit is applied")
    status = cluster.status()
    assert status["enricher"]["desiredReplicas"] == 5
    assert status["lastDecision"]["to"] == 5
    assert status["lastDecision"]["reason"] == "ManualReplicas"


def test_fields_of_an_earlier_decision_are_removed_from_the_status(
    cluster: Cluster, operator: Operator
) -> None:
    """A merge patch removes fields that the new decision does not have, such as limitedBy."""
    enricher = {"replicas": 9, "minReplicas": 1, "maxReplicas": 4}
    cluster.make_feed(mode="External", enricher=enricher)
    wait_until(lambda: cluster.status().get("lastDecision", {}).get("limitedBy") == "MaxReplicas", "limited")
    cluster.merge(f"{cluster.feeds}/a", {"spec": {"enricher": {"replicas": 3}}})
    wait_until(lambda: cluster.status()["lastDecision"]["to"] == 3, "a decision within the bounds")
    assert "limitedBy" not in cluster.status()["lastDecision"]


def test_replicas_scaled_by_another_manager_are_reported_and_kept(
    cluster: Cluster, operator: Operator
) -> None:
    """ReplicasContested names the other manager of the replicas. The operator keeps the manager's value."""
    cluster.make_feed()
    wait_until(lambda: cluster.enrichers() == 2 and cluster.settled(), "the feed is applied")
    scaled = cluster.server.kubectl(
        "-n", cluster.namespace, "scale", "deployment", "a-enricher", "--replicas=7"
    )
    assert scaled.returncode == 0, scaled.stderr
    wait_until(lambda: cluster.condition("ReplicasContested").get("status") == "True", "it is reported")
    assert "kubectl" in cluster.condition("ReplicasContested")["message"]
    assert cluster.enrichers() == 7
    writes, ticks = operator.writes(), operator.ticks()
    wait_until(lambda: operator.ticks() >= ticks + 2, "two more ticks")
    assert operator.writes() == writes, "the operator does not write again while the contest lasts"
    cluster.merge(f"{cluster.feeds}/a", {"spec": {"enricher": {"replicas": 7}}})
    wait_until(lambda: cluster.condition("ReplicasContested").get("status") == "False", "both agree")


def test_the_command_in_the_condition_ends_a_contest(cluster: Cluster, operator: Operator) -> None:
    """The command can be copied from the condition. After it the operator owns and scales the replicas."""
    cluster.make_feed()
    wait_until(lambda: cluster.enrichers() == 2 and cluster.settled(), "the feed is applied")
    kubectl = cluster.server.kubectl
    kubectl("-n", cluster.namespace, "scale", "deployment", "a-enricher", "--replicas=7")
    wait_until(lambda: cluster.condition("ReplicasContested").get("status") == "True", "it is reported")
    message = cluster.condition("ReplicasContested")["message"]
    command = re.search(r"hand them back with: (.*-f -)", message)
    assert command, message
    run = cluster.server.shell(command[1])
    assert run.returncode == 0, run.stderr
    wait_until(lambda: cluster.condition("ReplicasContested").get("status") == "False", "the contest is over")
    assert cluster.enrichers() == 2
    for replicas in (4, 1):
        cluster.merge(f"{cluster.feeds}/a", {"spec": {"enricher": {"replicas": replicas}}})
        wait_until(lambda: cluster.settled() and cluster.enrichers() == replicas, "it scales again")  # noqa: B023
    assert cluster.condition("ReplicasContested")["status"] == "False"


def test_the_operator_scales_again_when_the_other_manager_gives_up_the_replicas(
    cluster: Cluster, operator: Operator
) -> None:
    """The operator notices that the ownership ended, even if the number of replicas did not change."""
    cluster.make_feed()
    wait_until(lambda: cluster.enrichers() == 2 and cluster.settled(), "the feed is applied")
    cluster.server.kubectl("-n", cluster.namespace, "scale", "deployment", "a-enricher", "--replicas=7")
    wait_until(lambda: cluster.condition("ReplicasContested").get("status") == "True", "it is reported")
    body = cluster.deployment()
    assert body is not None
    kept = [entry for entry in body["metadata"]["managedFields"] if entry["manager"] != "kubectl"]
    cluster.merge(f"{cluster.apps}/deployments/a-enricher", {"metadata": {"managedFields": kept}})
    wait_until(lambda: cluster.enrichers() == 2, "the decided number is set")
    wait_until(lambda: cluster.condition("ReplicasContested").get("status") == "False", "the contest is over")


def test_a_template_edited_by_another_manager_is_restored(cluster: Cluster, operator: Operator) -> None:
    """The operator owns the template and overwrites other managers' changes to it."""
    cluster.make_feed()
    wait_until(lambda: cluster.enrichers() == 2, "the feed is applied")
    set_image = cluster.server.kubectl(
        "-n", cluster.namespace, "set", "image", "deployment/a-enricher", "worker=example/other:2"
    )
    assert set_image.returncode == 0, set_image.stderr

    def image() -> str:
        body = cluster.deployment()
        assert body is not None
        return str(body["spec"]["template"]["spec"]["containers"][1]["image"])

    wait_until(lambda: image() == "example/worker:1", "the operator's image is back")


def test_a_deployment_of_another_owner_is_reported_and_not_changed(
    cluster: Cluster, operator: Operator
) -> None:
    """The operator never takes over an object that the feed does not own, whatever its labels are."""
    labels = {"deltastream.dev/feed": "a", "app.kubernetes.io/managed-by": "deltastream-operator"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "x", "image": "x:1"}]}}
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a-enricher", "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod},
    }
    made = cluster.ask("POST", f"{cluster.apps}/deployments", body)
    cluster.make_feed()
    wait_until(lambda: cluster.condition("Stalled").get("reason") == "NameTaken", "it is reported")
    assert "a-enricher" in cluster.condition("Ready")["message"]
    found = cluster.deployment()
    assert found is not None
    # Kubernetes' own controllers may write its status, so only the operator's writes are checked.
    assert found["metadata"]["generation"] == made["metadata"]["generation"]
    assert not [e for e in found["metadata"]["managedFields"] if e["manager"].startswith("deltastream")]


def test_nothing_is_written_while_nothing_changes(cluster: Cluster, operator: Operator) -> None:
    """The operator writes nothing if nothing changes. It does not repeat the status either."""
    for number in range(3):
        cluster.make_feed(f"feed-{number}", products=(f"P{number}",))
    wait_until(lambda: all(calm(cluster, f"feed-{n}") for n in range(3)), "all feeds are applied")
    settled = operator.ticks()
    wait_until(lambda: operator.ticks() >= settled + 1, "the watch has delivered the operator's own writes")
    writes, ticks = operator.writes(), operator.ticks()
    versions = [cluster.feed(f"feed-{n}")["metadata"]["resourceVersion"] for n in range(3)]
    wait_until(lambda: operator.ticks() >= ticks + 3, "three more ticks")
    assert operator.writes() == writes
    assert [cluster.feed(f"feed-{n}")["metadata"]["resourceVersion"] for n in range(3)] == versions


def test_a_restart_changes_nothing(
    cluster: Cluster, operator: Operator, make_operator: Callable[[], Operator]
) -> None:
    """After kill -9 a new operator process finds all objects as decided and changes none."""
    cluster.make_feed()
    wait_until(lambda: calm(cluster, "a"), "the feed is applied")
    before = cluster.deployment(), cluster.statefulset(), cluster.feed()
    operator.stop(signal.SIGKILL)
    other = make_operator()
    other.start()
    wait_until(lambda: other.ticks() >= 2, "it has reconciled twice")
    assert (cluster.deployment(), cluster.statefulset(), cluster.feed()) == before


def test_it_runs_as_a_user_without_a_passwd_entry(make_operator: Callable[[], Operator]) -> None:
    """Clusters such as OpenShift choose a user id that no passwd file contains."""
    operator = make_operator()
    home = Path(operator.environ["HOME"])
    (home / "sitecustomize.py").write_text(
        "import pwd\n\ndef getpwuid(uid):\n    raise KeyError(uid)\n\npwd.getpwuid = getpwuid\n"
    )
    operator.environ["PYTHONPATH"] += f":{home}"
    operator.start()
    assert operator.get("/readyz")[0] == 200


def test_sigterm_ends_it_with_exit_code_0(operator: Operator) -> None:
    """The operator ends in order within the pod's grace period."""
    assert operator.stop() == 0
    assert "Traceback" not in operator.log()


def test_its_logs_are_json_lines(cluster: Cluster, operator: Operator) -> None:
    """This includes the lines that kopf logs."""
    cluster.make_feed()
    wait_until(cluster.settled, "the feed has a status")
    lines = operator.log().splitlines()
    assert lines
    assert all({"event", "level", "timestamp"} <= json.loads(line).keys() for line in lines)


def test_decisions_are_posted_as_events_of_the_feed(cluster: Cluster, operator: Operator) -> None:
    """`kubectl describe` shows the reason of each decision."""
    cluster.make_feed()

    def reasons() -> set[str]:
        listed = cluster.ask("GET", f"{cluster.core}/events")["items"]
        return {event["reason"] for event in listed if event["involvedObject"]["name"] == "a"}

    wait_until(lambda: {"ManualReplicas", "ProductCount"} <= reasons(), "both decisions are posted")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Return a port that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("hangs", [False, True], ids=["refuses", "hangs"])
def test_a_failing_admission_webhook_is_reported_and_blocks_only_its_own_workload(
    hangs: bool, cluster: Cluster, operator: Operator, silent_port: int
) -> None:
    """A webhook that is down causes a 500, one that hangs causes a timeout. Stalled reports both."""
    hooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    hook = {
        "name": "down.example.com",
        "clientConfig": {"url": f"https://127.0.0.1:{silent_port if hangs else 1}/x"},
        "rules": [
            {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["statefulsets"]}
        ],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": cluster.namespace}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 10,
    }
    cluster.ask("POST", hooks, {"metadata": {"name": cluster.namespace}, "webhooks": [hook]})
    try:
        cluster.make_feed()
        wait_until(lambda: cluster.condition("Stalled").get("reason") == "WriteRefused", "it is reported")
        cause = "504: Timeout" if hangs else "down.example.com"
        assert cause in cluster.condition("Ready")["message"]
        cluster.merge(f"{cluster.feeds}/a", {"spec": {"enricher": {"replicas": 3}}})
        wait_until(lambda: cluster.enrichers() == 3 and cluster.settled(), "the enrichers are scaled")
    finally:
        cluster.ask("DELETE", f"{hooks}/{cluster.namespace}")
    wait_until(lambda: cluster.statefulset() is not None, "the write succeeds without the webhook")
    wait_until(lambda: cluster.condition("Stalled").get("status") == "False", "Stalled ends")


def test_a_refused_write_is_reported_in_the_status(cluster: Cluster, operator: Operator) -> None:
    """The feed's condition contains the API server's message, so users need not read the operator's log."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none"},
        "spec": {"hard": {"count/deployments.apps": "0"}},
    }
    cluster.ask("POST", f"{cluster.core}/resourcequotas", quota)
    # No quota controller runs in this test, so the test writes the status of the quota.
    cluster.merge(
        f"{cluster.core}/resourcequotas/none/status",
        {
            "status": {
                "hard": {"count/deployments.apps": "0"},
                "used": {"count/deployments.apps": "0"},
            }
        },
    )
    cluster.make_feed()
    wait_until(lambda: cluster.condition("Stalled").get("reason") == "WriteRefused", "it is reported")
    assert "quota" in cluster.condition("Ready")["message"]
    cluster.ask("DELETE", f"{cluster.core}/resourcequotas/none")
    wait_until(lambda: cluster.enrichers() == 2, "the operator retries")
    wait_until(lambda: cluster.condition("Stalled").get("status") == "False", "Stalled ends")


def test_changes_are_applied_after_an_outage_of_the_api_server(cluster: Cluster, operator: Operator) -> None:
    """The operator compares its table with lists, so it finds changes that its watch missed."""
    cluster.make_feed()
    cluster.make_feed("gone", products=("GONE",))
    wait_until(lambda: cluster.enrichers() == 2 and cluster.settled("gone"), "both are applied")
    cluster.server.stop()
    try:
        wait_until(lambda: "api_server_is_away" in operator.log(), "the outage is noticed")
        assert operator.get("/livez")[0] == 200
    finally:
        cluster.server.start()
    cluster.merge(f"{cluster.feeds}/a", {"spec": {"enricher": {"replicas": 6}}})
    cluster.ask("DELETE", f"{cluster.feeds}/gone")
    wait_until(lambda: cluster.enrichers() == 6 and cluster.settled(), "the edit is applied")
    wait_until(lambda: 'feed="gone"' not in operator.get("/metrics")[1], "the deleted feed is removed")
