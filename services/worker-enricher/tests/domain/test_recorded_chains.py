"""Tests of the reference values of two recorded NIFTY chains."""

from __future__ import annotations

import pytest
from tests.support.contracts import example, validator

from worker_enricher.domain.chain import enrich_chains


def test_the_close_of_21_june_2024(build):
    """Check forward, straddle, volatility, PCR and max pain of a chain six days before expiry."""
    done = enrich_chains([build.close_chain()])[0]
    assert done["forward"] == pytest.approx(23465.65, abs=0.5)
    assert done["discount"] == 1.0
    assert done["forward_reason"] == "discount_assumed"
    assert done["atm_strike"] == 23450
    assert done["atm_straddle_price"] == pytest.approx(255.88, abs=0.01)
    assert done["atm_iv"] == pytest.approx(0.1063, abs=0.0005)
    assert done["pcr_oi"] == pytest.approx(0.9155, abs=5e-5)
    assert done["pcr_volume"] == pytest.approx(0.9808, abs=5e-5)
    assert done["max_pain_strike"] == 23400


def test_the_expiry_day_20_june_2024(build):
    """Check the same values three hours before expiry."""
    done = enrich_chains([build.expiry_day_chain()])[0]
    assert done["forward"] == pytest.approx(23599.44, abs=0.5)
    assert done["atm_straddle_price"] == pytest.approx(57.40, abs=0.01)
    assert done["pcr_oi"] == pytest.approx(1.0894, abs=5e-5)
    assert done["pcr_volume"] == pytest.approx(0.8828, abs=5e-5)
    assert done["max_pain_strike"] == 23550


def test_calls_and_puts_agree_near_the_money(build):
    """With the parity forward both legs have the same volatility, within 0.1 point at +-200 around it."""
    chain = build.close_chain()
    done = enrich_chains([chain])[0]
    rows = zip(chain.strikes, done["calls"]["iv"], done["puts"]["iv"], strict=True)
    near = [abs(c - p) for k, c, p in rows if abs(k - done["forward"]) <= 200]
    assert len(near) == 8
    assert max(near) <= 0.001


def test_the_result_merged_with_the_market_message_meets_the_contract(build):
    """The schema accepts the contract's example with every computed field replaced by our results."""
    for chain in (build.close_chain(), build.expiry_day_chain()):
        done = enrich_chains([chain])[0]
        message = example("enriched-option_chain") | {
            "strikes": chain.strikes.tolist(),
            "spot_price": chain.spot,
        }
        message |= {name: v for name, v in done.items() if name not in ("calls", "puts")}
        for side, leg in (("calls", chain.calls), ("puts", chain.puts)):
            n = len(chain.strikes)
            message[side] = {
                "bid": leg.bid.tolist(),
                "ask": leg.ask.tolist(),
                "last": leg.last.tolist(),
                "bid_size": [0] * n,
                "ask_size": [0] * n,
                "volume": leg.volume.astype(int).tolist(),
                "open_interest": leg.open_interest.astype(int).tolist(),
                **done[side],
            }
        validator("enriched-option_chain").validate(message)


def test_a_chain_does_not_depend_on_its_batch(build):
    """A chain has bitwise equal results alone and in a batch."""
    a, b = build.close_chain(), build.expiry_day_chain()
    together = enrich_chains([a, b, a])
    assert together == [enrich_chains([a])[0], enrich_chains([b])[0], enrich_chains([a])[0]]
