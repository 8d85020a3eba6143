"""Correlated log-normal prices with jumps and stochastic variance, simulated in exact steps.

The jump-diffusion is R. Merton's (J. Financial Economics 3, 1976):

    S(t+dt) = S(t) exp((mu - v/2 - lambda m) dt + sqrt(v dt) Z + J)

J is the sum of N ~ Poisson(lambda dt) normal jumps and m = E[e^jump] - 1. The compensator lambda m makes
e^(-mu t) S a martingale. The variance v is constant within a step and scaled by the time of day. Its
logarithm is an Ornstein-Uhlenbeck process around the product's own level; a negative `leverage` lowers v when
the price rises. Time is in years of 365 days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt
from random import Random

YEAR_NS = 365 * 86_400 * 1_000_000_000


def cholesky(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return the lower triangular L with L L^T = `matrix` (n x n); row i of L has i+1 entries.

    Raises ValueError if `matrix` is not positive definite.
    """
    rows: list[list[float]] = []
    for i, line in enumerate(matrix):
        row: list[float] = []
        for j in range(i + 1):
            rest = line[j] - sum(a * b for a, b in zip(row, rows[j] if j < i else row, strict=False))
            if j < i:
                row.append(rest / rows[j][j])
            elif rest <= 0:
                raise ValueError("a correlation matrix must be positive definite")
            else:
                row.append(sqrt(rest))
        rows.append(row)
    return rows


def factor_correlation(loadings: Sequence[dict[str, float]]) -> list[list[float]]:
    """Return the n x n correlation matrix of n products: rho_ij = sum_f b_if b_jf, and 1 on the diagonal.

    `loadings` maps a factor's name to its loading b, for each product. The matrix is positive definite if the
    squares of each product's loadings sum to less than 1.
    """
    return [
        [
            1.0 if i == j else sum(b * other.get(f, 0.0) for f, b in own.items())
            for j, other in enumerate(loadings)
        ]
        for i, own in enumerate(loadings)
    ]


def u_shape(fraction: float | None) -> float:
    """Return the variance factor by time of day: 0.6 + 1.2 (2x - 1)^2, with mean 1 over the session.

    `fraction` is x, the part of the session that has passed; None outside the session, where the factor is 1.
    """
    return 1.0 if fraction is None else 0.6 + 1.2 * (2 * fraction - 1) ** 2


def poisson(rng: Random, mean: float) -> int:
    """Draw a Poisson number by multiplying uniforms; fast for small means.

    Source: D. Knuth, The Art of Computer Programming, volume 2, section 3.4.1.
    """
    if mean <= 0:
        return 0
    limit, product, count = exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


@dataclass(frozen=True, slots=True)
class Dynamics:
    """The parameters of one price process. Rates are per year, `volatility` is per square root of a year."""

    drift: float
    volatility: float
    jump_rate: float = 0.0
    jump_mean: float = 0.0
    jump_sd: float = 0.0
    variance_reversion: float = 1.0
    variance_vol: float = 0.0  # volatility of ln v
    leverage: float = 0.0  # correlation of price and variance

    @property
    def compensator(self) -> float:
        """lambda m, the average drift that the jumps add, per year."""
        return self.jump_rate * (exp(self.jump_mean + self.jump_sd**2 / 2) - 1)


class CorrelatedPrices:
    """The prices and variances of n products, in the order of `starts`.

    Each product has its own random generator, so that two shards do not draw the same numbers.
    """

    def __init__(
        self,
        starts: Sequence[float],
        dynamics: Sequence[Dynamics],
        correlation: Sequence[Sequence[float]],
        rngs: Sequence[Random],
    ) -> None:
        self._dynamics, self._rngs = dynamics, rngs
        self._lower = cholesky(correlation)
        self._log_variance_gap = [0.0] * len(starts)
        self.prices = list(starts)
        self.variances = [one.volatility**2 for one in dynamics]

    def step(self, years: float, factors: Sequence[float]) -> None:
        """Move all prices by `years` of market time. `factors` scale each product's variance in this step."""
        draws = [rng.gauss(0, 1) for rng in self._rngs]
        for i, one in enumerate(self._dynamics):
            rng = self._rngs[i]
            z = sum(a * b for a, b in zip(self._lower[i], draws, strict=False))
            variance = self.variances[i] * factors[i]
            move = (one.drift - variance / 2 - one.compensator) * years + sqrt(variance * years) * z
            jumps = poisson(rng, one.jump_rate * years)
            if jumps:
                move += one.jump_mean * jumps + one.jump_sd * sqrt(jumps) * rng.gauss(0, 1)
            self.prices[i] *= exp(move)
            if one.variance_vol:
                self._move_variance(i, years, z)

    def _move_variance(self, i: int, years: float, z: float) -> None:
        one = self._dynamics[i]
        keep = exp(-one.variance_reversion * years)
        sd = one.variance_vol * sqrt((1 - keep * keep) / (2 * one.variance_reversion))
        own = self._rngs[i].gauss(0, 1)
        shock = one.leverage * z + sqrt(1 - one.leverage**2) * own
        self._log_variance_gap[i] = self._log_variance_gap[i] * keep + sd * shock
        self.variances[i] = one.volatility**2 * exp(self._log_variance_gap[i])
