"""What is plausible where the discount factor or the forward is not known exactly.

A bound that depends on them is a range; a price or a pair of prices breaks it only if it breaks it for every
plausible discount and forward.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from worker_enricher.domain.arrays import Floats

MIN_RATE = -0.02
"""Lowest plausible rate, a year: twice the lowest yields of 2019-2021 (Swiss and German bills, near -1 %)."""
MAX_RATE = 0.5
"""Highest plausible rate, a year: the policy rate of Turkey in 2024."""


class Parity(NamedTuple):
    """D (F - K) = level + D (pivot - K) +- error, for every D in low .. high; NaN where nothing is known."""

    pivot: Floats
    level: Floats
    error: Floats
    low: Floats
    high: Floats


class Bounds(NamedTuple):
    """Price bounds, calls then puts, (2, n), and those of C - P, (n,): outside is wrong for every D and F."""

    lower: Floats
    upper: Floats
    gap_low: Floats
    gap_high: Floats


def plausible_discounts(t: Floats) -> tuple[Floats, Floats]:
    """Least and largest discount factor over t years."""
    return np.exp(-MAX_RATE * t), np.exp(-MIN_RATE * t)


def price_bounds(*, parity: Parity, strike: Floats) -> Bounds:
    """The widest no-arbitrage bounds over all that is plausible; everything flat, (n,)."""
    reach = parity.pivot - strike
    ends = np.stack([parity.low * reach, parity.high * reach])
    ends += parity.level
    gap_low = ends.min(axis=0) - parity.error
    gap_high = ends.max(axis=0) + parity.error
    lower = np.stack([gap_low, -gap_high])
    np.maximum(lower, 0.0, out=lower)
    upper = np.stack([parity.level + parity.high * parity.pivot + parity.error, parity.high * strike])
    return Bounds(lower, upper, gap_low, gap_high)
