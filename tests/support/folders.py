"""Pytest plugin (see `addopts`) that shares the tests of `pytest -n 2` between the processes by folder.

One process runs all tests of a folder, in their order: they share fixtures such as a running system. The
folders that take longest come first, so that both processes end at about the same time.
"""

from __future__ import annotations

import pytest
from xdist import is_xdist_worker
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

LONGEST = (
    ("tests/cluster",),
    ("operator/tests/api_server",),
    ("tests/chart",),
    # The local run takes free ports at random, so only one of the processes starts local runs.
    ("tests/browser", "tests/integration", "operator/tests/local_run", "tests/docs"),
)


class FolderScheduling(LoadScopeScheduling):
    """A process that runs out of tests gets those of the next folder, or of the next joined folders."""

    def _split_scope(self, nodeid: str) -> str:
        folder = _folder(nodeid)
        return next((" ".join(joined) for joined in LONGEST if folder in joined), folder)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FolderScheduling:
    config.option.loadscopereorder = False  # by the number of tests; the processes sort by time
    return FolderScheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Sort the folders of LONGEST before the others. The order in a folder stays."""
    if is_xdist_worker(session):
        items.sort(key=lambda item: _rank(_folder(item.nodeid)))


def _folder(nodeid: str) -> str:
    """Return the folder of a test. The parameters of a test may contain slashes, too."""
    return nodeid.partition("::")[0].rpartition("/")[0]


def _rank(folder: str) -> int:
    return next((rank for rank, joined in enumerate(LONGEST) if folder in joined), len(LONGEST))
