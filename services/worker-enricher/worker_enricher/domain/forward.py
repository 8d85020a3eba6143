"""The forward and the discount factor that put-call parity states: C - P = D (F - K).

The spot plays no part: a stale or carried spot moves call and put volatilities apart, parity does not. Of
each chain the pairs with both legs quoted on both sides count, up to WINDOW on each side of the strike with
the least |C - P|, each weighted by its half-spread and, in a few rounds, by how well it agrees with the
others (Cauchy weights), so that one stale pair cannot drag the forward. Where the quotes tell the rate to
better than RATE_ERROR, D is the regression's slope; else D = 1 and F is the weighted mean of K + C - P.
ORATS publishes the same regression as its residual rate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from worker_enricher.domain.arrays import Bools, Codes, Floats, Objects
from worker_enricher.domain.segments import Segments

WINDOW = 8
"""Pairs taken on each side of the one nearest the money."""
MIN_PAIRS = 2
RATE_ERROR = 0.01
"""Largest standard error of the rate, a year, at which the slope is taken as the discount factor."""
MAX_RATE = 0.5
MIN_R2 = 0.9
"""A lower R squared than this is no parity at all."""
ROUNDS = 4
SPREAD_FLOOR = 1e-6
"""Half-spreads count as at least this fraction of the strike, so that a locked market has a finite weight."""

REGRESSED, DISCOUNT_ASSUMED, TOO_FEW_PAIRS, BAD_FIT, EXPIRED = range(5)
FORWARD_REASONS: Objects = np.array(
    [None, "discount_assumed", "too_few_pairs", "bad_fit", "expired"], dtype=object
)
"""Contract name of each code."""


class Forwards(NamedTuple):
    """Per chain, shape (m,): forward and discount (NaN where none), r2 (NaN where none), reason codes."""

    forward: Floats
    discount: Floats
    r2: Floats
    reason: Codes


def parity_forwards(*, segments: Segments, strike: Floats, mid: Floats, half: Floats, t: Floats) -> Forwards:
    """Regress the parity of every chain at once.

    strike: (n,) flat over `segments`; mid, half: (2, n), calls then puts, NaN where a leg is not quoted on
    both sides or is crossed; t: (m,) years.
    """
    m = segments.count
    forward, discount, r2 = np.full((3, m), np.nan)
    reason: Codes = np.full(m, TOO_FEW_PAIRS, dtype=np.int8)
    reason[~(t > 0.0)] = EXPIRED
    gap: Floats = mid[0] - mid[1]
    paired: Bools = ~np.isnan(gap)
    paired &= (t > 0.0)[segments.of]
    where = np.flatnonzero(paired)
    if not where.size:
        return Forwards(forward, discount, r2, reason)
    counts = np.bincount(segments.of[where], minlength=m)
    chains = np.flatnonzero(counts)
    pairs = Segments(counts[chains].tolist())
    center = pairs.argmin(np.abs(gap[where]))
    near = np.flatnonzero(np.abs(pairs.positions - center[pairs.of]) <= WINDOW)
    chains_near = np.bincount(pairs.of[near], minlength=pairs.count)
    pairs = Segments(chains_near.tolist())
    where = where[near]
    origin = strike[where[pairs.starts]]
    k = strike[where]
    spread = np.maximum(half[0, where] + half[1, where], SPREAD_FLOOR * k)
    fit = _fit(pairs, k - origin[pairs.of], gap[where], spread, t[chains])
    enough = chains_near >= MIN_PAIRS
    found = enough & (fit.r2 >= MIN_R2) & (fit.forward + origin > 0.0)
    reason[chains] = np.where(found, fit.reason, np.where(enough, BAD_FIT, TOO_FEW_PAIRS))
    forward[chains] = np.where(found, fit.forward + origin, np.nan)
    discount[chains] = np.where(found, fit.discount, np.nan)
    r2[chains] = np.where(enough, fit.r2, np.nan)
    return Forwards(forward, discount, r2, reason)


def _fit(pairs: Segments, k: Floats, y: Floats, spread: Floats, t: Floats) -> Forwards:
    """Weighted line y = D (F - k) of each segment; k, and the forward, count from its lowest strike."""
    base = 1.0 / (spread * spread)
    weight = base
    for _ in range(ROUNDS):
        total, mean = _means(pairs, weight, k, y)
        dk = k - mean[0, pairs.of]
        dy = y - mean[1, pairs.of]
        weighted = weight * dk
        moments = np.add.reduceat(
            np.stack([weighted * dk, weighted * dy, weight * dy * dy]), pairs.starts, axis=1
        )
        slope, assumed = _slopes(moments, pairs, t)
        residual = dy + slope[pairs.of] * dk
        size = np.abs(residual)
        typical = np.add.reduceat(weight * size, pairs.starts) / total
        size /= np.maximum(typical[pairs.of], spread)
        size *= size
        size += 1.0
        weight = base / size
    total, mean = _means(pairs, weight, k, y)
    dy = y - mean[1, pairs.of]
    residual = dy + slope[pairs.of] * (k - mean[0, pairs.of])
    squares = np.add.reduceat(np.stack([weight * dy * dy, weight * residual**2]), pairs.starts, axis=1)
    varied = squares[0] > 0.0
    r2 = np.where(varied, 1.0 - squares[1] / np.where(varied, squares[0], 1.0), 0.0)
    reason = np.where(assumed, DISCOUNT_ASSUMED, REGRESSED).astype(np.int8)
    return Forwards(mean[0] + mean[1] / slope, slope, r2, reason)


def _means(pairs: Segments, weight: Floats, k: Floats, y: Floats) -> tuple[Floats, Floats]:
    sums = np.add.reduceat(np.stack([weight, weight * k, weight * y]), pairs.starts, axis=1)
    return sums[0], sums[1:] / sums[0]


def _slopes(moments: Floats, pairs: Segments, t: Floats) -> tuple[Floats, Bools]:
    """Discount factor of each segment, and whether it had to be assumed to be 1."""
    spread_k, joint, spread_y = moments
    known = spread_k > 0.0
    spread_k = np.where(known, spread_k, 1.0)
    slope = -joint / spread_k
    # The slope's variance as least squares has it: that of the residuals over that of k.
    residual = np.maximum(spread_y + slope * joint, 0.0)
    freedom = pairs.counts - 2
    known &= freedom > 0
    error = np.sqrt(residual / (np.maximum(freedom, 1) * spread_k))
    known &= error <= RATE_ERROR * t
    known &= np.abs(slope - 1.0) <= np.minimum(MAX_RATE * t, 0.5)
    return np.where(known, slope, 1.0), ~known
