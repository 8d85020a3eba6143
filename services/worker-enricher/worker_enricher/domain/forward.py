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
MIN_FREEDOM = 6
"""Fewer effective pairs than this and 2 tell no error: of 3, one time in six looks five times too good."""
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
    products = np.empty((6, k.size))
    products[0], products[1], products[2] = 1.0, k, y
    np.multiply(products[1], products[1:3], out=products[3:5])
    np.multiply(y, y, out=products[5])
    base = 1.0 / (spread * spread)
    weight = base
    for _ in range(ROUNDS):
        moments = _Moments(pairs, weight, products)
        slope, assumed = moments.slopes(t)
        slope_of, level_of = np.take(
            np.stack([slope, moments.mean_y + slope * moments.mean_k]), pairs.of, axis=1
        )
        size = slope_of * k
        size += y
        size -= level_of
        np.abs(size, out=size)
        typical = np.add.reduceat(weight * size, pairs.starts) / moments.total
        size /= np.maximum(typical[pairs.of], spread)
        size *= size
        size += 1.0
        weight = base / size
    final = _Moments(pairs, weight, products)
    varied = final.var_y > 0.0
    r2 = np.where(varied, 1.0 - final.residual(slope) / np.where(varied, final.var_y, 1.0), 0.0)
    reason = np.where(assumed, DISCOUNT_ASSUMED, REGRESSED).astype(np.int8)
    return Forwards(final.mean_k + final.mean_y / slope, slope, r2, reason)


class _Moments:
    """Weighted means and central sums of k and y, per segment.

    From raw sums, which is safe here: k counts from the lowest strike, and y is small near the money.
    """

    __slots__ = ("effective", "joint", "mean_k", "mean_y", "total", "var_k", "var_y")

    def __init__(self, pairs: Segments, weight: Floats, products: Floats) -> None:
        """products (6, n): 1, k, y, k k, k y, y y."""
        self.total, k, y, kk, ky, yy = np.add.reduceat(weight * products, pairs.starts, axis=1)
        # Weights that gather on a few pairs that happen to agree are as good as only those pairs.
        self.effective = self.total**2 / np.add.reduceat(weight * weight, pairs.starts)
        self.mean_k, self.mean_y = k / self.total, y / self.total
        self.var_k, self.var_y = kk - k * self.mean_k, yy - y * self.mean_y
        self.joint = ky - k * self.mean_y

    def residual(self, slope: Floats) -> Floats:
        """Weighted sum of squares around the line of this slope through the means."""
        squares: Floats = np.maximum(self.var_y + slope * (2.0 * self.joint + slope * self.var_k), 0.0)
        return squares

    def slopes(self, t: Floats) -> tuple[Floats, Bools]:
        """Discount factor of each segment, and whether it had to be assumed to be 1."""
        known = self.var_k > 0.0
        var_k = np.where(known, self.var_k, 1.0)
        slope = -self.joint / var_k
        # The slope's variance as least squares has it: that of the residuals over that of k.
        freedom = self.effective - 2.0
        known &= freedom >= MIN_FREEDOM
        error = np.sqrt(self.residual(slope) / (np.maximum(freedom, 1.0) * var_k))
        known &= error <= RATE_ERROR * t
        known &= np.abs(slope - 1.0) <= np.minimum(MAX_RATE * t, 0.5)
        return np.where(known, slope, 1.0), ~known
