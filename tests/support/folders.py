"""Pytest plugin (see `addopts`) that shares the tests of `pytest -n 2` between the processes by folder.

One process runs all tests of a folder, in their order: they share fixtures such as a running system. The
folders that take longest come first, so that both processes end at about the same time.
"""

from __future__ import annotations

import pytest
from xdist import is_xdist_worker
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

LONGEST = ("tests/cluster", "tests/browser", "operator/tests/api_server", "tests/integration", "tests/chart")


class FolderScheduling(LoadScopeScheduling):
    """A process that has no tests left gets those of the next folder."""

    def _split_scope(self, nodeid: str) -> str:
        return folder(nodeid)


def folder(nodeid: str) -> str:
    """Return the folder of a test. The parameters of a test may contain slashes, too."""
    return nodeid.partition("::")[0].rpartition("/")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FolderScheduling:
    config.option.loadscopereorder = False  # by the number of tests; the processes sort by time
    return FolderScheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Sort the folders of LONGEST before the others. The order in a folder stays."""
    if is_xdist_worker(session):
        items.sort(key=lambda item: _rank(folder(item.nodeid)))


def _rank(name: str) -> int:
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)
