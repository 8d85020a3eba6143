"""Tests that single quotes agree with their chain, and have reasons for missing values."""

from __future__ import annotations

import numpy as np
import pytest

from worker_enricher.domain.chain import enrich_chains
from worker_enricher.domain.quotes import QuoteColumns, enrich_quotes

STRIKES = np.array([95.0, 100.0, 105.0])


def quotes(**changes):
    n = 1
    columns = {
        "ts": np.zeros(n, dtype=np.int64),
        "expiry_ts": np.full(n, 10**16),
        "european": np.ones(n, dtype=bool),
        "is_call": np.ones(n, dtype=bool),
        "spot": np.full(n, 100.0),
        "strike": np.full(n, 100.0),
        "bid": np.full(n, 4.0),
        "ask": np.full(n, 4.2),
        "forward": np.full(n, 101.0),
        "discount": np.ones(n),
    }
    return QuoteColumns(**(columns | {name: np.array([value]) for name, value in changes.items()}))


def test_a_quote_has_the_numbers_of_its_chain(build):
    """With the same forward and terms, volatility and Greeks are the same."""
    chain = build.priced_chain(strikes=STRIKES, sigma=np.full(3, 0.2), forward=101.0, half_spread=0.02)
    whole = enrich_chains([chain])[0]
    done = enrich_quotes(
        QuoteColumns(
            ts=np.zeros(3, dtype=np.int64),
            expiry_ts=np.full(3, chain.expiry_ts),
            european=np.ones(3, dtype=bool),
            is_call=np.ones(3, dtype=bool),
            spot=np.full(3, chain.spot),
            strike=STRIKES,
            bid=chain.calls.bid,
            ask=chain.calls.ask,
            forward=np.full(3, whole["forward"]),
            discount=np.full(3, whole["discount"]),
        )
    )
    for name in ("iv_bid", "iv", "iv_ask", "delta", "gamma", "vega", "theta", "rho"):
        assert done[name] == pytest.approx(whole["calls"][name], rel=1e-12)
    assert done["iv_reason"] == [None] * 3


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bid": 0.0}, "no_quote"),
        ({"bid": 5.0}, "crossed"),
        ({"ask": 9.0}, "wide_spread"),
        ({"strike": 90.0}, "below_intrinsic"),
        ({"bid": 109.0, "ask": 110.0}, "above_max"),
        ({"forward": np.nan}, "no_forward"),
        ({"discount": np.nan}, "no_forward"),
        ({"european": False}, "american_exercise"),
        ({"ts": 10**16}, "expired"),
        ({"ts": 10**16, "forward": np.nan, "bid": 0.0, "european": False}, "expired"),
    ],
)
def test_a_quote_without_volatility_has_a_reason(changes, reason):
    """Each quote has one reason, the most general one. Volatility and Greeks are null."""
    done = enrich_quotes(quotes(**changes))
    assert done["iv_reason"] == [reason]
    assert done["iv"] == done["delta"] == done["gamma"] == done["rho"] == [None]


@pytest.mark.parametrize(
    ("price", "discount", "reason"),
    [(10.95, 1.0, "bounds_unknown"), (10.95, 0.999, "below_intrinsic"), (10.4, 1.0, "below_intrinsic")],
)
def test_an_assumed_discount_alone_does_not_refuse_a_quote(price, discount, reason):
    """11 in the money at 30 days: 10.95 is plausible at 10 % per year, 10.4 at no rate up to 50 %."""
    changes = {"strike": 90.0, "bid": price - 0.01, "ask": price + 0.01, "discount": discount}
    done = enrich_quotes(quotes(**changes, expiry_ts=30 * 86_400 * 10**9))
    assert done["iv_reason"] == [reason]
