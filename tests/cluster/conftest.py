"""The cluster of a test run: the node in a box with the project's images, or one made by `make kind-up`.

Scope package, so that the node ends with this folder and takes no memory from the tests after it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from devcluster.kube import Cluster, ours
from devcluster.node.machine import Machine, unsupported
from devcluster.node.paths import NodePaths
from devcluster.node.ready import archives, up
from devcluster.release import NAME, install, namespace
from devcluster.terminal import say
from devcluster.tools import helm, kubectl

from tests.support import needs


@pytest.fixture(scope="session")
def able() -> None:
    """This machine can host a node; else skipped with the reason, or failed where CI=true."""
    if reason := unsupported():
        needs.lacking(reason)


@pytest.fixture(scope="package")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster made for these tests, or that of `DELTASTREAM_KUBECONFIG` if made for tests (kind)."""
    if given := os.environ.get("DELTASTREAM_KUBECONFIG"):
        yield ours(Cluster(Path(given), kubectl(), helm()))
        return
    request.getfixturevalue("able")
    machine = Machine(NodePaths("test"))
    with _alone(machine.paths):
        machine.down()  # what a run that was killed has left
        up(machine, archives(), say)
        yield ours(Cluster(machine.paths.kubeconfig, kubectl(), helm()))
        machine.down()


@contextmanager
def _alone(paths: NodePaths) -> Iterator[None]:
    """No other test run on this machine has the node; else this one fails rather than end that node."""
    paths.state.mkdir(parents=True, exist_ok=True)
    with (paths.state / "in-use").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pytest.fail("another test run on this machine uses the node; wait until it has ended")
        yield


@pytest.fixture(scope="package")
def machine(cluster: Cluster) -> Machine:
    """The node itself, for what only it can do, such as cutting the API server off."""
    if os.environ.get("DELTASTREAM_KUBECONFIG"):
        pytest.skip("only the node in a box lets a test reach into its network")
    return Machine(NodePaths("test"))


@pytest.fixture(scope="package")
def installed_pods(cluster: Cluster) -> list[dict[str, Any]]:
    """The release's pods as its first install left them, before any test had its way with them."""
    made = namespace(cluster, NAME)
    install(made, within="120s")
    return made.items("pods", f"--selector=app.kubernetes.io/instance={NAME}")


@pytest.fixture(scope="package")
def system(cluster: Cluster, installed_pods: list[dict[str, Any]]) -> Cluster:
    """The release with the chart's defaults, installed as a user would."""
    return cluster.within(NAME)
