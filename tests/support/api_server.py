"""Pytest plugin (see `addopts`) with a real kube-apiserver for tests.

The fixture `api_server` is one server per session. `crd_server` is the same server with the project's CRD.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from devcluster.processes.api_server import ApiServer, serving, take_feeds

from tests.support import needs


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One API server for the session. Skips the test if its programs are missing, or fails with CI=true."""
    with needs.api_server_programs(), serving(tmp_path_factory.mktemp("api-server")) as server:
        yield server


@pytest.fixture(scope="session")
def crd_server(api_server: ApiServer) -> ApiServer:
    """The session's API server once it serves feeds (at `FEEDS`) and explains them."""
    take_feeds(api_server)
    return api_server
