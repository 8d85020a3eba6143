"""Quotes around a true price: spread, tick grid and sizes.

Half the spread is max(tick/2, width * spread_vol * (vega + itm * at-the-money vega)). It stands for a market
maker's error in volatility. It is wider in the money, because deep options trade seldom: recorded NIFTY
chains show 20 times the at-the-money spread. It also depends on the time of day, with the widest spread at
the open.
"""

from __future__ import annotations

from math import ceil, exp, floor
from random import Random

_DEEP_SD = 2.5
_DEEP_FACTOR = 20.0

Ticks = tuple[tuple[float, float], ...]


def l_shape(fraction: float | None) -> float:
    """Return the spread factor by time of day: 1.6 at the open, falling towards 0.9.

    `fraction` is the part of the session that has passed; None outside the session, where the factor is 1.
    """
    return 1.0 if fraction is None else 0.9 + 0.7 * exp(-6 * fraction)


def tick_at(price: float, ticks: Ticks) -> float:
    """Return the tick size at `price`. `ticks` holds (from price, tick size), ascending."""
    size = ticks[0][1]
    for start, tick in ticks:
        if price >= start:
            size = tick
    return size


def floor_to_tick(price: float, ticks: Ticks) -> float:
    """Return the highest price on the tick grid that is not above `price`; 0 if `price` is below one tick."""
    if price <= 0:
        return 0.0
    tick = tick_at(price, ticks)
    return round(floor(price / tick) * tick, 6)


def ceil_to_tick(price: float, ticks: Ticks) -> float:
    """Return the lowest price on the tick grid that is not below `price`, at least one tick."""
    tick = tick_at(price, ticks)
    return round(max(1, ceil(price / tick)) * tick, 6)


def round_to_tick(price: float, ticks: Ticks) -> float:
    """Return the nearest price on the tick grid, at least one tick."""
    tick = tick_at(price, ticks)
    return round(max(1, round(price / tick)) * tick, 6)


def bid_ask(
    price: float, vega: float, atm_vega: float, depth_sd: float, width: float, ticks: Ticks
) -> tuple[float, float]:
    """Return (bid, ask) on the tick grid with bid <= price <= ask. A bid of 0 means that there is no bid.

    `vega` and `atm_vega` are derivatives of the price by volatility, of this contract and at the money.
    `depth_sd` is the depth in the money, in standard deviations; it is negative out of the money.
    `width` is spread_vol times the factor of the time of day.
    """
    deep = _DEEP_FACTOR * min(1.0, depth_sd / _DEEP_SD) ** 2 if depth_sd > 0 else 0.0
    half = max(tick_at(price, ticks) / 2, width * (vega + deep * atm_vega))
    return floor_to_tick(price - half, ticks), ceil_to_tick(price + half, ticks)


def size(rng: Random, unit: int) -> int:
    """Draw a size at the best price: 1 to 40 units, with small sizes the most frequent."""
    draw = rng.random()
    return unit * (1 + int(40 * draw * draw * draw))
