"""Test that the chart's Role grants exactly the permissions that the operator uses."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import yaml
from devcluster.processes.operator_process import Cluster, Operator
from devcluster.waiting import wait_until

ROLE = Path(__file__).resolve().parents[3] / "charts/deltastream/templates/operator/role.yaml"
RBAC = "rbac.authorization.k8s.io"


Right = tuple[str, str, str]


def rights(rules: list[dict[str, list[str]]]) -> set[Right]:
    """Return the distinct triples of API group, resource and verb in the rules."""
    return {
        right
        for rule in rules
        for right in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])
    }


def used(cluster: Cluster) -> set[Right]:
    """Return the permissions that the service account has used, from the API server's audit log.

    Asserts that all requests concern the operator's own namespace.
    """
    found: set[Right] = set()
    for line in cluster.server.audit_log.read_text().splitlines():
        event = json.loads(line)
        account, place = event["user"]["username"], event.get("objectRef", {})
        if account != f"system:serviceaccount:{cluster.namespace}:operator" or "resource" not in place:
            continue
        assert place.get("namespace") == cluster.namespace, event
        resource = "/".join(filter(None, (place["resource"], place.get("subresource"))))
        found.add((place.get("apiGroup", ""), resource, event["verb"]))
        if event["verb"] == "patch" and event["responseStatus"]["code"] == 201:
            # A server-side apply that creates the object also needs the permission to create it.
            found.add((place.get("apiGroup", ""), resource, "create"))
    return found


def test_the_chart_s_role_grants_exactly_what_the_operator_uses(
    cluster: Cluster, make_operator: Callable[[], Operator], tmp_path: Path
) -> None:
    """The test causes every kind of request of the operator. The Role allows these and nothing else."""
    rules = yaml.safe_load("rules:" + ROLE.read_text().split("\nrules:")[1])["rules"]
    role = f"/apis/{RBAC}/v1/namespaces/{cluster.namespace}"
    cluster.ask("POST", f"{cluster.core}/serviceaccounts", {"metadata": {"name": "operator"}})
    cluster.ask("POST", f"{role}/roles", {"metadata": {"name": "operator"}, "rules": rules})
    binding = {
        "metadata": {"name": "operator"},
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "operator"},
        "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": cluster.namespace}],
    }
    cluster.ask("POST", f"{role}/rolebindings", binding)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = cluster.ask("POST", f"{cluster.core}/serviceaccounts/operator/token", request)["status"]["token"]
    config = json.loads(cluster.server.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    limited = tmp_path / "kubeconfig"
    limited.write_text(json.dumps(config))
    operator = make_operator()
    operator.environ["KUBECONFIG"] = str(limited)
    operator.start()
    cluster.make_feed()
    wait_until(lambda: cluster.settled() and cluster.enrichers() == 2, "the feed is applied")
    cluster.merge(f"{cluster.feeds}/a", {"spec": {"enricher": {"replicas": 3}}})
    wait_until(lambda: cluster.settled() and cluster.enrichers() == 3, "the edit is applied")
    wait_until(lambda: cluster.ask("GET", f"{cluster.core}/events")["items"] != [], "Events are posted")
    waiting = {"name": "worker", "state": {"waiting": {"reason": "ContainerCreating"}}, "ready": False}
    waiting |= {"image": "x", "imageID": "", "restartCount": 0}
    labels = {"deltastream.dev/feed": "a", "app.kubernetes.io/managed-by": "deltastream-operator"}
    pod = {"metadata": {"name": "a-enricher-x", "labels": labels}}
    pod |= {"spec": {"containers": [{"name": "worker", "image": "x"}]}}  # type: ignore[dict-item]
    cluster.ask("POST", f"{cluster.core}/pods", pod)
    status = {"status": {"containerStatuses": [waiting]}}
    cluster.merge(f"{cluster.core}/pods/a-enricher-x/status", status)
    wait_until(lambda: ("", "events", "list") in used(cluster), "the operator reads the pod's Events")
    assert "forbidden" not in operator.log().lower()
    assert used(cluster) == rights(rules)
