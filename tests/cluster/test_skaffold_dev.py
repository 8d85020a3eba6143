"""The steps of `skaffold dev` on a cluster, with the settings of skaffold.yaml but without skaffold."""

from __future__ import annotations

import io
import re
import tarfile
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from devcluster.kube import Cluster
from devcluster.release import NAME, ROOT, install
from devcluster.waiting import wait_until

pytestmark = pytest.mark.timeout(600)
CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
SERVICE = "api-gateway"


def _deployed(cluster: Cluster) -> list[str]:
    """Helm's options: the repository and tag of each image on the node, and the dev profile's flags."""
    (release,) = CONFIG["deploy"]["helm"]["releases"]
    (profile,) = [each for each in CONFIG["profiles"] if each["name"] == "dev"]
    images = cluster.items("pods", f"--selector=app.kubernetes.io/component={SERVICE}")
    tag = images[0]["spec"]["containers"][0]["image"].rpartition(":")[2]
    known: dict[str, str] = {}
    for image in (artifact["image"] for artifact in CONFIG["build"]["artifacts"]):
        variable = re.sub(r"[/.-]", "_", image)
        known[f"{{{{.IMAGE_REPO_{variable}}}}}"] = f"docker.io/{image}"
        known[f"{{{{.IMAGE_TAG_{variable}}}}}"] = tag
    values = [f"--set={key}={known[value]}" for key, value in release["setValueTemplates"].items()]
    return [*values, *profile["patches"][0]["value"]["upgrade"]]


@pytest.fixture
def in_dev(system: Cluster) -> Iterator[Cluster]:
    """The release as the dev profile deploys it. Afterwards it is restored."""
    install(system, *_deployed(system), within="180s")
    yield system
    install(system, within="180s")


def _pod(cluster: Cluster) -> dict[str, Any]:
    found = [
        pod
        for pod in cluster.items("pods", f"--selector=app.kubernetes.io/component={SERVICE}")
        if "deletionTimestamp" not in pod["metadata"]
    ]
    (only,) = found
    return only


def _sync_and_hook() -> tuple[str, list[str]]:
    """The folder into which the dev profile copies changed files, and the command that it runs afterwards."""
    (profile,) = [each for each in CONFIG["profiles"] if each["name"] == "dev"]
    (artifact,) = [a for a in profile["build"]["artifacts"] if a["image"] == f"deltastream/{SERVICE}"]
    (folder,) = {rule["dest"] for rule in artifact["sync"]["manual"]}
    (hook,) = artifact["sync"]["hooks"]["after"]
    return folder, hook["container"]["command"]


def test_changed_code_is_copied_into_a_running_container_and_runs(in_dev: Cluster) -> None:
    """Like skaffold, the test unpacks a tar in the container and runs the hook.

    The container restarts and the pod stays.
    """
    wait_until(lambda: len(in_dev.items("pods", f"--selector=app.kubernetes.io/component={SERVICE}")) == 1,
               "the old pod is gone", 90)  # fmt: skip
    folder, command = _sync_and_hook()
    before, mark = _pod(in_dev), f"synced-{uuid.uuid4().hex}"
    changed = (ROOT / "services" / SERVICE / "app.py").read_text() + f'\nprint("{mark}", flush=True)\n'
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("app.py")
        member.size = len(changed.encode())
        tar.addfile(member, io.BytesIO(changed.encode()))
    pod = before["metadata"]["name"]
    tar_in = ("exec", "--stdin", pod, "--", "tar", "xmf", "-", "-C", folder, "--no-same-owner")
    in_dev.kubectl(*tar_in, stdin=archive.getvalue().decode())
    in_dev.kubectl("exec", pod, "--", *command)
    wait_until(lambda: mark in in_dev.kubectl("logs", pod, "--tail=200"), "the new code runs")
    after = _pod(in_dev)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["containerStatuses"][0]["restartCount"] == 1
    in_dev.kubectl("wait", f"pod/{pod}", "--for=condition=Ready", "--timeout=60s")
    in_dev.kubectl("rollout", "status", f"deployment/{NAME}-{SERVICE}", "--timeout=60s")
