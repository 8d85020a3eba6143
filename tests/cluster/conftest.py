"""The cluster of a test run: the one-node cluster with the project's images, or one made by `make kind-up`.

The fixtures have the scope package, so that the node ends with this folder and frees its memory for later
tests.
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
    """Skip the test with the reason if this machine cannot host a node; with CI=true, fail it."""
    if reason := unsupported():
        needs.lacking(reason)


@pytest.fixture(scope="package")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A new one-node cluster, or that of `DELTASTREAM_KUBECONFIG` if it was made for tests (kind)."""
    if given := os.environ.get("DELTASTREAM_KUBECONFIG"):
        yield ours(Cluster(Path(given), kubectl(), helm()))
        return
    request.getfixturevalue("able")
    machine = Machine(NodePaths("test"))
    with _alone(machine.paths):
        machine.down()  # remains of a killed run
        up(machine, archives(), say)
        yield ours(Cluster(machine.paths.kubeconfig, kubectl(), helm()))
        machine.down()


@contextmanager
def _alone(paths: NodePaths) -> Iterator[None]:
    """Lock the node for this test run. Fails if another run uses it, instead of ending that run's node."""
    paths.state.mkdir(parents=True, exist_ok=True)
    with (paths.state / "in-use").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pytest.fail("another test run on this machine uses the node; wait until it has ended")
        yield


@pytest.fixture(scope="package")
def machine(cluster: Cluster) -> Machine:
    """The node itself, for tests that need its network or processes, such as blocking the API server."""
    if os.environ.get("DELTASTREAM_KUBECONFIG"):
        pytest.skip("only the one-node cluster lets a test reach into its network")
    return Machine(NodePaths("test"))


@pytest.fixture(scope="package")
def installed_pods(cluster: Cluster) -> list[dict[str, Any]]:
    """The release's pods right after the first install, before any test changes them."""
    made = namespace(cluster, NAME)
    install(made, within="120s")
    return made.items("pods", f"--selector=app.kubernetes.io/instance={NAME}")


@pytest.fixture(scope="package")
def system(cluster: Cluster, installed_pods: list[dict[str, Any]]) -> Cluster:
    """The namespace of the release, which is installed with the chart's defaults."""
    return cluster.within(NAME)
