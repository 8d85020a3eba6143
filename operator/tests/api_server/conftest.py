"""The real operator process against the real API server, each test in a namespace of its own."""

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
    """An empty namespace."""
    return new_namespace(crd_server)


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


@pytest.fixture(scope="module")
def controllers(crd_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Controllers of the session's server until this module ends: other tests are alone with the operator."""
    with needs.api_server_programs(), controlling(crd_server, tmp_path_factory.mktemp("controllers")):
        yield
