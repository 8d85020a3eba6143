"""`kubectl apply -k` of each overlay against a real API server with its validation and Pod Security."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from devcluster.processes.api_server import ApiServer

K8S = Path(__file__).resolve().parents[2] / "k8s"


def apply(server: ApiServer, folder: str, *options: str) -> str:
    """Apply a folder and return kubectl's output.

    A warning is a failure, because Pod Security warns about pods that it will refuse.
    """
    done = server.kubectl("apply", "-k", str(K8S / folder), "--validate=strict", *options)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def server(api_server: ApiServer) -> ApiServer:
    """The API server with the namespace already created, because a dry run does not create it."""
    applied = api_server.kubectl("apply", "-f", str(K8S / "base/namespace.yaml"))
    assert applied.returncode == 0, applied.stderr
    return api_server


@pytest.mark.parametrize("folder", ["base", "overlays/kind", "overlays/minikube", "overlays/prod"])
def test_every_object_is_accepted_without_a_warning(server: ApiServer, folder: str) -> None:
    """The manifests have no unknown field, and no pod that `restricted` would refuse."""
    output = apply(server, folder, "--dry-run=server")
    assert "deployment.apps/deltastream-operator" in output


def test_a_pod_that_is_not_restricted_is_reported(server: ApiServer) -> None:
    """The namespace's labels take effect on this server, so the absence of warnings above is a proof."""
    made = server.kubectl(
        "create", "deployment", "lax", "--image=test", "--namespace=deltastream", "--dry-run=server"
    )
    assert "would violate PodSecurity" in made.stderr


def generations(server: ApiServer) -> list[tuple[str, int]]:
    """The generation of each Deployment and StatefulSet: how often its spec changed."""
    got = server.kubectl("get", "deployments,statefulsets", "--namespace=deltastream", "--output=json")
    items = json.loads(got.stdout)["items"]
    return [(item["metadata"]["name"], item["metadata"]["generation"]) for item in items]


def test_a_second_apply_changes_nothing(server: ApiServer) -> None:
    """No pod restarts, and no Job is refused as immutable."""
    apply(server, "base")
    before = generations(server)
    apply(server, "base")
    assert len(before) == 9
    assert generations(server) == before


def test_a_changed_version_can_be_applied_over_the_first(server: ApiServer) -> None:
    """Every pod gets another pull policy. The Jobs get other names, because a Job cannot be changed."""
    apply(server, "base")
    output = apply(server, "overlays/kind")
    assert "deployment.apps/deltastream-auth configured" in output
    assert {line.rsplit(" ", 1)[1] for line in output.splitlines() if line.startswith("job")} == {"created"}
