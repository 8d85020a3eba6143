"""Fixtures that run the real operator process against a real API server. Each test has its own namespace."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from devcluster.processes.api_server import ApiServer, controlling
from devcluster.processes.operator_process import Cluster, Operator, new_namespace
from tests.support import needs


@pytest.fixture
def cluster(crd_server: ApiServer) -> Cluster:
    """Return an empty namespace."""
    return new_namespace(crd_server)


@pytest.fixture
def make_operator(cluster: Cluster, tmp_path: Path) -> Iterator[Callable[[], Operator]]:
    """Return a function that prepares operators of the namespace. All operators end with the test."""
    made: list[Operator] = []

    def make() -> Operator:
        home = tmp_path / f"operator-{len(made)}"
        home.mkdir()
        made.append(Operator(cluster, home))
        return made[-1]

    yield make
    for operator in made:
        if operator.process:
            operator.stop(signal.SIGKILL)  # a stop by SIGTERM takes kopf 5 s; one test checks it


@pytest.fixture
def operator(make_operator: Callable[[], Operator]) -> Operator:
    """Return a running operator."""
    made = make_operator()
    made.start()
    return made


@pytest.fixture(scope="module")
def controllers(crd_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run kube-controller-manager for one module. In other modules only the operator changes objects."""
    with needs.api_server_programs(), controlling(crd_server, tmp_path_factory.mktemp("controllers")):
        yield
