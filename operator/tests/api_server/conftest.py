"""The real operator process against the real API server, each test in a namespace of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.api_server import ApiServer, cached
from tests.support.operator_process import Cluster, Operator
from tests.support.stores import free_port


@pytest.fixture
def cluster(crd_server: ApiServer) -> Cluster:
    """An empty namespace."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    found = Cluster(crd_server, name)
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    found.ask("POST", "/api/v1/namespaces", body)
    return found


@pytest.fixture
def make_operator(cluster: Cluster, tmp_path: Path) -> Iterator[Callable[[], Operator]]:
    """Operators of the namespace that are not started yet; all end with the test."""
    made: list[Operator] = []

    def make() -> Operator:
        home = tmp_path / f"operator-{len(made)}"
        home.mkdir()
        made.append(Operator(cluster, home))
        return made[-1]

    yield make
    for operator in made:
        if operator.process:
            operator.stop(signal.SIGKILL)  # an orderly end is one test's subject and takes kopf 5 s


@pytest.fixture
def operator(make_operator: Callable[[], Operator]) -> Operator:
    """A running operator."""
    made = make_operator()
    made.start()
    return made


@pytest.fixture(scope="session")
def controllers(crd_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """kube-controller-manager: garbage collection, Deployments' and StatefulSets' status and pods."""
    program = cached("kube-controller-manager")
    if program is None:
        reason = "kube-controller-manager is not in the node's cache: run `make node-up` once"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    home = tmp_path_factory.mktemp("controllers")
    with open(home / "log", "ab") as log:
        process = subprocess.Popen(
            [
                str(program), f"--kubeconfig={crd_server.kubeconfig}", "--leader-elect=false",
                "--bind-address=127.0.0.1", f"--secure-port={free_port()}", f"--cert-dir={home}",
                "--controllers=garbage-collector-controller,deployment-controller,"
                "replicaset-controller,statefulset-controller",
            ],
            stdout=log, stderr=log, cwd=home,
        )  # fmt: skip
    yield
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
