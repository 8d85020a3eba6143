"""Tests of the accuracy of implied volatility, and of its refusals."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker_enricher.domain.black import greeks, price
from worker_enricher.domain.implied_vol import EPS, IvReason, implied_volatility

TOTAL_VOLS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0)
DEVIATIONS = (0, 0.1, 0.25, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8)
WINGS = (10, 15, 20, 30)


def solve(price, *, is_call=True, forward=100.0, strike=100.0, discount=1.0, t=1.0):
    shape = np.shape(price)
    full = lambda x: np.broadcast_to(np.asarray(x), shape).copy()  # noqa: E731
    return implied_volatility(
        price=np.asarray(price, dtype=np.float64),
        is_call=full(is_call),
        forward=full(forward),
        strike=full(strike),
        discount=full(discount),
        t=full(t),
    )


@pytest.fixture(scope="session")
def exact():
    """Rows (s, deviations, strike, OTM price, ITM price, vega in s), from 60 digits, then rounded."""
    rows = []
    with mpmath.workdps(60):
        forward = mpmath.mpf(100)
        for s in TOTAL_VOLS:
            for z in DEVIATIONS + WINGS:
                for sign in (-1, 1):
                    if z * s > 12 or (z == 0 and sign == 1):
                        continue
                    strike = float(forward * mpmath.exp(sign * z * mpmath.mpf(s)))
                    k, total = mpmath.mpf(strike), mpmath.mpf(s)
                    d1 = mpmath.log(forward / k) / total + total / 2
                    # Use the lower tail of each N, so that the difference is precise in the wings.
                    call = forward * mpmath.ncdf(d1) - k * mpmath.ncdf(d1 - total)
                    put = k * mpmath.ncdf(total - d1) - forward * mpmath.ncdf(-d1)
                    vega = forward * mpmath.npdf(d1)
                    otm_call = strike >= 100.0
                    otm, itm = (call, put) if otm_call else (put, call)
                    if otm < mpmath.mpf("1e-300"):
                        continue
                    rows.append((s, z, strike, float(otm), float(itm), float(vega), otm_call))
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def test_the_out_of_the_money_error_is_within_1e_12(exact):
    """The error of s is at most 1e-12 for s = 0.01 to 2, up to 8 deviations from the money and beyond."""
    s, z, strike, otm, _itm, _vega, otm_call = exact
    sigma, reason = solve(otm, is_call=otm_call, strike=strike)
    assert np.count_nonzero(z <= 8) > 200
    assert np.count_nonzero(z > 8) > 40
    assert not reason.any()
    assert np.max(np.abs(sigma - s)) <= 1e-12


def test_the_in_the_money_error_is_within_the_rounding_of_the_price(exact):
    """The error of a solved in-the-money lane is at most 4 eps price / vega, or 2e-15 if that is larger.

    The 2e-15 is the solver's own error, also out of the money, from the rounding of ln(F/K) and of two erfcx.
    """
    s, _z, strike, _otm, itm, vega, otm_call = exact
    sigma, reason = solve(itm, is_call=~otm_call, strike=strike)
    solved = reason == 0
    assert np.count_nonzero(solved) > 100
    bound = 4 * EPS * itm / vega
    assert np.all(np.abs(sigma - s)[solved] <= np.maximum(bound, 2e-15)[solved])
    assert np.count_nonzero(bound[solved] > 2e-15) > 40


def test_in_the_money_prices_without_information_are_refused(exact):
    """Where eps price / vega >= 1e-2, doubles are too coarse for an answer, so all prices are refused."""
    _s, _z, strike, _otm, itm, vega, otm_call = exact
    sigma, reason = solve(itm, is_call=~otm_call, strike=strike)
    lost = EPS * itm / vega >= 1e-2
    assert np.count_nonzero(lost) > 40
    assert np.isnan(sigma[lost]).all()
    assert set(reason[lost].tolist()) <= {IvReason.INFO_LOST, IvReason.BELOW_INTRINSIC, IvReason.ABOVE_MAX}


def test_solves_hulls_example():
    """Hull's example S=21 K=20 r=.10 T=.25 C=1.875 has a volatility of 23.45 %."""
    sigma, _ = solve([1.875], forward=21 * math.exp(0.025), strike=20.0, discount=math.exp(-0.025), t=0.25)
    assert sigma[0] == pytest.approx(0.23451291399764315, abs=1e-14)


@pytest.mark.parametrize(
    ("reason", "terms"),
    [
        (IvReason.NO_QUOTE, {"price": math.nan}),
        (IvReason.ZERO_PRICE, {"price": 0.0}),
        (IvReason.ZERO_PRICE, {"price": -1.0}),
        (IvReason.BELOW_INTRINSIC, {"price": 9.0, "strike": 90.0}),
        (IvReason.BELOW_INTRINSIC, {"price": 9.0, "strike": 110.0, "is_call": False}),
        (IvReason.INFO_LOST, {"price": 10.0, "strike": 90.0}),
        (IvReason.ABOVE_MAX, {"price": 100.0}),
        (IvReason.ABOVE_MAX, {"price": 80.0, "strike": 80.0, "is_call": False}),
        (IvReason.ABOVE_MAX, {"price": 95.0, "discount": 0.9}),
        (IvReason.ABOVE_MAX, {"price": math.inf}),
        (IvReason.EXPIRED, {"price": 5.0, "t": 0.0}),
        (IvReason.EXPIRED, {"price": 5.0, "t": -1.0}),
        (IvReason.EXPIRED, {"price": 5.0, "t": math.nan}),
        (IvReason.NO_FORWARD, {"price": 5.0, "forward": math.nan}),
        (IvReason.NO_FORWARD, {"price": 5.0, "forward": -1.0}),
        (IvReason.NO_FORWARD, {"price": 5.0, "forward": math.inf}),
        (IvReason.NO_FORWARD, {"price": 5.0, "discount": math.nan}),
        (IvReason.NO_FORWARD, {"price": 5.0, "discount": 0.0}),
    ],
)
def test_an_ill_posed_price_is_refused_with_its_reason(reason, terms):
    """A price without a solution has no volatility, and the reason names the broken bound."""
    with np.errstate(all="raise", under="ignore"):
        sigma, reasons = solve([terms.pop("price")], **terms)
    assert np.isnan(sigma[0])
    assert reasons[0] == reason


def test_a_refused_lane_does_not_affect_its_neighbours():
    """Bid, mid and ask stacked as (3, n) over shared terms give the same results as separate calls."""
    prices = np.array([[math.nan, 9.0, 12.0], [5.0, 0.0, 12.5], [6.0, 200.0, 13.0]])
    strike = np.array([100.0, 105.0, 90.0])
    shared = {
        "is_call": np.ones(3, bool),
        "forward": np.full(3, 100.0),
        "discount": np.ones(3),
        "t": np.ones(3),
    }
    stacked = implied_volatility(price=prices, strike=strike, **shared)
    for row in range(3):
        for column in range(3):
            single = solve([prices[row, column]], strike=strike[column])
            assert single.reason[0] == stacked.reason[row, column]
            np.testing.assert_array_equal(single.sigma[0], stacked.sigma[row, column])


@settings(max_examples=300)
@given(
    s=st.floats(0.001, 6.0),
    z=st.floats(-12.0, 12.0),
    forward=st.floats(1e-2, 1e6),
    discount=st.floats(0.5, 1.2),
    t=st.floats(1e-6, 30.0),
)
def test_a_price_gives_back_its_volatility(s, z, forward, discount, t):
    """A round trip on the OTM side is exact within the rounding of the price, without a warning."""
    strike = forward * math.exp(max(min(z * s, 12.0), -12.0))
    kwargs = {
        "is_call": np.array([strike >= forward]),
        "forward": np.array([forward]),
        "strike": np.array([strike]),
        "discount": np.array([discount]),
        "t": np.array([t]),
    }
    sigma = np.array([s / math.sqrt(t)])
    with np.errstate(all="raise", under="ignore"):
        fair = price(sigma=sigma, **kwargs)
        found, reason = implied_volatility(price=fair, **kwargs)
        vega = greeks(spot=kwargs["forward"], sigma=sigma, **kwargs).vega[0] / math.sqrt(t)
    if reason[0]:
        assert reason[0] in (IvReason.INFO_LOST, IvReason.ABOVE_MAX)
        assert s > 6 or EPS * fair[0] >= 1e-3 * vega
    else:
        assert (
            abs(found[0] * math.sqrt(t) - s)
            <= 16 * EPS * fair[0] / vega + 16 * EPS * (1 + abs(z)) + 1e-13 * s
        )


@settings(max_examples=100)
@given(share=st.floats(1e-6, 0.9), step=st.floats(1e-6, 0.05), k=st.floats(50.0, 200.0))
def test_a_more_expensive_option_has_a_higher_volatility(share, step, k):
    """Implied volatility increases strictly with the price."""
    prices = np.array([share, share + step]) * min(100.0, k)
    sigma, reason = solve(prices, is_call=k >= 100.0, strike=k)
    assert not reason.any()
    assert sigma[1] > sigma[0]
