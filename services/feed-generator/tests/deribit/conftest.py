"""A fake Deribit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.deribit_session import SCALE, PatientClock
from tests.support.fake_deribit.market import Market
from tests.support.fake_deribit.server import FakeDeribit, running


@pytest.fixture
def clock() -> PatientClock:
    """The clock that session and exchange share."""
    return PatientClock()


@pytest.fixture
def exchange(clock: PatientClock) -> Iterator[FakeDeribit]:
    """A running exchange with BTC and ETH."""
    market = Market(clock.now_ms(), strikes=6)
    with running(FakeDeribit(market, now_ms=clock.now_ms, scale=SCALE)) as fake:
        yield fake
