"""Assess the quality of quotes before pricing: stale, missing, crossed and wide ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from worker_enricher.domain.arrays import Bools, Codes, Floats
from worker_enricher.domain.bounds import Bounds
from worker_enricher.domain.implied_vol import IvReason

WIDE_SPREAD = 0.25
"""Largest half-spread, as a fraction of the mid, at which the mid is used as a price."""

STALE_MS = 60_000.0
"""Age above which a quote is not used. A live source confirms its quotes much more often."""


class Quality(NamedTuple):
    """Result of `assess`.

    prices: (3, ...), bid, mid and ask, NaN where unusable; reason: why the mid is unusable, 0 if it is
    usable. two_sided: bid and ask exist and are not crossed; crossed: the bid is above the ask. mid, half:
    mid price and half-spread, NaN unless two_sided.
    """

    prices: Floats
    reason: Codes
    two_sided: Bools
    crossed: Bools
    mid: Floats
    half: Floats


def assess(*, bid: Floats, ask: Floats, stale: Bools | None = None) -> Quality:
    """Assess quotes. All arguments have the same shape; 0 or NaN means no quote on that side.

    A single side is usable, because its volatility is a bound of the true one. A crossed quote is not usable.
    A wide quote is usable at bid and ask, but not at the mid. The caller has removed quotes that are `stale`.
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
    if stale is not None:
        reason[stale] = IvReason.STALE
    prices = np.empty((3, *bid.shape))
    prices[0] = np.where(has_bid & ~crossed, bid, np.nan)
    prices[1] = np.where(wide, np.nan, mid)
    prices[2] = np.where(has_ask & ~crossed, ask, np.nan)
    return Quality(prices, reason, two_sided, crossed, mid, half)


def volatility_reason(
    *, quality: Quality, solver: Codes, bounds: Bounds, european: Bools, expired: Bools, no_forward: Bools
) -> Codes:
    """Return the reason why each mid has no volatility. If several apply, the most general one wins.

    Order: expired, american_exercise, no_forward, then the reasons of the quote, then those of the solver.
    `bounds` has the shape of the mid: calls and puts, or each quote's own side. A price that violates its
    bounds at the estimated forward and discount, but not at every plausible one, gets bounds_unknown.
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
