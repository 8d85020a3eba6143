"""A real kube-apiserver for tests, one a session.

A pytest plugin (see `addopts`): the fixture `api_server` is one server a session, `crd_server` the same with
our CRD in it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from devcluster.processes.api_server import ApiServer, serving, take_feeds

from tests.support import needs


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One for the session."""
    with needs.api_server_programs(), serving(tmp_path_factory.mktemp("api-server")) as server:
        yield server


@pytest.fixture(scope="session")
def crd_server(api_server: ApiServer) -> ApiServer:
    """The same server once it takes feeds (at `FEEDS`) and explains them."""
    take_feeds(api_server)
    return api_server
