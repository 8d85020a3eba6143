"""Tests of the chain analytics on chains with known parameters."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from worker_enricher.domain.arbitrage import CHECKS
from worker_enricher.domain.chain import enrich_chains

STRIKES = np.arange(80.0, 121.0, 2.0)
SMILE = 0.2 + 0.3 * np.log(STRIKES / 100.0) ** 2


def truth(build, **changes):
    return build.priced_chain(**({"strikes": STRIKES, "sigma": SMILE, "forward": 101.0} | changes))


def replace(chain, side, column, index, value):
    leg = getattr(chain, side)
    values = getattr(leg, column).copy()
    values[index] = value
    return dataclasses.replace(chain, **{side: dataclasses.replace(leg, **{column: values})})


@pytest.mark.parametrize("discount", [1.0, 0.97])
def test_forward_discount_and_volatilities_of_a_priced_chain_are_recovered(build, discount):
    """Forward, discount and all OTM volatilities are exact to 1e-9, independent of the spot."""
    chain = truth(build, discount=discount, years=0.5, spot=90.0)
    done = enrich_chains([chain])[0]
    assert done["forward"] == pytest.approx(101.0, rel=1e-9)
    assert done["discount"] == pytest.approx(discount, rel=1e-9)
    assert done["forward_r2"] == pytest.approx(1.0, abs=1e-12)
    assert done["forward_reason"] is None
    otm = np.where(STRIKES < 101.0, done["puts"]["iv"], done["calls"]["iv"]).astype(float)
    np.testing.assert_allclose(otm, SMILE, rtol=1e-9)
    assert done["arbitrage"] == dict.fromkeys(CHECKS, 0)


def test_one_stale_pair_does_not_distort_the_forward(build):
    """A call whose quote is 5 off moves the forward by less than its half-spread."""
    chain = truth(build, half_spread=0.05)
    index = 12
    chain = replace(chain, "calls", "bid", index, chain.calls.bid[index] + 5)
    chain = replace(chain, "calls", "ask", index, chain.calls.ask[index] + 5)
    assert enrich_chains([chain])[0]["forward"] == pytest.approx(101.0, abs=0.05)


def test_a_short_expiry_assumes_the_discount(build):
    """One day before expiry, spreads of a tick hide the rate: D = 1, with the reason discount_assumed."""
    done = enrich_chains([truth(build, years=1 / 365, half_spread=0.05)])[0]
    assert done["discount"] == 1.0
    assert done["forward_reason"] == "discount_assumed"


def test_quotes_that_agree_give_the_discount_even_if_they_are_wide(build):
    """Wide spreads around exact mids are not noise: 90 days at 6.5 % must not give D = 1."""
    chain = truth(build, years=0.25, discount=0.984, half_spread=0.5)
    done = enrich_chains([chain])[0]
    assert done["forward_reason"] is None
    assert done["discount"] == pytest.approx(0.984, rel=1e-9)


@pytest.mark.parametrize(("pairs", "noise"), [(3, 0.01), (5, 0.02), (len(STRIKES), 0.14)])
def test_quotes_that_disagree_give_no_discount(build, pairs, noise):
    """With noise worth 3 % per year or more D = 1, even if a few strikes lie on a line by chance."""
    strikes = STRIKES[len(STRIKES) // 2 - pairs // 2 :][:pairs]
    flat = np.full(pairs, 0.2)
    chain = build.priced_chain(strikes=strikes, sigma=flat, forward=101.0, years=0.1, half_spread=noise)
    random = np.random.default_rng(7)
    for _ in range(100):
        moved = random.normal(0.0, noise, pairs)
        calls = dataclasses.replace(chain.calls, bid=chain.calls.bid + moved, ask=chain.calls.ask + moved)
        done = enrich_chains([dataclasses.replace(chain, calls=calls)])[0]
        assert (done["discount"], done["forward_reason"]) == (1.0, "discount_assumed")


def test_without_two_pairs_there_is_no_forward(build):
    """With one pair, forward, volatility and Greeks are null, with a reason."""
    done = enrich_chains([build.priced_chain(strikes=STRIKES[:1], sigma=SMILE[:1], forward=101.0)])[0]
    assert done["forward"] is None
    assert done["forward_reason"] == "too_few_pairs"
    assert done["calls"]["iv_reason"] == ["no_forward"]
    assert done["calls"]["delta"] == [None]


def test_pairs_without_parity_give_no_forward(build):
    """C - P that rises with the strike contradicts parity: bad_fit."""
    chain = truth(build)
    done = enrich_chains([dataclasses.replace(chain, calls=chain.puts, puts=chain.calls)])[0]
    assert (done["forward"], done["forward_reason"]) == (None, "bad_fit")


def test_an_expired_chain_has_neither_forward_nor_volatility(build):
    """At and after expiry_ts, years is 0 and the reasons are expired, without a warning."""
    chain = truth(build)
    for late in (0, 10**9):
        done = enrich_chains([dataclasses.replace(chain, ts=chain.expiry_ts + late)])[0]
        assert done["years_to_expiry"] == 0.0
        assert done["forward_reason"] == "expired"
        assert set(done["calls"]["iv_reason"]) == {"expired"}
        assert done["calls"]["iv"] == [None] * len(STRIKES)


def test_american_contracts_have_no_volatility(build):
    """Black's formula does not price early exercise, so there are no volatilities and no Greeks."""
    done = enrich_chains([truth(build, european=False)])[0]
    assert set(done["puts"]["iv_reason"]) == {"american_exercise"}
    assert done["puts"]["delta"] == [None] * len(STRIKES)
    assert done["atm_iv"] is None


@pytest.mark.parametrize(
    ("bid", "ask", "reason", "sides"),
    [
        (0.0, 9.0, "no_quote", (False, True)),
        (7.0, 0.0, "no_quote", (True, False)),
        (8.0, 7.5, "crossed", (False, False)),
        (6.0, 12.0, "wide_spread", (True, True)),
    ],
)
def test_a_poor_quote_has_no_mid_volatility_but_a_reason(build, bid, ask, reason, sides):
    """Usable sides have a volatility. An ITM call takes its Greeks from the put at its strike."""
    index = int(np.flatnonzero(STRIKES == 96)[0])
    chain = replace(truth(build), "calls", "bid", index, bid)
    chain = replace(chain, "calls", "ask", index, ask)
    clean, done = enrich_chains([truth(build), chain])
    calls = done["calls"]
    assert calls["iv"][index] is None
    assert calls["iv_reason"][index] == reason
    assert (calls["iv_bid"][index] is not None, calls["iv_ask"][index] is not None) == sides
    for greek in ("delta", "gamma", "vega", "theta", "rho"):
        assert calls[greek][index] == pytest.approx(clean["calls"][greek][index], rel=1e-6)


def test_an_otm_contract_without_volatility_has_no_greeks(build):
    """It does not use the ITM leg's volatility, which depends mostly on the spread."""
    index = len(STRIKES) - 1
    done = enrich_chains([replace(truth(build), "calls", "bid", index, 0.0)])[0]
    assert done["puts"]["iv"][index] is not None
    assert done["calls"]["delta"][index] is None


def test_the_atm_volatility_is_that_at_the_forward(build):
    """It is interpolated between strikes. A variance that is linear in ln K is reproduced exactly."""
    variance = 0.04 + 0.1 * np.log(STRIKES / 101.0)
    done = enrich_chains([truth(build, sigma=np.sqrt(variance))])[0]
    assert done["atm_iv"] == pytest.approx(0.2, rel=1e-9)
    assert done["expected_move"] == pytest.approx(101 * 0.2 * done["years_to_expiry"] ** 0.5, rel=1e-9)


def planted(build, side, column, strike, value):
    index = int(np.flatnonzero(strike == STRIKES)[0])
    counts = enrich_chains([replace(truth(build, half_spread=0.01), side, column, index, value)])[0][
        "arbitrage"
    ]
    return {name: count for name, count in counts.items() if count}


def test_a_crossed_quote_is_counted_once_and_nowhere_else(build):
    """The other checks ignore its prices."""
    assert planted(build, "calls", "bid", 100.0, 50.0) == {"crossed": 1}


def test_a_call_offered_under_its_intrinsic_value_is_executable(build):
    """An ask of 10.50 for a value of 11 violates its bound, at mid and executable prices, and parity."""
    chain = replace(truth(build, half_spread=0.01), "calls", "bid", 5, 10.48)
    found = enrich_chains([replace(chain, "calls", "ask", 5, 10.50)])[0]["arbitrage"]
    assert found["bounds_executable"] == found["bounds_mid"] == found["parity_executable"] == 1
    assert found["crossed"] == 0


def test_an_expensive_middle_strike_violates_its_butterfly_and_vertical(build):
    """A body bid far above its wings violates one butterfly and one vertical."""
    chain = truth(build, half_spread=0.01)
    index = int(np.flatnonzero(STRIKES == 110)[0])
    for column in ("bid", "ask"):
        chain = replace(chain, "calls", column, index, getattr(chain.calls, column)[index - 1] + 0.5)
    found = enrich_chains([chain])[0]["arbitrage"]
    assert found["butterfly_executable"] == 1
    assert found["butterfly_mid"] == 1
    assert found["vertical_executable"] == found["vertical_mid"] >= 1
    assert found["crossed"] == found["bounds_mid"] == found["bounds_executable"] == 0


def test_violations_do_not_reach_across_chains(build):
    """The last strike of a chain and the first of the next are not adjacent."""
    for analytics in enrich_chains([truth(build), truth(build, forward=140.0), truth(build, forward=60.0)]):
        assert analytics["arbitrage"] == dict.fromkeys(CHECKS, 0)


def test_no_chains_give_no_analytics():
    """An empty batch is not an error."""
    assert enrich_chains([]) == []


INDEX_STRIKES = np.arange(3000.0, 6500.0, 25.0)


def index_chain(build, *, rate, days=28, outliers=0, seed=0, strikes=INDEX_STRIKES):
    """Return a chain like those of SPX: with a rate, a dividend, and wide quotes in the money."""
    random = np.random.default_rng(seed)
    years = days / 365
    forward = 5000.0 * np.exp((rate - 0.013) * years)
    fair = build.priced_chain(
        strikes=strikes,
        sigma=np.clip(0.13 - 0.12 * np.log(strikes / forward) / np.sqrt(years), 0.08, 0.9),
        forward=forward,
        discount=np.exp(-rate * years),
        years=years,
        spot=5000.0,
    )

    def quoted(leg, intrinsic):
        half = 0.025 + 0.004 * leg.last + 0.01 * intrinsic
        mid = leg.last + random.uniform(-0.3, 0.3, len(strikes)) * half
        mid[random.choice(len(strikes), outliers, replace=False)] += 15.0
        bid = np.maximum(np.floor((mid - half) / 0.05) * 0.05, 0.0)
        return dataclasses.replace(leg, bid=bid, ask=np.ceil((mid + half) / 0.05) * 0.05)

    above = np.maximum(strikes - forward, 0.0)
    return dataclasses.replace(
        fair,
        calls=quoted(fair.calls, np.maximum(forward - strikes, 0.0)),
        puts=quoted(fair.puts, above),
    )


EXECUTABLE = [name for name in CHECKS if name.endswith("executable")]
LOPSIDED = np.arange(3000.0, 4600.0, 50.0)
FEW = np.arange(4000.0, 4600.0, 100.0)


@pytest.mark.parametrize("rate", [-0.008, 0.0003, 0.05, 0.4])
@pytest.mark.parametrize("strikes", [INDEX_STRIKES, LOPSIDED, FEW], ids=["all", "lopsided", "few"])
@pytest.mark.parametrize("days", [1, 28, 365])
def test_a_chain_without_arbitrage_has_no_executable_violation(build, rate, strikes, days):
    """Every true price is between bid and ask, so no executable violation exists for any discount."""
    for seed in range(3):
        chain = index_chain(build, rate=rate, days=days, seed=seed, strikes=strikes)
        done = enrich_chains([chain])[0]
        assert not any(done["arbitrage"][name] for name in EXECUTABLE), done["arbitrage"]
        if (
            done["forward"] is None
        ):  # no put so far below the money has a bid, or a D far from 1 cannot be estimated
            assert done["arbitrage_reason"] in ("too_few_pairs", "bad_fit")
            continue
        assert done["discount_low"] <= np.exp(-rate * days / 365) <= done["discount_high"]


def test_all_strikes_together_determine_a_discount_that_few_strikes_cannot(build):
    """At 28 days and 5 %, the 8 strikes on each side of the money are too noisy to estimate the slope."""
    for seed in range(5):
        chain = index_chain(build, rate=0.05, seed=seed, strikes=np.arange(4000.0, 6000.0, 5.0))
        done = enrich_chains([chain])[0]
        assert done["forward_reason"] is None
        assert done["discount"] == pytest.approx(np.exp(-0.05 * 28 / 365), abs=1e-3)


def test_outliers_leave_the_forward_and_the_range_right(build):
    """A twelfth of each side is quoted 15 too high. The true discount stays in the plausible range."""
    for seed in range(5):
        done = enrich_chains([index_chain(build, rate=0.05, seed=seed, outliers=12)])[0]
        assert done["discount_low"] <= np.exp(-0.05 * 28 / 365) <= done["discount_high"]
        assert done["forward"] == pytest.approx(5000 * np.exp(0.037 * 28 / 365), abs=0.5)


def test_an_assumed_discount_does_not_make_a_price_below_intrinsic(build):
    """Few pairs, 5 % a year: deep calls are below F - K, above D (F - K). Only lower prices are refused."""
    chain = index_chain(build, rate=0.05, strikes=FEW)
    done = enrich_chains([chain])[0]
    assert done["forward_reason"] == "discount_assumed"
    assert "below_intrinsic" not in done["calls"]["iv_reason"]
    low = replace(replace(chain, "calls", "bid", 0, 500.0), "calls", "ask", 0, 501.0)
    assert enrich_chains([low])[0]["calls"]["iv_reason"][0] == "below_intrinsic"


def test_checks_that_need_a_forward_are_null_without_one(build):
    """A count of 0 would wrongly mean that there is no violation."""
    one = build.priced_chain(strikes=STRIKES[:1], sigma=SMILE[:1], forward=101.0)
    early = truth(build, european=False)
    expired = dataclasses.replace(truth(build), ts=early.expiry_ts)
    for chain, reason in ((one, "too_few_pairs"), (expired, "expired"), (early, "american_exercise")):
        done = enrich_chains([chain])[0]
        assert done["arbitrage_reason"] == reason
        counts = done["arbitrage"]
        assert counts["bounds_mid"] is counts["bounds_executable"] is counts["parity_executable"] is None
        assert counts["crossed"] == counts["butterfly_mid"] == 0


def test_a_vertical_of_american_contracts_may_cost_its_undiscounted_width(build):
    """Immediate exercise pays the width now: 1.98 for 2 points violates only the European bound."""
    strikes = np.arange(80.0, 121.0, 2.0)
    chain = build.priced_chain(
        strikes=strikes, sigma=np.full(21, 0.2), forward=101.0, discount=0.9, years=2.0, half_spread=0.01
    )
    steep = chain.calls.ask[10] - 1.98
    for column in ("bid", "ask"):
        chain = replace(chain, "calls", column, 11, steep)
    european, american = enrich_chains([chain, dataclasses.replace(chain, european=False)])
    assert european["arbitrage"]["vertical_executable"] > american["arbitrage"]["vertical_executable"]
