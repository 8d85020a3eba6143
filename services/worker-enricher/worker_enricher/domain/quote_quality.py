"""What a pair of bid and ask is worth before any model looks at it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from worker_enricher.domain.arrays import Bools, Codes, Floats
from worker_enricher.domain.bounds import Bounds
from worker_enricher.domain.implied_vol import IvReason

WIDE_SPREAD = 0.25
"""A mid whose half-spread is over this fraction of it says little about a price."""


class Quality(NamedTuple):
    """prices: (3, ...) bid, mid, ask as far as they may be priced, else NaN; reason: of the mid, 0 = fine.

    two_sided: bid and ask there and not crossed; mid, half: NaN unless two_sided; crossed: bid above ask.
    """

    prices: Floats
    reason: Codes
    two_sided: Bools
    crossed: Bools
    mid: Floats
    half: Floats


def assess(*, bid: Floats, ask: Floats) -> Quality:
    """Judge quotes of any one shape; 0 (or NaN) stands for no quote on that side.

    One side alone is still priced (its volatility bounds the true one), a crossed quote is not priced at
    all, and a wide one only at bid and ask.
    """
    has_bid = bid > 0.0
    has_ask = ask > 0.0
    both = has_bid & has_ask
    crossed = both & (bid > ask)
    two_sided = both & ~crossed
    mid = np.where(two_sided, 0.5 * (bid + ask), np.nan)
    half = ask - mid
    wide = half > WIDE_SPREAD * mid
    reason: Codes = np.where(both, 0, int(IvReason.NO_QUOTE)).astype(np.int8)
    reason[crossed] = IvReason.CROSSED
    reason[wide] = IvReason.WIDE_SPREAD
    prices = np.empty((3, *bid.shape))
    prices[0] = np.where(has_bid & ~crossed, bid, np.nan)
    prices[1] = np.where(wide, np.nan, mid)
    prices[2] = np.where(has_ask & ~crossed, ask, np.nan)
    return Quality(prices, reason, two_sided, crossed, mid, half)


def volatility_reason(
    *, quality: Quality, solver: Codes, bounds: Bounds, european: Bools, expired: Bools, no_forward: Bools
) -> Codes:
    """Merge the reasons of a mid's missing volatility: the most general wins.

    Order: expired, american_exercise, no_forward, then those of the quote, then the solver's own.
    bounds: calls and puts, or of each quote's own side, shape of the mid. A price outside of its bounds at
    the estimated forward and discount, but not at every plausible one, is refused as bounds_unknown.
    """
    refused = (solver == IvReason.BELOW_INTRINSIC) | (solver == IvReason.ABOVE_MAX)
    if refused.any():
        perhaps = refused & (quality.mid > bounds.lower) & (quality.mid < bounds.upper)
        solver = np.where(perhaps, np.int8(IvReason.BOUNDS_UNKNOWN), solver)
    reason = np.where(quality.reason != 0, quality.reason, solver)
    np.copyto(reason, np.int8(IvReason.NO_FORWARD), where=no_forward)
    np.copyto(reason, np.int8(IvReason.AMERICAN_EXERCISE), where=~european)
    np.copyto(reason, np.int8(IvReason.EXPIRED), where=expired)
    return reason
