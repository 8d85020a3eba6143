"""A fake Deribit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.deribit_session import SCALE, now_ms
from tests.support.fake_deribit.market import Market
from tests.support.fake_deribit.server import FakeDeribit, running


@pytest.fixture
def exchange() -> Iterator[FakeDeribit]:
    """A running exchange with BTC and ETH."""
    with running(FakeDeribit(Market(now_ms(), strikes=6), now_ms=now_ms, scale=SCALE)) as fake:
        yield fake
