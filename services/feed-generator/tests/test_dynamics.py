"""Simulated prices follow the model: martingale property, volatility, correlation and leverage.

Every estimate must lie within four standard errors of the theoretical value. The seed is fixed.
"""

from __future__ import annotations

from math import atanh, exp, log, sqrt
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feed_generator.domain.gbm import (
    CorrelatedPrices,
    Dynamics,
    cholesky,
    factor_correlation,
    poisson,
    u_shape,
)
from feed_generator.domain.rulebook import products, rules

ONE = [[1.0]]


def _ends(one: Dynamics, paths: int, years: float = 0.25, steps: int = 5) -> np.ndarray:
    ends = []
    for path in range(paths):
        prices = CorrelatedPrices([100.0], [one], ONE, [Random(f"7/{path}")])
        for _ in range(steps):
            prices.step(years / steps, [1.0])
        ends.append(prices.prices[0])
    return np.array(ends)


@pytest.mark.parametrize(
    "one",
    [
        Dynamics(drift=0.05, volatility=0.2),
        Dynamics(drift=0.05, volatility=0.2, jump_rate=4, jump_mean=-0.05, jump_sd=0.1),
        Dynamics(drift=0.0, volatility=0.3, variance_reversion=10, variance_vol=1.5, leverage=-0.6),
    ],
    ids=["diffusion", "jumps", "moving variance"],
)
def test_the_discounted_price_is_a_martingale(one: Dynamics) -> None:
    """E[e^(-mu T) S(T)] = S(0): the compensator cancels the average drift of the jumps."""
    years = 0.25
    ends = exp(-one.drift * years) * _ends(one, 4000, years)
    assert abs(ends.mean() - 100) < 4 * ends.std() / sqrt(len(ends))


def _returns(one: Dynamics, count: int, years: float, factor: float = 1.0) -> np.ndarray:
    prices = CorrelatedPrices([100.0], [one], ONE, [Random(7)])
    logs = [log(100.0)]
    for _ in range(count):
        prices.step(years, [factor])
        logs.append(log(prices.prices[0]))
    return np.diff(logs)


@pytest.mark.parametrize("factor", [1.0, 0.6, 1.8])
def test_realised_volatility_is_the_products_times_the_time_of_day(factor: float) -> None:
    """The standard error of realised volatility over n steps is sigma / sqrt(2n)."""
    count, years, one = 20_000, 1 / 98_280, Dynamics(drift=0.05, volatility=0.13)
    realised = _returns(one, count, years, factor).std() / sqrt(years)
    expected = 0.13 * sqrt(factor)
    assert abs(realised - expected) < 4 * expected / sqrt(2 * count)


def test_the_step_is_exact_however_long_it_is() -> None:
    """A single step of a year has the exact log-normal mean mu - v/2 and sd sigma, without Euler error."""
    one, paths = Dynamics(drift=0.1, volatility=0.5), 4000
    logs = np.log(_ends(one, paths, years=1.0, steps=1) / 100)
    assert abs(logs.mean() - (0.1 - 0.125)) < 4 * 0.5 / sqrt(paths)
    assert abs(logs.std() - 0.5) < 4 * 0.5 / sqrt(2 * paths)


def _pair_returns(first: str, second: str, count: int = 20_000) -> np.ndarray:
    markets = [rules(name).market for name in (first, second)]
    plain = [Dynamics(drift=0, volatility=one.dynamics.volatility) for one in markets]
    correlation = factor_correlation([one.factors for one in markets])
    prices = CorrelatedPrices([100.0, 100.0], plain, correlation, [Random("7/a"), Random("7/b")])
    path = [list(prices.prices)]
    for _ in range(count):
        prices.step(1e-5, [1.0, 1.0])
        path.append(list(prices.prices))
    return np.diff(np.log(path), axis=0)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("NIFTY", "BANKNIFTY", 0.35 * 0.3 + 0.85 * 0.8),
        ("SPX", "AAPL", 0.6 * 0.4 + 0.7 * 0.6),
        ("NIFTY", "TSLA", 0.35 * 0.4),
    ],
)
def test_products_move_together_by_their_common_factors(first: str, second: str, expected: float) -> None:
    """The sample correlation equals the sum of products of loadings. Fisher's z has the s.e. 1/sqrt(n-3)."""
    count = 20_000
    sample = np.corrcoef(_pair_returns(first, second, count).T)[0, 1]
    assert abs(atanh(sample) - atanh(expected)) < 4 / sqrt(count - 3)


def test_variance_rises_when_the_price_falls_and_reverts_to_its_own_level() -> None:
    """corr(dS, d ln v) is the leverage; ln(v / level) has the stationary sd vol / sqrt(2 reversion)."""
    count, years, leverage = 20_000, 1e-3, -0.6
    one = Dynamics(drift=0, volatility=0.2, variance_reversion=10, variance_vol=1.5, leverage=leverage)
    prices = CorrelatedPrices([100.0], [one], ONE, [Random(7)])
    gaps, draws = [0.0], []
    for _ in range(count):
        price, variance = prices.prices[0], prices.variances[0]
        prices.step(years, [1.0])
        gaps.append(log(prices.variances[0] / 0.04))
        draws.append((log(prices.prices[0] / price) + variance / 2 * years) / sqrt(variance * years))
    keep = exp(-10 * years)
    shocks = np.array(gaps[1:]) - keep * np.array(gaps[:-1])
    sample = np.corrcoef(shocks, draws)[0, 1]
    assert abs(atanh(sample) - atanh(leverage)) < 4 / sqrt(count - 3)
    stationary = 1.5**2 / 20
    # The effective sample size for the variance of an AR(1) series of n values is n (1 - a^2)/(1 + a^2).
    free = count * (1 - keep**2) / (1 + keep**2)
    assert abs(np.var(gaps) - stationary) < 4 * stationary * sqrt(2 / free)


def test_the_days_variance_is_a_u_with_mean_one() -> None:
    """The factor is highest at both ends and lowest in the middle. Its mean over the session is 1."""
    grid = (np.arange(10_000) + 0.5) / 10_000
    values = np.array([u_shape(x) for x in grid])
    assert abs(values.mean() - 1) < 1e-7
    assert values.argmin() in (4999, 5000)
    assert (np.diff(values[:5000]) < 0).all()
    assert np.allclose(values, values[::-1])
    assert u_shape(None) == 1


def test_poisson_numbers_have_their_mean_and_variance() -> None:
    """The s.e. of the mean m is sqrt(m/n), that of the variance m is sqrt((m + 2m^2)/n). Mean 0 gives 0."""
    rng, mean, count = Random(7), 0.7, 20_000
    drawn = np.array([poisson(rng, mean) for _ in range(count)])
    assert abs(drawn.mean() - mean) < 4 * sqrt(mean / count)
    assert abs(drawn.var() - mean) < 4 * sqrt((mean + 2 * mean**2) / count)
    assert poisson(rng, 0) == 0


@given(st.lists(st.sampled_from(products()), min_size=1, max_size=len(products()), unique=True))
def test_any_selection_of_products_has_a_correlation_matrix(names: list[str]) -> None:
    """The matrix of any products of a shard is positive definite, and L L^T reproduces it."""
    matrix = factor_correlation([rules(name).market.factors for name in names])
    lower = np.zeros((len(names), len(names)))
    for i, row in enumerate(cholesky(matrix)):
        lower[i, : i + 1] = row
    assert np.allclose(lower @ lower.T, matrix)
    assert (np.diag(lower) > 0).all()


def test_an_impossible_correlation_is_refused() -> None:
    """Two perfectly correlated products have no Cholesky factor."""
    with pytest.raises(ValueError, match="positive definite"):
        cholesky([[1.0, 1.0], [1.0, 1.0]])
