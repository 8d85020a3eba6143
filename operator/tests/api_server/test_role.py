"""The chart's Role is exactly what the operator uses: enough, as its service account, and nothing more."""

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
    """Group, resource and verb, each once."""
    return {
        right
        for rule in rules
        for right in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])
    }


def used(cluster: Cluster) -> set[Right]:
    """What the service account asked of its namespace, by the API server's audit log."""
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
            # An apply that makes the object asks for the right to create besides.
            found.add((place.get("apiGroup", ""), resource, "create"))
    return found


def test_the_chart_s_role_is_enough_and_nothing_in_it_is_unused(
    cluster: Cluster, make_operator: Callable[[], Operator], tmp_path: Path
) -> None:
    """Rule: every call of a feed's life is allowed, all of them are made, and only in its namespace."""
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
    wait_until(lambda: cluster.settled() and cluster.enrichers() == 2, "the feed is carried out")
    cluster.merge(f"{cluster.feeds}/a", {"spec": {"enricher": {"replicas": 3}}})
    wait_until(lambda: cluster.settled() and cluster.enrichers() == 3, "so is an edit")
    wait_until(lambda: cluster.ask("GET", f"{cluster.core}/events")["items"] != [], "Events are posted")
    waiting = {"name": "worker", "state": {"waiting": {"reason": "ContainerCreating"}}, "ready": False}
    waiting |= {"image": "x", "imageID": "", "restartCount": 0}
    labels = {"deltastream.dev/feed": "a", "app.kubernetes.io/managed-by": "deltastream-operator"}
    pod = {"metadata": {"name": "a-enricher-x", "labels": labels}}
    pod |= {"spec": {"containers": [{"name": "worker", "image": "x"}]}}  # type: ignore[dict-item]
    cluster.ask("POST", f"{cluster.core}/pods", pod)
    status = {"status": {"containerStatuses": [waiting]}}
    cluster.merge(f"{cluster.core}/pods/a-enricher-x/status", status)
    wait_until(lambda: ("", "events", "list") in used(cluster), "why its volumes do not come is asked")
    assert "forbidden" not in operator.log().lower()
    assert used(cluster) == rights(rules)
