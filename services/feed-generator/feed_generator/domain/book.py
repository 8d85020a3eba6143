"""The state of each synthetic contract: volume, open interest, last price and the previous session's close.

Open interest is log-normal. Its median depends on how round the strike is: measured NIFTY medians near the
money have the ratio 10 : 4 : 1 for multiples of 10 strike steps, multiples of 2 steps and all others. The
median is larger for out-of-the-money contracts and falls away from the money. Only trades change open
interest, by at most the volume traded.
"""

from __future__ import annotations

from math import exp, log
from random import Random

_ROUNDNESS = ((10, 10.0), (2, 4.0), (1, 1.0))
_NOISE_SD = 0.7


class Contract:
    """One contract in the current session. Volume and open interest are in `oi_unit`, prices per share."""

    __slots__ = ("last", "open_interest", "previous_close", "previous_open_interest", "volume")

    def __init__(self, *, volume: int, open_interest: int, previous_open_interest: int, close: float) -> None:
        self.volume, self.open_interest = volume, open_interest
        self.previous_open_interest = previous_open_interest
        self.previous_close = self.last = close

    def trade(self, rng: Random, quantity: int, unit: int, price: float) -> None:
        """Record a trade of `quantity` at `price`. A random part, in whole `unit`s, changes open interest."""
        self.volume += quantity
        self.last = price
        opened = unit * round(quantity / unit * rng.uniform(-0.9, 1.0))
        self.open_interest = max(0, self.open_interest + opened)

    def new_session(self) -> None:
        """Start a session: save close and open interest as the previous ones, and reset the volume."""
        self.previous_close, self.previous_open_interest = self.last, self.open_interest
        self.volume = 0


def typical_open_interest(median: int, index: int, depth_sd: float) -> float:
    """Return the median open interest of the contract whose strike is `index` strike steps.

    `median` is that of an ordinary strike at the money. `depth_sd` is the depth in the money, in standard
    deviations; it is negative out of the money.
    """
    roundness = next(factor for steps, factor in _ROUNDNESS if index % steps == 0)
    side = 0.6 if depth_sd > 0 else 1.0
    return median * roundness * side * exp(-0.6 * abs(depth_sd))


def new_contract(key: str, *, median: int, unit: int, index: int, depth_sd: float, close: float) -> Contract:
    """Return a contract with random volume and open interest, as on its first quote in a session.

    `key` seeds the random numbers. It names the contract and the market's seed, so the result does not depend
    on when the contract is first quoted. `unit` is the lot size, or 1 if quantities count contracts.
    """
    rng = Random(key)
    typical = max(typical_open_interest(median, index, depth_sd), unit)
    previous = unit * max(1, round(exp(log(typical) + rng.gauss(0, _NOISE_SD)) / unit))
    volume = unit * round(previous / unit * rng.lognormvariate(0, 0.8))
    change = unit * round(min(volume, previous) / unit * rng.uniform(-0.4, 0.6))
    return Contract(
        volume=volume, open_interest=previous + change, previous_open_interest=previous, close=close
    )
