"""The operator process on a real API server: field managers, conflicts, status, restarts, outages."""

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
    """What each field manager owns of an object's spec."""
    metadata: dict[str, list[dict[str, dict[str, dict[str, object]]]]] = body["metadata"]  # type: ignore[assignment]
    return {str(entry["manager"]): entry["fieldsV1"].get("f:spec", {}) for entry in metadata["managedFields"]}


def calm(cluster: Cluster, feed: str) -> bool:
    """Whether it is carried out, and its first reading (there is no Redis here) is told."""
    told = cluster.condition("MetricsAvailable", feed).get("reason") == "RedisUnreachable"
    return told and cluster.settled(feed) and cluster.enrichers(feed) == 2


def test_a_feed_gets_both_workloads_each_manager_its_fields(cluster: Cluster, operator: Operator) -> None:
    """Rule: one manager owns the template, the other nothing but the replicas."""
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
    """Rule: the status speaks of the newest generation, and names the reason."""
    cluster.make_feed()
    wait_until(cluster.settled, "the first status")
    cluster.merge(f"{cluster.feeds}/a", {"spec": {"enricher": {"replicas": 5}}})
    wait_until(lambda: cluster.settled() and cluster.enrichers() == 5, "the edit is carried out")
    status = cluster.status()
    assert status["enricher"]["desiredReplicas"] == 5
    assert status["lastDecision"]["to"] == 5
    assert status["lastDecision"]["reason"] == "ManualReplicas"


def test_what_a_later_decision_lacks_leaves_the_status(cluster: Cluster, operator: Operator) -> None:
    """Rule: a merge patch takes away what no longer holds; limitedBy must not outlive its decision."""
    enricher = {"replicas": 9, "minReplicas": 1, "maxReplicas": 4}
    cluster.make_feed(mode="External", enricher=enricher)
    wait_until(lambda: cluster.status().get("lastDecision", {}).get("limitedBy") == "MaxReplicas", "limited")
    cluster.merge(f"{cluster.feeds}/a", {"spec": {"enricher": {"replicas": 3}}})
    wait_until(lambda: cluster.status()["lastDecision"]["to"] == 3, "a decision within the bounds")
    assert "limitedBy" not in cluster.status()["lastDecision"]


def test_replicas_scaled_by_another_hand_are_named_not_fought(cluster: Cluster, operator: Operator) -> None:
    """Rule: a conflict over replicas becomes ReplicasContested with the other's name; the value stays."""
    cluster.make_feed()
    wait_until(lambda: cluster.enrichers() == 2 and cluster.settled(), "the feed is carried out")
    scaled = cluster.server.kubectl(
        "-n", cluster.namespace, "scale", "deployment", "a-enricher", "--replicas=7"
    )
    assert scaled.returncode == 0, scaled.stderr
    wait_until(lambda: cluster.condition("ReplicasContested").get("status") == "True", "it is noticed")
    assert "kubectl" in cluster.condition("ReplicasContested")["message"]
    assert cluster.enrichers() == 7
    writes, ticks = operator.writes(), operator.ticks()
    wait_until(lambda: operator.ticks() >= ticks + 2, "two more ticks")
    assert operator.writes() == writes, "a contest that goes on is not written again"
    cluster.merge(f"{cluster.feeds}/a", {"spec": {"enricher": {"replicas": 7}}})
    wait_until(lambda: cluster.condition("ReplicasContested").get("status") == "False", "they agree")


def test_the_command_that_a_contest_names_ends_it(cluster: Cluster, operator: Operator) -> None:
    """Rule: run as it stands in the condition, it hands the replicas back, and the operator scales again."""
    cluster.make_feed()
    wait_until(lambda: cluster.enrichers() == 2 and cluster.settled(), "the feed is carried out")
    kubectl = cluster.server.kubectl
    kubectl("-n", cluster.namespace, "scale", "deployment", "a-enricher", "--replicas=7")
    wait_until(lambda: cluster.condition("ReplicasContested").get("status") == "True", "it is noticed")
    message = cluster.condition("ReplicasContested")["message"]
    command = re.search(r"hand them back with: (.*-f -)", message)
    assert command, message
    run = cluster.server.shell(command[1])
    assert run.returncode == 0, run.stderr
    wait_until(lambda: cluster.condition("ReplicasContested").get("status") == "False", "it is over")
    assert cluster.enrichers() == 2
    for replicas in (4, 1):
        cluster.merge(f"{cluster.feeds}/a", {"spec": {"enricher": {"replicas": replicas}}})
        wait_until(lambda: cluster.settled() and cluster.enrichers() == replicas, "it scales by itself")  # noqa: B023
    assert cluster.condition("ReplicasContested")["status"] == "False"


def test_replicas_that_nobody_else_owns_any_more_are_scaled_again(
    cluster: Cluster, operator: Operator
) -> None:
    """Rule: the other's ownership ends without a new value: that is seen too."""
    cluster.make_feed()
    wait_until(lambda: cluster.enrichers() == 2 and cluster.settled(), "the feed is carried out")
    cluster.server.kubectl("-n", cluster.namespace, "scale", "deployment", "a-enricher", "--replicas=7")
    wait_until(lambda: cluster.condition("ReplicasContested").get("status") == "True", "it is noticed")
    body = cluster.deployment()
    assert body is not None
    kept = [entry for entry in body["metadata"]["managedFields"] if entry["manager"] != "kubectl"]
    cluster.merge(f"{cluster.apps}/deployments/a-enricher", {"metadata": {"managedFields": kept}})
    wait_until(lambda: cluster.enrichers() == 2, "they are as decided")
    wait_until(lambda: cluster.condition("ReplicasContested").get("status") == "False", "it is over")


def test_a_template_edited_by_another_hand_is_put_right(cluster: Cluster, operator: Operator) -> None:
    """Rule: the template is ours, and what another hand makes of it does not stay."""
    cluster.make_feed()
    wait_until(lambda: cluster.enrichers() == 2, "the feed is carried out")
    set_image = cluster.server.kubectl(
        "-n", cluster.namespace, "set", "image", "deployment/a-enricher", "worker=example/other:2"
    )
    assert set_image.returncode == 0, set_image.stderr

    def image() -> str:
        body = cluster.deployment()
        assert body is not None
        return str(body["spec"]["template"]["spec"]["containers"][1]["image"])

    wait_until(lambda: image() == "example/worker:1", "our image is back")


def test_another_owners_deployment_is_left_alone_and_named(cluster: Cluster, operator: Operator) -> None:
    """Rule: what does not belong to the feed is never taken over, even under our labels."""
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
    wait_until(lambda: cluster.condition("Stalled").get("reason") == "NameTaken", "it is named")
    assert "a-enricher" in cluster.condition("Ready")["message"]
    found = cluster.deployment()
    assert found is not None
    # Kubernetes' own controllers may write its status; nobody of ours wrote anything.
    assert found["metadata"]["generation"] == made["metadata"]["generation"]
    assert not [e for e in found["metadata"]["managedFields"] if e["manager"].startswith("deltastream")]


def test_nothing_is_written_while_nothing_changes(cluster: Cluster, operator: Operator) -> None:
    """Rule: no API write when nothing changes, not even a repetition of the status."""
    for number in range(3):
        cluster.make_feed(f"feed-{number}", products=(f"P{number}",))
    wait_until(lambda: all(calm(cluster, f"feed-{n}") for n in range(3)), "all feeds are carried out")
    quiet = operator.ticks()
    wait_until(lambda: operator.ticks() >= quiet + 1, "the news of its own writes are in")
    writes, ticks = operator.writes(), operator.ticks()
    versions = [cluster.feed(f"feed-{n}")["metadata"]["resourceVersion"] for n in range(3)]
    wait_until(lambda: operator.ticks() >= ticks + 3, "three more ticks")
    assert operator.writes() == writes
    assert [cluster.feed(f"feed-{n}")["metadata"]["resourceVersion"] for n in range(3)] == versions


def test_a_restart_changes_nothing(
    cluster: Cluster, operator: Operator, make_operator: Callable[[], Operator]
) -> None:
    """Rule: another operator process finds its work done; kill -9 of the first loses nothing."""
    cluster.make_feed()
    wait_until(lambda: calm(cluster, "a"), "the feed is carried out")
    before = cluster.deployment(), cluster.statefulset(), cluster.feed()
    operator.stop(signal.SIGKILL)
    other = make_operator()
    other.start()
    wait_until(lambda: other.ticks() >= 2, "it decided twice")
    assert (cluster.deployment(), cluster.statefulset(), cluster.feed()) == before


def test_it_runs_as_a_user_that_has_no_name(make_operator: Callable[[], Operator]) -> None:
    """Rule: a cluster such as OpenShift chooses the user, which is in no passwd file."""
    operator = make_operator()
    home = Path(operator.environ["HOME"])
    (home / "sitecustomize.py").write_text(
        "import pwd\n\ndef getpwuid(uid):\n    raise KeyError(uid)\n\npwd.getpwuid = getpwuid\n"
    )
    operator.environ["PYTHONPATH"] += f":{home}"
    operator.start()
    assert operator.get("/readyz")[0] == 200


def test_it_ends_by_itself_when_asked(operator: Operator) -> None:
    """Rule: SIGTERM ends it well within the grace period, with exit code 0."""
    assert operator.stop() == 0
    assert "Traceback" not in operator.log()


def test_its_logs_are_json_lines(cluster: Cluster, operator: Operator) -> None:
    """Rule: kopf's lines too."""
    cluster.make_feed()
    wait_until(cluster.settled, "the feed has a status")
    lines = operator.log().splitlines()
    assert lines
    assert all({"event", "level", "timestamp"} <= json.loads(line).keys() for line in lines)


def test_decisions_are_told_as_events_of_the_feed(cluster: Cluster, operator: Operator) -> None:
    """Rule: `kubectl describe` shows why."""
    cluster.make_feed()

    def reasons() -> set[str]:
        listed = cluster.ask("GET", f"{cluster.core}/events")["items"]
        return {event["reason"] for event in listed if event["involvedObject"]["name"] == "a"}

    wait_until(lambda: {"ManualReplicas", "ProductCount"} <= reasons(), "both decisions are told")


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port where connections are taken and nothing is answered."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("hangs", [False, True], ids=["refuses", "hangs"])
def test_a_webhook_that_fails_is_told_and_holds_nothing_but_its_own(
    hangs: bool, cluster: Cluster, operator: Operator, deaf: int
) -> None:
    """Rule: a webhook that is down makes a 500 of a write, one that hangs outlasts it: both are told."""
    hooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    hook = {
        "name": "down.example.com",
        "clientConfig": {"url": f"https://127.0.0.1:{deaf if hangs else 1}/x"},
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
        wait_until(lambda: cluster.condition("Stalled").get("reason") == "WriteRefused", "it is told")
        said = "504: Timeout" if hangs else "down.example.com"
        assert said in cluster.condition("Ready")["message"]
        cluster.merge(f"{cluster.feeds}/a", {"spec": {"enricher": {"replicas": 3}}})
        wait_until(lambda: cluster.enrichers() == 3 and cluster.settled(), "the enrichers are scaled")
    finally:
        cluster.ask("DELETE", f"{hooks}/{cluster.namespace}")
    wait_until(lambda: cluster.statefulset() is not None, "the webhook's end is noticed")
    wait_until(lambda: cluster.condition("Stalled").get("status") == "False", "and told")


def test_a_write_that_is_refused_is_said_in_the_status(cluster: Cluster, operator: Operator) -> None:
    """Rule: whoever looks at the feed sees what the API server said, not only the operator's log."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none"},
        "spec": {"hard": {"count/deployments.apps": "0"}},
    }
    cluster.ask("POST", f"{cluster.core}/resourcequotas", quota)
    # Nothing counts quotas here: the status says what its controller would.
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
    wait_until(lambda: cluster.condition("Stalled").get("reason") == "WriteRefused", "it is said")
    assert "quota" in cluster.condition("Ready")["message"]
    cluster.ask("DELETE", f"{cluster.core}/resourcequotas/none")
    wait_until(lambda: cluster.enrichers() == 2, "it goes on by itself")
    wait_until(lambda: cluster.condition("Stalled").get("status") == "False", "and says so")


def test_an_edit_made_while_its_watch_was_away_is_carried_out(cluster: Cluster, operator: Operator) -> None:
    """Rule: after an outage of the API server everything is found by itself, whatever the watch missed."""
    cluster.make_feed()
    cluster.make_feed("gone", products=("GONE",))
    wait_until(lambda: cluster.enrichers() == 2 and cluster.settled("gone"), "carried out")
    cluster.server.stop()
    try:
        wait_until(lambda: "api_server_is_away" in operator.log(), "the outage is noticed")
        assert operator.get("/livez")[0] == 200
    finally:
        cluster.server.start()
    cluster.merge(f"{cluster.feeds}/a", {"spec": {"enricher": {"replicas": 6}}})
    cluster.ask("DELETE", f"{cluster.feeds}/gone")
    wait_until(lambda: cluster.enrichers() == 6 and cluster.settled(), "the edit is carried out")
    wait_until(lambda: 'feed="gone"' not in operator.get("/metrics")[1], "the other is forgotten")
