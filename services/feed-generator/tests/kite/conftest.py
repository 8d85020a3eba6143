"""A fake Kite, and a generator's part that is connected to it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import fake_kite
from tests.support.fake_kite import FakeKite
from tests.support.kite_desk import PRODUCTS, Runner, running
from tests.support.kite_market import KiteMarket


@pytest.fixture
def kite() -> Iterator[FakeKite]:
    with fake_kite.running(KiteMarket(PRODUCTS, time.time_ns())) as fake:
        yield fake


@pytest.fixture
def desk(kite: FakeKite, tmp_path: Path) -> Iterator[Runner]:
    with running(kite, tmp_path) as runner:
        runner.until(runner.connected)
        yield runner
