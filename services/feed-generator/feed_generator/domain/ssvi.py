"""SSVI: a volatility surface that is free of static arbitrage by construction.

The total variance w of an expiry is

w(k, theta) = theta/2 [1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2)],
phi(theta) = eta / (theta^gamma (1 + theta)^(1 - gamma)), 0 < gamma <= 1/2,
where k = ln(K/F) and theta is the total variance at k = 0. The surface has no butterfly arbitrage if
eta (1 + |rho|) <= 2, and no calendar arbitrage if theta does not decrease with time to expiry.
Source: Gatheral and Jacquier, arXiv 1204.0646, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, sqrt


@dataclass(frozen=True, slots=True)
class Ssvi:
    """The smile parameters that all expiries of a product share.

    The constructor raises ValueError if the parameters allow arbitrage.
    """

    rho: float
    eta: float
    gamma: float

    def __post_init__(self) -> None:
        if not -1 < self.rho < 1 or not 0 < self.gamma <= 0.5:
            raise ValueError(f"SSVI needs |rho| < 1 and 0 < gamma <= 0.5: {self}")
        if not 0 < self.eta * (1 + abs(self.rho)) <= 2:
            raise ValueError(f"SSVI has butterfly arbitrage unless eta (1 + |rho|) <= 2: {self}")

    def total_variance(self, k: float, theta: float) -> float:
        """Return w at log-moneyness `k` for the expiry whose at-the-money total variance is `theta`."""
        phi_k: float = k * self.eta / (theta**self.gamma * (1 + theta) ** (1 - self.gamma))
        rho = self.rho
        return 0.5 * theta * (1 + rho * phi_k + sqrt((phi_k + rho) ** 2 + 1 - rho * rho))


def atm_total_variance(years: float, variance: float, long_run: float, reversion: float) -> float:
    """Return theta(T), the integral to T = `years` of the expected variance.

    The expected variance reverts from `variance` to `long_run` at the rate `reversion` (all per year):
    theta(T) = long_run T + (variance - long_run)(1 - e^(-reversion T))/reversion. The expected variance is
    positive, so theta increases with T, and the surface has no calendar arbitrage for any variance.
    """
    return long_run * years + (variance - long_run) * (1 - exp(-reversion * years)) / reversion
