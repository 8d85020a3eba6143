"""Tests of prices and Greeks against published tables and finite differences."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from worker_enricher.domain import black

CALL, PUT = True, False


def terms(is_call, s, k, q, r, t, sigma):
    one = np.asarray
    return {
        "is_call": one(is_call),
        "spot": one(float(s)),
        "forward": s * np.exp((r - q) * one(t)),
        "strike": one(float(k)),
        "discount": np.exp(-r * one(t)),
        "sigma": one(float(sigma)),
        "t": one(float(t)),
    }


def value(*case):
    kwargs = terms(*case)
    del kwargs["spot"]
    return float(black.price(**kwargs))


HULL = [
    (CALL, 42, 40, 0, 0.10, 0.5, 0.20, 4.7594223929),
    (PUT, 42, 40, 0, 0.10, 0.5, 0.20, 0.8085993729),
    (CALL, 49, 50, 0, 0.05, 0.3846, 0.20, 2.400461087),
    (CALL, 930, 900, 0.03, 0.08, 2 / 12, 0.20, 51.8329567965),
    (CALL, 24000, 24500, 0.012, 0.065, 7 / 365, 0.14, 38.3197618877),
    (PUT, 24000, 24500, 0.012, 0.065, 7 / 365, 0.14, 513.320346142),
]
HAUG = [
    (CALL, 60, 65, 0, 0.08, 0.25, 0.30, 2.1334),
    (PUT, 100, 95, 0.05, 0.10, 0.5, 0.20, 2.4648),
    (PUT, 19, 19, 0.10, 0.10, 0.75, 0.28, 1.7011),
    (CALL, 19, 19, 0.10, 0.10, 0.75, 0.28, 1.7011),
    (CALL, 1.56, 1.60, 0.08, 0.06, 0.5, 0.12, 0.0291),
    (PUT, 75, 70, 0.05, 0.10, 0.5, 0.35, 4.0870),
    (CALL, 42, 40, 0.08, 0.04, 0.75, 0.35, 5.0975),
]
HAUG += [
    (CALL, s, 100, 0.10, 0.10, t, sigma, v)
    for t, sigma, row in [
        (0.1, 0.15, (0.0205, 1.8734, 9.9413)),
        (0.1, 0.25, (0.3150, 3.1217, 10.3556)),
        (0.1, 0.35, (0.9474, 4.3693, 11.1381)),
        (0.5, 0.15, (0.8069, 4.0232, 10.5769)),
        (0.5, 0.25, (2.7026, 6.6997, 12.7857)),
        (0.5, 0.35, (4.9329, 9.3679, 15.3086)),
    ]
    for s, v in zip((90, 100, 110), row, strict=True)
]
HAUG += [
    (PUT, s, 100, 0.10, 0.10, t, sigma, v)
    for t, sigma, row in [(0.1, 0.15, (9.9210, 1.8734, 0.0408)), (0.5, 0.35, (14.4452, 9.3679, 5.7963))]
    for s, v in zip((90, 100, 110), row, strict=True)
]


@pytest.mark.parametrize("case", HULL)
def test_prices_hulls_examples_to_ten_digits(case):
    """Hull's cases, recomputed to ten decimals, match to the last digit."""
    assert value(*case[:-1]) == pytest.approx(case[-1], abs=6e-10)


@pytest.mark.parametrize("case", HAUG)
def test_prices_haugs_table_as_quantlib_tests_it(case):
    """QuantLib's own tolerance for the published four decimals is 1e-4."""
    assert value(*case[:-1]) == pytest.approx(case[-1], abs=1e-4)


def test_greeks_of_hulls_stock_example():
    """Hull's Greeks chapter, recomputed to ten digits."""
    g = black.greeks(**terms(CALL, 49, 50, 0, 0.05, 0.3846, 0.20))
    expected = (0.521601634, 0.0655453773, 12.1052427542, -4.3053899645, 8.9065740988)
    for actual, digits in zip(g, expected, strict=True):
        assert float(actual) == pytest.approx(digits, abs=6e-10)


def test_greeks_of_the_nifty_like_example():
    """All eight Greeks of the index case and the put delta, to ten decimals."""
    case = (24000, 24500, 0.012, 0.065, 7 / 365, 0.14)
    g = black.greeks(**terms(CALL, *case))
    h = black.higher_greeks(**terms(CALL, *case))
    expected = (0.1582819567, 0.0005191771, 802.9181007908, -3129.4949322759, 72.1181654549)
    for actual, digits in zip(g, expected, strict=True):
        assert float(actual) == pytest.approx(digits, abs=6e-10)
    assert float(h.vanna) == pytest.approx(1.7614161723, abs=6e-10)
    assert float(h.charm) == pytest.approx(-7.0876629559, abs=6e-10)
    assert float(h.volga) == pytest.approx(5862.4671870738, abs=6e-9)
    assert float(black.greeks(**terms(PUT, *case)).delta) == pytest.approx(-0.8414879328, abs=6e-10)


@pytest.mark.parametrize(
    ("case", "name", "published"),
    [
        ((CALL, 105, 100, 0.10, 0.10, 0.5, 0.36), "delta", 0.5946),
        ((PUT, 105, 100, 0.10, 0.10, 0.5, 0.36), "delta", -0.3566),
        ((CALL, 55, 60, 0, 0.10, 0.75, 0.30), "gamma", 0.0278),
        ((CALL, 55, 60, 0, 0.10, 0.75, 0.30), "vega", 18.9358),
        ((PUT, 430, 405, 0.05, 0.07, 1 / 12, 0.20), "theta", -31.1924),
        ((CALL, 72, 75, 0, 0.09, 1, 0.19), "rho", 38.7325),
    ],
)
def test_greeks_of_haugs_table(case, name, published):
    """Haug's Greeks match to the four printed decimals."""
    assert float(getattr(black.greeks(**terms(*case)), name)) == pytest.approx(published, abs=1e-4)


def test_dividend_rho_and_elasticity_of_haugs_table():
    """A put gains if the yield rises. Elasticity is delta S / price."""
    rho = black.higher_greeks(**terms(PUT, 500, 490, 0.05, 0.08, 0.25, 0.15)).dividend_rho
    assert float(rho) == pytest.approx(42.2254, abs=1e-4)
    case = (PUT, 105, 100, 0.10, 0.10, 0.5, 0.36)
    assert float(black.greeks(**terms(*case)).delta) * 105 / value(*case) == pytest.approx(-4.8775, abs=1e-4)


GRID = list(
    itertools.product(
        (CALL, PUT),
        (50, 99.5, 100, 100.5, 150),
        (0.04, 0.05, 0.06),
        (0.01, 0.05, 0.15),
        (1, 2),
        (0.11, 0.5, 1.2),
    )
)


def test_greeks_are_the_finite_differences_of_the_price():
    """Every Greek equals its finite difference on QuantLib's grid, within QuantLib's 1e-5 of the spot."""
    call, k, q, r, t, v = (np.array(column) for column in zip(*GRID, strict=True))

    def p(ds=0.0, dv=0.0, dt=0.0, dr=0.0, dq=0.0):
        return bump(black.price, ds, dv, dt, dr, dq, drop=True)

    def bump(function, ds=0.0, dv=0.0, dt=0.0, dr=0.0, dq=0.0, *, drop=False):
        s, tt = 100.0 + ds, t + dt
        kwargs = {
            "is_call": call,
            "spot": np.asarray(s),
            "forward": s * np.exp((r + dr - q - dq) * tt),
            "strike": k,
            "discount": np.exp(-(r + dr) * tt),
            "sigma": v + dv,
            "t": tt,
        }
        if drop:
            del kwargs["spot"]
        return function(**kwargs)

    g, h, e = bump(black.greeks), bump(black.higher_greeks), 1e-4

    def slope(**axis):
        ((name, step),) = axis.items()
        return (p(**{name: step}) - p(**{name: -step})) / (2 * step)

    def greek_slope(field, **axis):
        ((name, step),) = axis.items()
        up, down = bump(black.greeks, **{name: step}), bump(black.greeks, **{name: -step})
        return (getattr(up, field) - getattr(down, field)) / (2 * step)

    pairs = {
        "delta": (g.delta, slope(ds=e * 100)),
        "gamma": (g.gamma, greek_slope("delta", ds=e * 100)),
        "vega": (g.vega, slope(dv=e)),
        "theta": (g.theta, -slope(dt=e)),
        "rho": (g.rho, slope(dr=e)),
        "vanna": (h.vanna, greek_slope("delta", dv=e)),
        "volga": (h.volga, greek_slope("vega", dv=e)),
        "charm": (h.charm, -greek_slope("delta", dt=e)),
        "dividend_rho": (h.dividend_rho, slope(dq=e)),
    }
    for name, (exact, bumped) in pairs.items():
        assert np.max(np.abs(exact - bumped)) <= 1e-5 * 100, name


@pytest.mark.parametrize(("spot", "delta"), [(90.0, 0.0), (100.0, 0.5), (110.0, 1.0)])
def test_at_expiry_an_option_is_its_payoff(spot, delta):
    """At T = 0 the price is intrinsic, delta 0, 1/2 or 1, and other Greeks are 0, without a warning."""
    with np.errstate(all="raise", under="ignore"):
        g = black.greeks(**terms(CALL, spot, 100, 0, 0, 0, 0.2))
        assert value(CALL, spot, 100, 0, 0, 0, 0.2) == max(spot - 100, 0)
        assert value(PUT, spot, 100, 0, 0, 0, 0.2) == max(100 - spot, 0)
    assert float(g.delta) == delta
    assert [float(x) for x in g[1:]] == [0, 0, 0, 0]
    assert float(black.greeks(**terms(PUT, spot, 100, 0, 0, 0, 0.2)).delta) == delta - 1


def test_a_missing_volatility_stays_missing():
    """A NaN volatility gives NaN, also at expiry."""
    assert all(np.isnan(x) for x in black.greeks(**terms(CALL, 100, 100, 0, 0.05, 0.5, math.nan)))
