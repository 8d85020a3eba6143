"""Correlated log-normal prices in exact steps, with compensated Merton jumps and stochastic variance.

S(t+dt) = S(t) exp((mu - v/2 - lambda m) dt + sqrt(v dt) Z + J), J = the sum of N ~ Poisson(lambda dt) normal
jumps, m = E[e^jump] - 1. The compensator lambda m makes e^(-mu t) S a martingale. v is constant within a step
and scaled by the time of day. Its logarithm reverts to the product's own level, and falls when the price
rises. Time is in years of 365 days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt
from random import Random

YEAR_NS = 365 * 86_400 * 1_000_000_000


def cholesky(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return the lower L with L L^T = `matrix`; row i has i+1 entries.

    Raises ValueError if the matrix is not positive definite.
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
    """Return the correlations of products that share factors: rho_ij = sum_f b_if b_jf, 1 on the diagonal.

    Positive definite for any loadings whose squares sum to less than 1 for each product.
    """
    return [
        [
            1.0 if i == j else sum(b * other.get(f, 0.0) for f, b in own.items())
            for j, other in enumerate(loadings)
        ]
        for i, own in enumerate(loadings)
    ]


def u_shape(fraction: float | None) -> float:
    """Return the variance factor of the time of day: 0.6 + 1.2 (2x - 1)^2, whose mean over the session is 1.

    `fraction`: the share of the session that has passed, or None outside it, where the factor is 1.
    """
    return 1.0 if fraction is None else 0.6 + 1.2 * (2 * fraction - 1) ** 2


def poisson(rng: Random, mean: float) -> int:
    """Draw a Poisson number by Knuth's product of uniforms, which is fast for small means."""
    if mean <= 0:
        return 0
    limit, product, count = exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


@dataclass(frozen=True, slots=True)
class Dynamics:
    """Parameters of one price. Rates are per year, `volatility` per square root of a year."""

    drift: float
    volatility: float
    jump_rate: float = 0.0
    jump_mean: float = 0.0
    jump_sd: float = 0.0
    variance_reversion: float = 1.0
    variance_vol: float = 0.0  # of ln v
    leverage: float = 0.0  # correlation of price and variance

    @property
    def compensator(self) -> float:
        """The drift that jumps add on average: lambda m."""
        return self.jump_rate * (exp(self.jump_mean + self.jump_sd**2 / 2) - 1)


class CorrelatedPrices:
    """The prices of a shard's products. Each product has its own generator of random numbers."""

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
        """Advance all prices by `years` of market time. `factors` scale each variance for this step."""
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
