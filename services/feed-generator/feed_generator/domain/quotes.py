"""From a true price to a market: spread, ticks and sizes.

Half the spread is max(tick/2, width * spread_vol * (vega + itm * at-the-money vega)): a market maker's error
in volatility, wider in the money, where a deep option trades seldom (20 times the at-the-money spread, as
recorded NIFTY chains show), and by the time of day (L-shaped: wide at the open).
"""

from __future__ import annotations

from math import ceil, exp, floor
from random import Random

_DEEP_SD = 2.5
_DEEP_FACTOR = 20.0

Ticks = tuple[tuple[float, float], ...]


def l_shape(fraction: float | None) -> float:
    """Spread by time of day: 1.6 at the open falling to 0.9; 1 outside the session (None)."""
    return 1.0 if fraction is None else 0.9 + 0.7 * exp(-6 * fraction)


def tick_at(price: float, ticks: Ticks) -> float:
    """The tick that holds at `price`."""
    size = ticks[0][1]
    for start, tick in ticks:
        if price >= start:
            size = tick
    return size


def floor_to_tick(price: float, ticks: Ticks) -> float:
    """The highest price on the grid that is not above `price`; 0 if there is none."""
    if price <= 0:
        return 0.0
    tick = tick_at(price, ticks)
    return round(floor(price / tick) * tick, 6)


def ceil_to_tick(price: float, ticks: Ticks) -> float:
    """The lowest price on the grid that is not below `price`, at least one tick."""
    tick = tick_at(price, ticks)
    return round(max(1, ceil(price / tick)) * tick, 6)


def round_to_tick(price: float, ticks: Ticks) -> float:
    """The nearest price on the grid, at least one tick."""
    tick = tick_at(price, ticks)
    return round(max(1, round(price / tick)) * tick, 6)


def bid_ask(
    price: float, vega: float, atm_vega: float, depth_sd: float, width: float, ticks: Ticks
) -> tuple[float, float]:
    """Bid <= price <= ask on the tick grid; bid 0 = none.

    `vega`, `atm_vega`: price by volatility; `depth_sd`: how far in the money, in standard deviations
    (negative: out of the money); `width`: spread_vol times the time of day's factor.
    """
    deep = _DEEP_FACTOR * min(1.0, depth_sd / _DEEP_SD) ** 2 if depth_sd > 0 else 0.0
    half = max(tick_at(price, ticks) / 2, width * (vega + deep * atm_vega))
    return floor_to_tick(price - half, ticks), ceil_to_tick(price + half, ticks)


def size(rng: Random, unit: int) -> int:
    """A size at the best price: 1 to 41 units, mostly few."""
    draw = rng.random()
    return unit * (1 + int(40 * draw * draw * draw))
