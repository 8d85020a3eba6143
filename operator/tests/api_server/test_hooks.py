"""The hooks' commands on the real API server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from devcluster.processes.api_server import ApiServer
from devcluster.processes.operator_process import OPERATOR, Cluster

PLAN = {"secrets": [{"name": "made", "keys": {"password": {"random": 12}, "before": {"template": ""}}}]}


def _run(cluster: Cluster, *command: str | Path) -> str:
    """What one hook says when it ends well."""
    done = subprocess.run(
        [sys.executable, "-m", "deltastream_operator", *command],
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "PYTHONPATH": str(OPERATOR),
            "KUBECONFIG": str(cluster.server.kubeconfig),
            "NAMESPACE": cluster.namespace,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(json.dumps(PLAN))
    return path


def test_made_secrets_are_kept_by_argo_cd_and_a_key_taken_out_is_made_anew(
    cluster: Cluster, plan: Path
) -> None:
    """Rule: another run changes nothing; a rotation is to take a key out. What was set by hand goes again."""
    where = f"{cluster.core}/secrets/made"
    assert "created with before, password" in _run(cluster, "init-secrets", plan)
    made = cluster.ask("GET", where)
    assert made["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "Prune=false"
    assert "nothing to change" in _run(cluster, "init-secrets", plan)
    cluster.merge(where, {"data": {"password": None, "before": made["data"]["password"]}})
    assert "wrote before, password" in _run(cluster, "init-secrets", plan)
    anew: dict[str, Any] = cluster.ask("GET", where)["data"]
    assert anew["password"] != made["data"]["password"]
    assert anew["before"] == ""


def test_a_definition_that_is_not_there_yet_is_left_to_the_installation(
    cluster: Cluster, crd_server: ApiServer, tmp_path: Path
) -> None:
    """Rule: the hook may only change it. Argo CD runs hooks before there is anything."""
    name = "deltastreamfeeds.deltastream.dev"
    body = crd_server.request("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")[1]
    file = tmp_path / "crd.yaml"
    wanted = {key: body[key] for key in ("apiVersion", "kind", "spec")}
    file.write_text(json.dumps({**wanted, "metadata": {"name": name}}))
    assert "is applied" in _run(cluster, "apply-crd", file)
    file.write_text(json.dumps({**wanted, "metadata": {"name": "absent.deltastream.dev"}}))
    assert "not there yet" in _run(cluster, "apply-crd", file)
