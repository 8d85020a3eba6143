"""The recordings' known figures are right after the whole path: file, stream, worker, stores, REST."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from devcluster.waiting import wait_until

from tests.support.contracts import validator
from tests.support.local_system import LocalSystem, running

pytestmark = pytest.mark.timeout(400)  # the first test also waits for the system
CLOSE, EXPIRY_DAY = "2024-06-27", "2024-06-20"


def stored_chain(system: LocalSystem, expiry: str) -> dict[str, Any]:
    """The newest stored chain of NIFTY for an expiry, read through the API gateway."""
    path = f"/api/data/chain/NIFTY?expiry={expiry}"
    wait_until(lambda: bool((system.call(path)[1] or {}).get("chains")), "a chain is stored")
    chain: dict[str, Any] = system.get(path)["chains"][0]
    return chain


def test_the_close_of_21_june_2024(system: LocalSystem) -> None:
    """Ratios, max pain, forward, straddle and at-the-money volatility are as computed by hand (quant.md)."""
    chain = stored_chain(system, CLOSE)
    assert chain["forward"] == pytest.approx(23465.65, abs=0.5)
    assert chain["atm_straddle_price"] == pytest.approx(255.88, abs=0.01)
    assert chain["atm_iv"] == pytest.approx(0.1063, abs=0.0005)
    ratios = system.get(f"/api/analytics/pcr/NIFTY?expiry={CLOSE}")
    assert (ratios["pcr_oi"], ratios["pcr_volume"]) == (0.9155, 0.9808)
    assert ratios["latest"]["pcr_oi"] == 0.9155
    assert system.get(f"/api/analytics/max-pain/NIFTY?expiry={CLOSE}")["max_pain_strike"] == 23400


def test_calls_and_puts_near_the_money_agree(system: LocalSystem) -> None:
    """The forward is right exactly if call and put of a strike imply the same volatility."""
    chain = stored_chain(system, CLOSE)
    gaps = [
        abs(call["iv"] - put["iv"])
        for call, put in zip(chain["calls"], chain["puts"], strict=True)
        if abs(call["strike"] - chain["forward"]) <= 200 and None not in (call["iv"], put["iv"])
    ]
    assert len(gaps) >= 8
    assert max(gaps) <= 0.001


def test_cached_and_stored_values_are_valid_by_the_contracts(system: LocalSystem) -> None:
    """Checks the latest documents and cached values of every feed, with American and European options."""
    stored_chain(system, CLOSE)
    with system.database() as database:
        for name in ("underlying_ticks", "option_quotes", "option_chains"):
            documents = list(database[name].find().sort("_id", -1).limit(200))
            assert documents
            for document in documents:
                plain = {key: _plain(value) for key, value in document.items()}
                validator(f"document-{name}").validate(plain)


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else value


@pytest.fixture
def expiry_day(tmp_path: Path) -> Iterator[LocalSystem]:
    with running(tmp_path, "k8s/samples/instead/nifty-expiry-day.yaml") as system:
        yield system


def test_three_hours_before_expiry_on_20_june_2024(expiry_day: LocalSystem) -> None:
    """The figures of the expiry-day sample, which runs alone."""
    chain = stored_chain(expiry_day, EXPIRY_DAY)
    assert chain["forward"] == pytest.approx(23599.44, abs=0.5)
    assert chain["atm_straddle_price"] == pytest.approx(57.40, abs=0.01)
    ratios = expiry_day.get(f"/api/analytics/pcr/NIFTY?expiry={EXPIRY_DAY}")
    assert (ratios["pcr_oi"], ratios["pcr_volume"]) == (1.0894, 0.8828)
    assert expiry_day.get(f"/api/analytics/max-pain/NIFTY?expiry={EXPIRY_DAY}")["max_pain_strike"] == 23550
