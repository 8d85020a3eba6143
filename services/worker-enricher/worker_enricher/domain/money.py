"""At-the-money values of a chain: the position of the strike, and the volatility at the forward."""

from __future__ import annotations

import numpy as np

from worker_enricher.domain.arrays import Floats, Ints
from worker_enricher.domain.segments import Segments


def atm_volatility(*, segments: Segments, strike: Floats, forward: Floats, otm_iv: Floats) -> Floats:
    """Return the volatility at each chain's forward, (m,).

    The variance is interpolated linearly in ln K between the two nearest strikes with a volatility. Within
    one expiry this equals interpolation of total variance, which is variance times a constant. The result is
    NaN unless there is a volatility on both sides of the forward, or at it: the smile is not extrapolated.
    strike, otm_iv: (n,), the latter NaN where unknown; forward: (m,).
    """
    level = forward[segments.of]
    quoted = ~np.isnan(otm_iv)
    low = segments.last(quoted & (strike <= level))
    high = segments.first(quoted & (strike >= level))
    found = (low >= 0) & (high < segments.size)
    low = np.where(found, low, 0)
    high = np.where(found, high, 0)
    x_low = np.log(strike[low])
    width = np.log(strike[high]) - x_low
    apart = width > 0.0
    share = np.where(apart, np.log(forward) - x_low, 0.0) / np.where(apart, width, 1.0)
    v_low, v_high = otm_iv[low] ** 2, otm_iv[high] ** 2
    return np.where(found, np.sqrt(v_low + share * (v_high - v_low)), np.nan)


def atm_positions(*, segments: Segments, strike: Floats, reference: Floats) -> Ints:
    """Return the flat position of each chain's strike nearest to `reference` (m,); on a tie, the lower."""
    return segments.argmin(np.abs(strike - reference[segments.of]))
