"""One system for all integration tests: the default feeds, and one more that gives load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.local_system import DEFAULT_FEEDS, LocalSystem, running


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    """What `make run FEEDS=…` starts."""
    feeds = f"{DEFAULT_FEEDS},{Path(__file__).with_name('load.yaml')}"
    with running(tmp_path_factory.mktemp("system"), feeds) as started:
        yield started
