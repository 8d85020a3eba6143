"""One running system for all integration tests: the default feeds, and the feeds `load` and `pushed`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from devcluster.waiting import wait_until

from tests.integration import deribit_session as deribit
from tests.support.local_system import DEFAULT_FEEDS, LocalSystem, running

OPERATOR = "operator@example.com"
"""The first account of the system, which has the role operator."""


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    """The system that `make run FEEDS=…` starts, after every feed has delivered. All tests here share it."""
    feeds = f"{DEFAULT_FEEDS},{Path(__file__).with_name('load.yaml')},k8s/samples/instead/pushed.yaml"
    with running(tmp_path_factory.mktemp("system"), feeds) as started:
        status, _ = started.call("/api/auth/register", {"email": OPERATOR, "password": "test123"})
        assert status == 201
        wait_until(lambda: len(known(started)) == 12, "all products are stored")
        yield started


@pytest.fixture(scope="package")
def deribit_session(tmp_path_factory: pytest.TempPathFactory) -> deribit.DeribitSession:
    """A session of the sample feed of Deribit, which is over."""
    return deribit.held(tmp_path_factory.mktemp("deribit"))


def known(system: LocalSystem) -> list[str]:
    """The products that have stored data."""
    _, answer = system.call("/api/data/products")
    return answer["products"] if answer else []
