"""Price bounds when the discount factor or the forward is not known exactly.

A bound that depends on them is a range. A price, or a pair of prices, violates the bound only if it violates
it for every plausible discount and forward.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from worker_enricher.domain.arrays import Floats

MIN_RATE = -0.02
"""Lowest plausible rate per year: twice the lowest of 2019-2021 (Swiss and German bills, about -1 %)."""
MAX_RATE = 0.5
"""Highest plausible rate per year: the policy rate of Turkey in 2024."""


class Parity(NamedTuple):
    """D (F - K) = level + D (pivot - K) +- error, for every D in low .. high. NaN where it is unknown."""

    pivot: Floats
    level: Floats
    error: Floats
    low: Floats
    high: Floats


class Bounds(NamedTuple):
    """Bounds of prices, (2, n), calls then puts, and of C - P, (n,), over all plausible D and F."""

    lower: Floats
    upper: Floats
    gap_low: Floats
    gap_high: Floats


def plausible_discounts(t: Floats) -> tuple[Floats, Floats]:
    """Return the lowest and the highest plausible discount factor over t years."""
    return np.exp(-MAX_RATE * t), np.exp(-MIN_RATE * t)


def price_bounds(*, parity: Parity, strike: Floats) -> Bounds:
    """Return the widest no-arbitrage bounds over all plausible discounts and forwards.

    `strike` and all fields of `parity` have shape (n,). For the bounds see Hull, "Options, Futures and Other
    Derivatives", ch. 11.
    """
    reach = parity.pivot - strike
    ends = np.stack([parity.low * reach, parity.high * reach])
    ends += parity.level
    gap_low = ends.min(axis=0) - parity.error
    gap_high = ends.max(axis=0) + parity.error
    lower = np.stack([gap_low, -gap_high])
    np.maximum(lower, 0.0, out=lower)
    upper = np.stack([parity.level + parity.high * parity.pivot + parity.error, parity.high * strike])
    return Bounds(lower, upper, gap_low, gap_high)
