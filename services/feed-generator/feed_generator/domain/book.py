"""What the market remembers of each contract: volume, open interest, last price and yesterday's close.

Open interest is log-normal, its median set by the roundness of the strike (measured NIFTY medians near the
money: multiples of 10 steps, of 2 steps, others = 10 : 4 : 1), heavier for calls above the forward and puts
below, and falling away from the money. It moves only by trades, by at most the volume traded.
"""

from __future__ import annotations

from math import exp, log
from random import Random

_ROUNDNESS = ((10, 10.0), (2, 4.0), (1, 1.0))
_NOISE_SD = 0.7


class Contract:
    """One contract's session. Volume and open interest in the product's oi_unit; prices per share."""

    __slots__ = ("last", "open_interest", "previous_close", "previous_open_interest", "volume")

    def __init__(self, *, volume: int, open_interest: int, previous_open_interest: int, close: float) -> None:
        self.volume, self.open_interest = volume, open_interest
        self.previous_open_interest = previous_open_interest
        self.previous_close = self.last = close

    def trade(self, rng: Random, quantity: int, unit: int, price: float) -> None:
        """`quantity` changes hands at `price`; some of it, in whole `unit`s, opens or closes positions."""
        self.volume += quantity
        self.last = price
        opened = unit * round(quantity / unit * rng.uniform(-0.9, 1.0))
        self.open_interest = max(0, self.open_interest + opened)

    def new_session(self) -> None:
        """Today becomes yesterday."""
        self.previous_close, self.previous_open_interest = self.last, self.open_interest
        self.volume = 0


def typical_open_interest(median: int, index: int, depth_sd: float) -> float:
    """The median open interest of the strike `index` steps above 0, `depth_sd` in the money."""
    roundness = next(factor for steps, factor in _ROUNDNESS if index % steps == 0)
    side = 0.6 if depth_sd > 0 else 1.0
    return median * roundness * side * exp(-0.6 * abs(depth_sd))


def new_contract(key: str, *, median: int, unit: int, index: int, depth_sd: float, close: float) -> Contract:
    """A contract as the session finds it. `key` names it and the seed, so that the time of its first
    quote does not matter; `unit` = shares a lot, or 1 when counting contracts."""
    rng = Random(key)
    typical = max(typical_open_interest(median, index, depth_sd), unit)
    previous = unit * max(1, round(exp(log(typical) + rng.gauss(0, _NOISE_SD)) / unit))
    volume = unit * round(previous / unit * rng.lognormvariate(0, 0.8))
    change = unit * round(min(volume, previous) / unit * rng.uniform(-0.4, 0.6))
    return Contract(
        volume=volume, open_interest=previous + change, previous_open_interest=previous, close=close
    )
