"""What a chain says at the money: strike, straddle, volatility at the forward."""

from __future__ import annotations

import numpy as np

from worker_enricher.domain.arrays import Floats, Ints
from worker_enricher.domain.segments import Segments


def atm_volatility(*, segments: Segments, strike: Floats, forward: Floats, otm_iv: Floats) -> Floats:
    """Volatility at the forward (m,): total variance linear in ln K between the two quoted strikes around it.

    Within one expiry total variance is variance times a constant, so variance is interpolated. NaN unless
    there is a volatility on both sides of the forward (or at it): a smile is not extrapolated.
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
    """Flat position of each chain's strike nearest to `reference` (m,); the lower of two equally near."""
    return segments.argmin(np.abs(strike - reference[segments.of]))
