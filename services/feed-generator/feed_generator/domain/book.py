"""The state of each contract: volume, open interest, last price and the previous close.

Open interest is log-normal. Its median depends on the roundness of the strike: NIFTY's medians near the money
for multiples of 10 steps, of 2 steps and for other strikes are as 10 : 4 : 1. It is larger for
out-of-the-money contracts and falls with the distance from the money. It changes only by trades, by at most
the traded volume.
"""

from __future__ import annotations

from math import exp, log
from random import Random

_ROUNDNESS = ((10, 10.0), (2, 4.0), (1, 1.0))
_NOISE_SD = 0.7


class Contract:
    """One contract in one session. Volume and open interest are in the oi_unit, prices per share."""

    __slots__ = ("last", "open_interest", "previous_close", "previous_open_interest", "volume")

    def __init__(self, *, volume: int, open_interest: int, previous_open_interest: int, close: float) -> None:
        self.volume, self.open_interest = volume, open_interest
        self.previous_open_interest = previous_open_interest
        self.previous_close = self.last = close

    def trade(self, rng: Random, quantity: int, unit: int, price: float) -> None:
        """Record a trade. A part of `quantity`, in multiples of `unit`, opens or closes positions."""
        self.volume += quantity
        self.last = price
        opened = unit * round(quantity / unit * rng.uniform(-0.9, 1.0))
        self.open_interest = max(0, self.open_interest + opened)

    def new_session(self) -> None:
        """Start a session: last price and open interest become the previous ones, volume becomes 0."""
        self.previous_close, self.previous_open_interest = self.last, self.open_interest
        self.volume = 0


def typical_open_interest(median: int, index: int, depth_sd: float) -> float:
    """Return the median open interest of the strike at `index` steps.

    `depth_sd`: how far the contract is in the money, in standard deviations.
    """
    roundness = next(factor for steps, factor in _ROUNDNESS if index % steps == 0)
    side = 0.6 if depth_sd > 0 else 1.0
    return median * roundness * side * exp(-0.6 * abs(depth_sd))


def new_contract(key: str, *, median: int, unit: int, index: int, depth_sd: float, close: float) -> Contract:
    """Return a contract at the start of the session.

    `key` seeds the random numbers, so the result does not depend on the time of the first quote. `unit`:
    shares per lot, or 1 if quantities are counted in contracts.
    """
    rng = Random(key)
    typical = max(typical_open_interest(median, index, depth_sd), unit)
    previous = unit * max(1, round(exp(log(typical) + rng.gauss(0, _NOISE_SD)) / unit))
    volume = unit * round(previous / unit * rng.lognormvariate(0, 0.8))
    change = unit * round(min(volume, previous) / unit * rng.uniform(-0.4, 0.6))
    return Contract(
        volume=volume, open_interest=previous + change, previous_open_interest=previous, close=close
    )
