"""Estimate forward and discount factor of a chain from put-call parity: C - P = D (F - K).

The estimate does not use the spot: a stale spot, or one with carry, would move call and put volatilities
apart.

The discount factor D is the slope of C - P over K, with opposite sign. All pairs with both legs quoted on
both sides count, because distant strikes determine the slope best. The first estimate is the median slope of
pairs half a chain apart (an incomplete Theil-Sen estimator). A few rounds of weighted least squares refine
it. The weight of a pair comes from its half-spread and from its residual (Cauchy weights), so that neither
outliers nor far strikes dominate. D is this slope if its standard error is at most RATE_ERROR, or if many
pairs exclude 1. Otherwise D = 1. The forward is then the level, at that D, of WINDOW pairs on each side of
the least |C - P|. ORATS publishes such a regression as its residual rate.

`Forwards.parity` describes the remaining uncertainty: the discount within ERRORS standard errors or, with too
few pairs for a standard error, the range of plausible rates.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from worker_enricher.domain.arrays import Bools, Codes, Floats, Objects
from worker_enricher.domain.bounds import Parity, plausible_discounts
from worker_enricher.domain.segments import Segments

WINDOW = 8
"""Number of pairs used on each side of the one nearest the money."""
MIN_PAIRS = 2
RATE_ERROR = 0.01
"""Largest standard error of the rate per year at which the slope is used as the discount factor."""
MIN_FREEDOM = 6
"""Least degrees of freedom (effective pairs minus 2) for a standard error. With fewer it is unreliable: with
three pairs it is five times too small in one case of six."""
ERRORS = 4.0
"""Width of the plausible range: this many standard errors on each side of an estimate."""
ENOUGH_TO_REFUTE = 12
"""Least degrees of freedom at which the pairs can exclude D = 1 although RATE_ERROR is not met. Fewer pairs
exclude it by chance."""
MIN_R2 = 0.9
"""With a lower R squared the pairs do not follow parity, and there is no forward."""
ROUNDS = 3
LEVEL_ROUNDS = 2
SPREAD_FLOOR = 1e-6
"""Half-spreads count as at least this fraction of the strike, so that a locked market has a finite weight."""

REGRESSED, DISCOUNT_ASSUMED, TOO_FEW_PAIRS, BAD_FIT, EXPIRED = range(5)
FORWARD_REASONS: Objects = np.array(
    [None, "discount_assumed", "too_few_pairs", "bad_fit", "expired"], dtype=object
)
"""Contract name of each code."""


class Forwards(NamedTuple):
    """Forward, discount, r2 (NaN where unknown) and reason code of each chain, all of shape (m,).

    parity: the plausible range. Its discounts are known for every chain; its other fields are NaN where there
    is no forward.
    """

    forward: Floats
    discount: Floats
    r2: Floats
    reason: Codes
    parity: Parity


def parity_forwards(*, segments: Segments, strike: Floats, mid: Floats, half: Floats, t: Floats) -> Forwards:
    """Estimate the forwards and discount factors of all chains in one pass.

    strike: (n,), all chains of `segments`; mid, half: mid price and half-spread, (2, n), calls then puts, NaN
    where a leg is crossed or not quoted on both sides; t: (m,) years.
    """
    m = segments.count
    forward, discount, r2, pivot, level, error = np.full((6, m), np.nan)
    low, high = plausible_discounts(t)
    parity = Parity(pivot, level, error, low, high)
    reason: Codes = np.full(m, TOO_FEW_PAIRS, dtype=np.int8)
    reason[~(t > 0.0)] = EXPIRED
    gap: Floats = mid[0] - mid[1]
    paired: Bools = ~np.isnan(gap)
    paired &= (t > 0.0)[segments.of]
    where = np.flatnonzero(paired)
    if not where.size:
        return Forwards(forward, discount, r2, reason, parity)
    counts = np.bincount(segments.of[where], minlength=m)
    chains = np.flatnonzero(counts)
    pairs = Segments(counts[chains].tolist())
    y = gap[where]
    strikes = strike[where]
    spread = np.maximum(half[0, where] + half[1, where], SPREAD_FLOOR * strikes)
    center = pairs.argmin(np.abs(y))
    origin = strikes[center]
    k = strikes - origin[pairs.of]
    lines = _Lines(pairs, k, y, spread, 1.0 / (spread * spread))
    slope, assumed, least, most = _discounts(lines, t[chains], low[chains], high[chains])

    near = np.flatnonzero(np.abs(pairs.positions - center[pairs.of]) <= WINDOW)
    count = np.bincount(pairs.of[near], minlength=pairs.count)
    fit = _levels(Segments(count.tolist()), k[near], y[near], spread[near], lines.weight[near], slope)
    forwards = origin + fit.mean_k + fit.mean_y / slope
    enough = count >= MIN_PAIRS
    found = enough & (fit.r2 >= MIN_R2) & (forwards > 0.0)
    how = np.where(assumed, DISCOUNT_ASSUMED, REGRESSED)
    reason[chains] = np.where(found, how, np.where(enough, BAD_FIT, TOO_FEW_PAIRS))
    r2[chains] = np.where(enough, fit.r2, np.nan)
    at = chains[found]
    forward[at] = forwards[found]
    discount[at] = slope[found]
    pivot[at] = (origin + fit.mean_k)[found]
    level[at] = fit.mean_y[found]
    error[at] = fit.error[found]
    low[at], high[at] = least[found], most[found]
    return Forwards(forward, discount, r2, reason, parity)


def _discounts(lines: _Lines, t: Floats, low: Floats, high: Floats) -> tuple[Floats, Bools, Floats, Floats]:
    """Return each segment's discount, whether 1 was assumed, and the lowest and highest plausible discount.

    t, low, high: years, and lowest and highest discount by rate, shape (segments,).
    """
    slope = lines.median_slope()
    for _ in range(ROUNDS):
        lines.reweight(slope)
        slope = lines.slope()
    freedom = lines.effective - 2.0
    has_error = (freedom >= MIN_FREEDOM) & (lines.var_k > 0.0)
    # Variance of a least-squares slope: the variance of the residuals over that of k.
    variance = lines.residual(slope) / (np.maximum(freedom, 1.0) * np.where(has_error, lines.var_k, 1.0))
    error = np.sqrt(variance)
    least, most = np.maximum(slope - ERRORS * error, low), np.minimum(slope + ERRORS * error, high)
    has_error &= least <= most
    # If the plausible range excludes 1, then 1 is a wrong assumption, even if the error is large.
    refuted = (freedom >= ENOUGH_TO_REFUTE) & ((most < 1.0) | (least > 1.0))
    precise = (error <= RATE_ERROR * t) | refuted
    known = has_error & precise & (slope >= low) & (slope <= high)
    return (
        np.where(known, slope, 1.0),
        ~known,
        np.where(has_error, least, low),
        np.where(has_error, most, high),
    )


class _Fit(NamedTuple):
    mean_k: Floats
    mean_y: Floats
    r2: Floats
    error: Floats


def _levels(pairs: Segments, k: Floats, y: Floats, spread: Floats, weight: Floats, slope: Floats) -> _Fit:
    """Fit the level of a line of given slope in each segment. `weight` has the initial weights."""
    lines = _Lines(pairs, k, y, spread, weight)
    for _ in range(LEVEL_ROUNDS):
        lines.reweight(slope)
    left = lines.residual(slope)
    varied = lines.var_y > 0.0
    r2 = np.where(varied, 1.0 - left / np.where(varied, lines.var_y, 1.0), 0.0)
    freedom = lines.effective - 2.0
    spreads = np.minimum.reduceat(spread, pairs.starts)
    error = ERRORS * np.sqrt(left / (lines.total * np.maximum(freedom, 1.0)))
    # With too few pairs for a standard error, the tightest spread is the least error.
    return _Fit(
        lines.mean_k, lines.mean_y, r2, np.where(freedom >= MIN_FREEDOM, error, np.maximum(error, spreads))
    )


class _Lines:
    """Weighted means and central sums of k and y in each segment, for linear regression of y on k.

    They come from raw sums. No digits are lost: k is relative to the strike with the least |y|.
    """

    def __init__(self, pairs: Segments, k: Floats, y: Floats, spread: Floats, weight: Floats) -> None:
        self._pairs, self._spread = pairs, spread
        self._base = 1.0 / (spread * spread)
        # Rows: 1, k, y, k k, k y, y y.
        self._products = np.empty((6, k.size))
        self._products[0], self._products[1], self._products[2] = 1.0, k, y
        np.multiply(k, self._products[1:3], out=self._products[3:5])
        np.multiply(y, y, out=self._products[5])
        self._weigh(weight)

    def _weigh(self, weight: Floats) -> None:
        starts = self._pairs.starts
        self.weight = weight
        self.total, k, y, kk, ky, yy = np.add.reduceat(weight * self._products, starts, axis=1)
        # Effective number of pairs: if a few pairs have most of the weight, only they count.
        self.effective = self.total**2 / np.add.reduceat(weight * weight, starts)
        self.mean_k, self.mean_y = k / self.total, y / self.total
        self.var_k, self.var_y = kk - k * self.mean_k, yy - y * self.mean_y
        self.joint = ky - k * self.mean_y

    def reweight(self, slope: Floats) -> None:
        """Set Cauchy weights from the residuals around the line with this slope through the means."""
        of = self._pairs.of
        slope_of, level_of = np.take(np.stack([slope, self.mean_y + slope * self.mean_k]), of, axis=1)
        size = slope_of * self._products[1]
        size += self._products[2]
        size -= level_of
        np.abs(size, out=size)
        typical = np.add.reduceat(self.weight * size, self._pairs.starts) / self.total
        size /= np.maximum(typical[of], self._spread)
        size *= size
        size += 1.0
        self._weigh(self._base / size)

    def slope(self) -> Floats:
        """Return the least-squares estimate of the discount, or 1 if all strikes are equal."""
        varied = self.var_k > 0.0
        slope: Floats = np.where(varied, -self.joint / np.where(varied, self.var_k, 1.0), 1.0)
        return slope

    def median_slope(self) -> Floats:
        """Return the median of the discounts from pairs half a segment apart, or 1 with only one pair."""
        pairs, (k, y) = self._pairs, self._products[1:3]
        step = pairs.counts // 2
        partner = pairs.positions + step[pairs.of]
        left = np.flatnonzero((partner < pairs.stops[pairs.of]) & (step[pairs.of] > 0))
        counts = pairs.counts - step
        counts[step == 0] = 0
        slopes = np.ones(left.size + 1)  # the last element is for segments with one pair
        right = partner[left]
        slopes[:-1] = (y[left] - y[right]) / (k[right] - k[left])
        order = np.lexsort((slopes[:-1], pairs.of[left]))
        middle = np.append(order, left.size)[np.cumsum(counts) - counts + counts // 2]
        return np.where(counts > 0, slopes[middle], 1.0)

    def residual(self, slope: Floats) -> Floats:
        """Return the weighted sum of squared residuals around the line with this slope through the means."""
        squares: Floats = np.maximum(self.var_y + slope * (2.0 * self.joint + slope * self.var_k), 0.0)
        return squares
