"""SSVI: a volatility surface that is free of static arbitrage by construction.

w(k, theta) = theta/2 [1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2)],
phi(theta) = eta / (theta^gamma (1 + theta)^(1 - gamma)), 0 < gamma <= 1/2,
with k = ln(K/F) and theta = the total variance at k = 0. No butterfly arbitrage if eta (1 + |rho|) <= 2,
no calendar arbitrage if theta does not fall with time (Gatheral and Jacquier, arXiv 1204.0646, section 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, sqrt


@dataclass(frozen=True, slots=True)
class Ssvi:
    """The shape that all expiries of a product share. Raises ValueError for a shape with arbitrage."""

    rho: float
    eta: float
    gamma: float

    def __post_init__(self) -> None:
        if not -1 < self.rho < 1 or not 0 < self.gamma <= 0.5:
            raise ValueError(f"SSVI needs |rho| < 1 and 0 < gamma <= 0.5: {self}")
        if not 0 < self.eta * (1 + abs(self.rho)) <= 2:
            raise ValueError(f"SSVI has butterfly arbitrage unless eta (1 + |rho|) <= 2: {self}")

    def total_variance(self, k: float, theta: float) -> float:
        """Return w at log-moneyness `k` of the expiry whose at-the-money total variance is `theta`."""
        phi_k: float = k * self.eta / (theta**self.gamma * (1 + theta) ** (1 - self.gamma))
        rho = self.rho
        return 0.5 * theta * (1 + rho * phi_k + sqrt((phi_k + rho) ** 2 + 1 - rho * rho))


def atm_total_variance(years: float, variance: float, long_run: float, reversion: float) -> float:
    """Return theta(T), the integral of the expected variance, which reverts from `variance` to `long_run`.

    theta(T) = long_run T + (variance - long_run)(1 - e^(-reversion T))/reversion. Its slope, the expected
    variance, is positive, so theta rises with T and there is no calendar arbitrage.
    """
    return long_run * years + (variance - long_run) * (1 - exp(-reversion * years)) / reversion
