"""The chart's Role is enough: the operator as its service account, with nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import yaml
from tests.support.operator_process import Cluster, Operator
from tests.support.stores import wait_until

ROLE = Path(__file__).resolve().parents[3] / "charts/deltastream/templates/operator/role.yaml"
RBAC = "rbac.authorization.k8s.io"


def test_the_chart_s_role_is_enough(
    cluster: Cluster, make_operator: Callable[[], Operator], tmp_path: Path
) -> None:
    """Rule: every call of a feed's life is allowed, and no other namespace is asked about."""
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
    assert "forbidden" not in operator.log().lower()
