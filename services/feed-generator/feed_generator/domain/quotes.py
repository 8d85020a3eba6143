"""Make a quoted market from a true price: spread, tick grid and sizes.

Half the spread is max(tick/2, width * spread_vol * (vega + itm * at-the-money vega)), a market maker's error
in volatility. It is wider for deep in-the-money options, which trade seldom: 20 times the at-the-money
spread, as in recorded NIFTY chains. It is also wider at the open (L-shaped over the session).
"""

from __future__ import annotations

from math import ceil, exp, floor
from random import Random

_DEEP_SD = 2.5
_DEEP_FACTOR = 20.0

Ticks = tuple[tuple[float, float], ...]


def l_shape(fraction: float | None) -> float:
    """Return the spread factor of the time of day: 1.6 at the open, falling to 0.9.

    `fraction`: the share of the session that has passed, or None outside it, where the factor is 1.
    """
    return 1.0 if fraction is None else 0.9 + 0.7 * exp(-6 * fraction)


def tick_at(price: float, ticks: Ticks) -> float:
    """Return the tick size at `price`. `ticks`: (from price, tick), ascending."""
    size = ticks[0][1]
    for start, tick in ticks:
        if price >= start:
            size = tick
    return size


def floor_to_tick(price: float, ticks: Ticks) -> float:
    """Return the highest price on the grid that is not above `price`, or 0 if there is none."""
    if price <= 0:
        return 0.0
    tick = tick_at(price, ticks)
    return round(floor(price / tick) * tick, 6)


def ceil_to_tick(price: float, ticks: Ticks) -> float:
    """Return the lowest price on the grid that is not below `price`, at least one tick."""
    tick = tick_at(price, ticks)
    return round(max(1, ceil(price / tick)) * tick, 6)


def round_to_tick(price: float, ticks: Ticks) -> float:
    """Return the nearest price on the grid, at least one tick."""
    tick = tick_at(price, ticks)
    return round(max(1, round(price / tick)) * tick, 6)


def bid_ask(
    price: float, vega: float, atm_vega: float, depth_sd: float, width: float, ticks: Ticks
) -> tuple[float, float]:
    """Return (bid, ask) on the tick grid with bid <= price <= ask. Bid 0 means no bid.

    `vega`, `atm_vega`: derivative of the price by volatility. `depth_sd`: how far in the money, in standard
    deviations (negative: out of the money). `width`: spread_vol times the time of day's factor.
    """
    deep = _DEEP_FACTOR * min(1.0, depth_sd / _DEEP_SD) ** 2 if depth_sd > 0 else 0.0
    half = max(tick_at(price, ticks) / 2, width * (vega + deep * atm_vega))
    return floor_to_tick(price - half, ticks), ceil_to_tick(price + half, ticks)


def size(rng: Random, unit: int) -> int:
    """Draw a size at the best price: 1 to 41 units, mostly few."""
    draw = rng.random()
    return unit * (1 + int(40 * draw * draw * draw))
