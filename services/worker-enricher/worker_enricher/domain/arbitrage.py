"""Count static-arbitrage violations in each chain, at mid prices and at executable prices.

The checks of bounds, verticals and butterflies suffice to exclude static arbitrage within one expiry (Carr
and Madan, "A note on sufficient conditions for no arbitrage", 2005). Put-call parity connects calls and puts.
Verticals and butterflies use strikes that are adjacent in the chain. A leg without a quote is in no check,
and a crossed quote only in `crossed`. A violation counts only if it exists for every plausible discount and
forward (module bounds). The counts that need a forward are unknown without one. They are also unknown for
American contracts, for which parity is not an equation.
"""

from __future__ import annotations

import numpy as np

from worker_enricher.domain.arrays import Bools, Floats, Ints
from worker_enricher.domain.bounds import Bounds
from worker_enricher.domain.quote_quality import Quality
from worker_enricher.domain.segments import Segments

CHECKS = (
    "crossed",
    "bounds_mid",
    "bounds_executable",
    "vertical_mid",
    "vertical_executable",
    "butterfly_mid",
    "butterfly_executable",
    "parity_executable",
)
NEEDING_FORWARD = frozenset(("bounds_mid", "bounds_executable", "parity_executable"))
SLACK = 1e-9
"""A violation must exceed this fraction of the strike. Smaller ones are rounding errors."""


def count_violations(
    *,
    segments: Segments,
    strike: Floats,
    european: Bools,
    discount: Floats,
    bounds: Bounds,
    bid: Floats,
    ask: Floats,
    quality: Quality,
) -> Ints:
    """Return counts of shape (m, 8), in the order of CHECKS. Those NEEDING_FORWARD are invalid without one.

    strike, european: (n,); discount: (n,), the largest plausible one; bid, ask: (2, n), calls then puts.
    """
    n = segments.size
    mid = quality.mid
    # A contract without a bid cannot be sold, and one without an ask cannot be bought. The substitutes 0 and
    # infinity cannot violate a check.
    tradable = ~quality.crossed
    sell = np.where(tradable, bid, 0.0)
    buy = np.where(tradable & (ask > 0.0), ask, np.inf)
    slack = SLACK * strike
    counted: Bools = np.zeros((8, 2, n), dtype=np.bool_)
    counted[0] = quality.crossed

    gap = mid[0] - mid[1]
    spread = quality.half[0] + quality.half[1] + slack
    counted[7, 0] = (gap + spread < bounds.gap_low) | (gap - spread > bounds.gap_high)
    lower = bounds.lower - slack
    upper = bounds.upper + slack
    counted[1] = (mid < lower) | (mid > upper)
    counted[2] = (buy < lower) | (sell > upper)

    if n > 1:
        # Between two chains any positive width will do: `adjacent` masks the result.
        width = np.where(segments.adjacent, np.diff(strike), 1.0)
        free = slack[1:]
        # American contracts can be exercised at once, so a spread is worth up to its undiscounted width.
        steepest = np.where(european[1:], discount[1:], np.maximum(discount[1:], 1.0)) * width
        steepest += free
        # Rows are calls and puts: by how much the price at the higher strike may exceed the price at the
        # lower strike, and by how much it may fall below it.
        above = np.stack([free, steepest])
        below = above[::-1]
        rise = np.diff(mid)
        counted[3, :, 1:] = (rise > above) | (rise < -below)
        counted[4, :, 1:] = (sell[:, 1:] - buy[:, :-1] > above) | (sell[:, :-1] - buy[:, 1:] > below)
        counted[3:5, :, 1:] &= segments.adjacent
    if n > 2:
        share = width[1:] / (width[1:] + width[:-1])
        rest = 1.0 - share
        margin = -slack[1:-1]
        counted[5, :, 2:] = share * mid[:, :-2] + rest * mid[:, 2:] - mid[:, 1:-1] < margin
        counted[6, :, 2:] = share * buy[:, :-2] + rest * buy[:, 2:] - sell[:, 1:-1] < margin
        counted[5:7, :, 2:] &= segments.adjacent[1:] & segments.adjacent[:-1]
    per_strike = counted.sum(axis=1, dtype=np.int64)
    counts: Ints = np.add.reduceat(per_strike, segments.starts, axis=1).T
    return counts
