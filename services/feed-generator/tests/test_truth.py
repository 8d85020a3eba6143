"""The field `truth`: its surface has no arbitrage, and its prices invert to the generator's volatility.

The tests have their own formulas, with scipy's normal distribution and root finder.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq
from scipy.special import ndtr

from feed_generator.domain.rulebook import products, rules
from feed_generator.domain.ssvi import Ssvi, atm_total_variance

YEAR_NS = 365 * 86_400 * 10**9
Floats = NDArray[np.float64]


def black76(is_call: Any, forward: Any, strike: Any, discount: Any, vol: Any, years: Any) -> Any:
    """Black's formula (F. Black, J. Financial Economics 3, 1976)."""
    sd = vol * np.sqrt(years)
    d1 = np.log(forward / strike) / sd + sd / 2
    sign = np.where(is_call, 1.0, -1.0)
    return discount * sign * (forward * ndtr(sign * d1) - strike * ndtr(sign * (d1 - sd)))


def _vega(forward: float, strike: float, discount: float, vol: float, years: float) -> float:
    sd = vol * np.sqrt(years)
    d1 = np.log(forward / strike) / sd + sd / 2
    return float(discount * forward * np.exp(-d1 * d1 / 2) * np.sqrt(years / (2 * np.pi)))


def _prices(chain: dict[str, Any]) -> tuple[Floats, Floats, Floats]:
    """Return the strikes, and the unrounded prices of calls and puts."""
    truth, years = chain["truth"], (chain["expiry_ts"] - chain["ts"]) / YEAR_NS
    strikes = np.array(chain["strikes"])
    rest = (truth["forward"], strikes, truth["discount"], np.array(truth["iv"]), years)
    return strikes, black76(True, *rest), black76(False, *rest)


def test_a_quotes_true_price_inverts_to_the_generators_volatility(quotes: list[dict[str, Any]]) -> None:
    """The volatility agrees to 1e-9 wherever floating point allows it.

    The test skips quotes for which an error of 4 ulp of the forward would change the volatility by over
    2e-10. It inverts an in-the-money option as the opposite option at its strike. Parity is exact, so no
    precision is lost.
    """
    checked = 0
    for quote in quotes:
        truth, strike = quote["truth"], quote["strike"]
        forward, discount, iv = truth["forward"], truth["discount"], truth["iv"]
        years = (quote["expiry_ts"] - quote["ts"]) / YEAR_NS
        if 4 * np.spacing(forward) / _vega(forward, strike, discount, iv, years) > 2e-10:
            continue
        is_call, price = quote["option_type"] == "CALL", truth["price"]
        if (strike < forward) == is_call:  # in the money
            price -= discount * (forward - strike) * (1 if is_call else -1)
            is_call = not is_call
        rest = (is_call, forward, strike, discount)
        found = brentq(lambda v, r=rest, y=years, p=price: black76(*r, v, y) - p, 1e-3, 5, xtol=1e-13)
        assert found == pytest.approx(iv, abs=1e-9)
        checked += 1
    assert checked > 0.95 * len(quotes)


def test_a_quotes_true_price_is_blacks_price(quotes: list[dict[str, Any]]) -> None:
    """All quotes agree to 1e-12 of the forward, also far from the money."""
    for quote in quotes:
        truth, years = quote["truth"], (quote["expiry_ts"] - quote["ts"]) / YEAR_NS
        price = black76(
            quote["option_type"] == "CALL",
            truth["forward"],
            quote["strike"],
            truth["discount"],
            truth["iv"],
            years,
        )
        assert truth["price"] == pytest.approx(price, abs=1e-12 * truth["forward"])


def test_put_call_parity_holds_with_the_true_forward(quotes: list[dict[str, Any]]) -> None:
    """C - P = D(F - K) for every call and put of one strike, expiry and instant."""
    groups: dict[Any, dict[str, dict[str, Any]]] = defaultdict(dict)
    for quote in quotes:
        groups[quote["product"], quote["ts"], quote["expiry"], quote["strike"]][quote["option_type"]] = quote
    pairs = [sides for sides in groups.values() if len(sides) == 2]
    assert len(pairs) > 20
    for sides in pairs:
        call, put = sides["CALL"]["truth"], sides["PUT"]["truth"]
        assert (call["forward"], call["discount"], call["iv"]) == (put["forward"], put["discount"], put["iv"])
        right = call["discount"] * (call["forward"] - sides["CALL"]["strike"])
        assert call["price"] - put["price"] == pytest.approx(right, abs=1e-12 * call["forward"])


def test_the_true_forward_is_spot_carried_at_the_products_rates(chains: list[dict[str, Any]]) -> None:
    """F = S e^((r-q)T) and D = e^(-rT), with rate r and dividend yield q from the rulebook."""
    for chain in chains:
        rule, years = rules(chain["product"]), (chain["expiry_ts"] - chain["ts"]) / YEAR_NS
        carry = (rule.rate - rule.market.dividend_yield) * years
        assert chain["truth"]["forward"] == pytest.approx(chain["spot_price"] * np.exp(carry), rel=1e-13)
        assert chain["truth"]["discount"] == pytest.approx(np.exp(-rule.rate * years), rel=1e-13)


def test_true_prices_are_monotone_and_convex_in_the_strike(chains: list[dict[str, Any]]) -> None:
    """No vertical or butterfly spread has a negative price: -D <= dC/dK <= 0, 0 <= dP/dK <= D, convexity."""
    for chain in chains:
        strikes, calls, puts = _prices(chain)
        discount, slack = chain["truth"]["discount"], 1e-12 * chain["truth"]["forward"]
        steps = np.diff(strikes)
        for prices, low, high in ((calls, -discount, 0.0), (puts, 0.0, discount)):
            slopes = np.diff(prices) / steps
            assert (slopes >= low - slack).all()
            assert (slopes <= high + slack).all()
            assert (np.diff(slopes) >= -slack).all()


def test_true_variance_does_not_fall_with_time(bodies: list[dict[str, Any]]) -> None:
    """No calendar arbitrage: at equal ln(K/F) a later expiry has more total variance.

    The test compares chains of one instant, at those strikes of the nearer expiry that the later chain spans.
    """
    groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for body in bodies:
        if body["kind"] == "option_chain":
            groups[body["product"], body["ts"]].append(body)
    compared = 0
    for near, far in (pair for group in groups.values() for pair in pairwise(group)):
        (k, w), (far_k, far_w) = (
            (
                np.log(np.array(chain["strikes"]) / chain["truth"]["forward"]),
                np.array(chain["truth"]["iv"]) ** 2 * (chain["expiry_ts"] - chain["ts"]) / YEAR_NS,
            )
            for chain in (near, far)
        )
        inside = (k >= far_k[0]) & (k <= far_k[-1])
        assert (CubicSpline(far_k, far_w)(k[inside]) > w[inside]).all()
        compared += int(inside.sum())
    assert compared > 9 * 2 * 15


@given(
    product=st.sampled_from(products()),
    level=st.floats(0.05, 20),
    times=st.tuples(st.floats(1e-6, 2), st.floats(1e-6, 2)),
    k=st.floats(-1, 1),
)
def test_every_products_surface_is_free_of_calendar_arbitrage(
    product: str, level: float, times: tuple[float, float], k: float
) -> None:
    """Holds for any variance (`level` times the long-run variance) and any two expiries."""
    market = rules(product).market
    usual = market.dynamics.volatility**2
    thetas = [
        atm_total_variance(years, level * usual, usual, market.dynamics.variance_reversion)
        for years in sorted(times)
    ]
    early, late = (market.smile.total_variance(k, theta) for theta in thetas)
    assert 0 < early <= late * (1 + 1e-12)


@given(product=st.sampled_from(products()), theta=st.floats(1e-5, 1), k=st.floats(-1.5, 1.5))
def test_every_products_surface_is_free_of_butterfly_arbitrage(product: str, theta: float, k: float) -> None:
    """The implied density is not negative: Gatheral's g(k) >= 0, computed by central differences."""
    smile, h = rules(product).market.smile, 1e-4
    down, w, up = (smile.total_variance(k + shift, theta) for shift in (-h, 0, h))
    slope, curve = (up - down) / (2 * h), (up - 2 * w + down) / h**2
    g = (1 - k * slope / (2 * w)) ** 2 - slope**2 / 4 * (1 / w + 0.25) + curve / 2
    assert g >= -1e-6


@pytest.mark.parametrize("product", products())
def test_the_smile_has_its_level_and_slope_at_the_money(product: str) -> None:
    """w(0) = theta and dw/dk(0) = rho theta phi. The slope is negative, so puts cost more than calls."""
    smile, theta, h = rules(product).market.smile, 0.01, 1e-5
    assert smile.total_variance(0, theta) == pytest.approx(theta, rel=1e-14)
    slope = (smile.total_variance(h, theta) - smile.total_variance(-h, theta)) / (2 * h)
    phi = smile.eta / (theta**smile.gamma * (1 + theta) ** (1 - smile.gamma))
    assert slope == pytest.approx(smile.rho * theta * phi, rel=1e-6)
    assert slope < 0


@pytest.mark.parametrize(
    ("rho", "eta", "gamma"), [(-0.4, 1.5, 0.5), (1.0, 0.5, 0.5), (0, 1, 0.6), (0, 1, 0), (0, 0, 0.5)]
)
def test_a_shape_with_arbitrage_is_refused(rho: float, eta: float, gamma: float) -> None:
    """Gatheral and Jacquier's conditions are eta (1 + |rho|) <= 2, |rho| < 1 and 0 < gamma <= 0.5."""
    with pytest.raises(ValueError, match="SSVI"):
        Ssvi(rho=rho, eta=eta, gamma=gamma)
