"""Test the commands of the Helm hooks against a real API server."""

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
    """Run a hook's command, check that it succeeds, and return its output."""
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


def test_init_secrets_keeps_values_and_regenerates_a_removed_key(cluster: Cluster, plan: Path) -> None:
    """A second run changes nothing. Removing a key rotates its value. A template overwrites a manual edit.

    An annotation tells Argo CD not to prune the Secret.
    """
    where = f"{cluster.core}/secrets/made"
    assert "created with before, password" in _run(cluster, "init-secrets", plan)
    made = cluster.ask("GET", where)
    assert made["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "Prune=false"
    assert "nothing to change" in _run(cluster, "init-secrets", plan)
    cluster.merge(where, {"data": {"password": None, "before": made["data"]["password"]}})
    assert "wrote before, password" in _run(cluster, "init-secrets", plan)
    rotated: dict[str, Any] = cluster.ask("GET", where)["data"]
    assert rotated["password"] != made["data"]["password"]
    assert rotated["before"] == ""


def test_apply_crd_updates_an_existing_crd_and_never_creates_one(
    cluster: Cluster, crd_server: ApiServer, tmp_path: Path
) -> None:
    """The hook may only change the CRD. Argo CD runs the hook before the CRD exists."""
    name = "deltastreamfeeds.deltastream.dev"
    body = crd_server.request("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")[1]
    file = tmp_path / "crd.yaml"
    wanted = {key: body[key] for key in ("apiVersion", "kind", "spec")}
    file.write_text(json.dumps({**wanted, "metadata": {"name": name}}))
    assert "is applied" in _run(cluster, "apply-crd", file)
    file.write_text(json.dumps({**wanted, "metadata": {"name": "absent.deltastream.dev"}}))
    assert "does not exist yet" in _run(cluster, "apply-crd", file)
