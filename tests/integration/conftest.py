"""The running systems that integration tests share.

`system` has the default feeds and the feeds `load`, `roots` and `pushed`. `replays` replays recordings,
`files` files: they are apart because a product has one feed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from devcluster.waiting import wait_until

from tests.integration import deribit_session as deribit
from tests.integration.file_feeds import FILE_FEEDS
from tests.integration.replays import REPLAY, Recorded, Run, logged_in, record
from tests.support.local_system import DEFAULT_FEEDS, LocalSystem, running

OPERATOR = "operator@example.com"
"""The first account of the system, which has the role operator."""


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    """The system that `make run FEEDS=…` starts, after every feed has delivered. All tests here share it."""
    ours = ",".join(str(Path(__file__).with_name(name)) for name in ("load.yaml", "roots.yaml"))
    feeds = f"{DEFAULT_FEEDS},{ours},k8s/samples/instead/pushed.yaml"
    with running(tmp_path_factory.mktemp("system"), feeds) as started:
        assert started.call("/api/feeds")[0] == 200  # as soon as the system says that it is ready
        status, _ = started.call("/api/auth/register", {"email": OPERATOR, "password": "test123"})
        assert status == 201
        wait_until(lambda: len(known(started)) == 12, "all products are stored")
        yield started


@pytest.fixture(scope="package")
def deribit_session(tmp_path_factory: pytest.TempPathFactory) -> deribit.DeribitSession:
    """A session of the sample feed of Deribit, which is over."""
    return deribit.held(tmp_path_factory.mktemp("deribit"))


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where recordings and the feeds that replay them are."""
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="package")
def run(system: LocalSystem, folder: Path) -> Run:
    """Run a command as a user of `system`."""
    return logged_in(system, folder)


@pytest.fixture(scope="package")
def recorded(run: Run, system: LocalSystem, folder: Path) -> Recorded:
    """A recording of the feed `load`, while it runs."""
    return record(run, system, "load", folder, 3000)


@pytest.fixture(scope="package")
def replays(
    recorded: Recorded, deribit_session: deribit.DeribitSession, folder: Path
) -> Iterator[LocalSystem]:
    """A system that replays the two recordings."""
    of_deribit = deribit_session.recorded.folder / "deribit-btc.messages.gz"
    feeds = {
        "again": ("MIDCPNIFTY, MSFT, NVDA, SPX", f"path: {folder / 'load.messages.gz'}"),
        "again-btc": ("BTC", f"path: {of_deribit}"),
    }
    with running(folder / "replays", _written(feeds, folder)) as started:
        yield started


@pytest.fixture(scope="package")
def files(folder: Path) -> Iterator[LocalSystem]:
    """A system that replays each file that people have, in a feed of its own."""
    with running(folder / "files", _written(FILE_FEEDS, folder)) as started:
        yield started


def _written(feeds: Mapping[str, tuple[str, str]], folder: Path) -> str:
    """Write the YAML of replays. Returns the files, comma-separated."""
    for name, values in feeds.items():
        (folder / f"{name}.yaml").write_text(REPLAY % (name, *values))
    return ",".join(str(folder / f"{name}.yaml") for name in feeds)


def known(system: LocalSystem) -> list[str]:
    """The products that have stored data."""
    _, answer = system.call("/api/data/products")
    return answer["products"] if answer else []
