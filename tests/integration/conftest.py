"""One system for all integration tests: the default feeds, and one more that gives load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from devcluster.waiting import wait_until

from tests.support.local_system import DEFAULT_FEEDS, LocalSystem, running


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    """What `make run FEEDS=…` starts, once every feed has delivered; it ends with this folder."""
    feeds = f"{DEFAULT_FEEDS},{Path(__file__).with_name('load.yaml')}"
    with running(tmp_path_factory.mktemp("system"), feeds) as started:
        wait_until(lambda: len(known(started)) == 12, "all products are stored")
        yield started


def known(system: LocalSystem) -> list[str]:
    """Products with stored data."""
    _, answer = system.call("/api/data/products")
    return answer["products"] if answer else []
