"""Open interest, volume, max pain and build-up of many chains at once."""

from __future__ import annotations

import numpy as np

from worker_enricher.domain.arrays import Codes, Floats, Ints, Objects
from worker_enricher.domain.segments import Segments

TIE = 1e-12
"""Payouts that differ by less than this fraction of the largest possible one are a tie."""
PRICE_SLACK = 1e-9
"""A premium within this fraction of the previous close is unchanged: (bid + ask) / 2 is not exact."""

# Index: 3 * (premium down, flat, up = 0, 1, 2) + (open interest down, flat, up); 9 = unknown.
BUILDUPS: Objects = np.array(
    [
        "long_unwinding",
        "neutral",
        "short_buildup",
        "neutral",
        "neutral",
        "neutral",
        "short_covering",
        "neutral",
        "long_buildup",
        None,
    ],
    dtype=object,
)
UNKNOWN = 9


def buildup_codes(
    *, premium: Floats, previous_close: Floats, open_interest: Floats, previous_open_interest: Floats
) -> Codes:
    """Index into BUILDUPS of each contract, by its own premium and open interest.

    Price up and OI up: long build-up; down, up: short build-up; down, down: long unwinding; up, down: short
    covering; either unchanged: neutral. Unknown where there is no previous close or no premium (0) now.
    """
    moved = premium - previous_close
    slack = PRICE_SLACK * previous_close
    code = (moved > slack).astype(np.int8)
    code -= moved < -slack
    code *= 3
    change = open_interest - previous_open_interest
    code += change > 0.0
    code -= change < 0.0
    code += 4
    code[(previous_close <= 0.0) | (premium <= 0.0)] = UNKNOWN
    return code


def max_pain(*, segments: Segments, strike: Floats, open_interest: Floats, reference: Floats) -> Ints:
    """Flat position of each chain's max-pain strike: the listed X at which the writers pay least.

    Payout(X) = sum OI_call max(X - K, 0) + sum OI_put max(K - X, 0). With A, B the running sums over K <= X
    of OI and OI * K of both legs it is X (A - A_put total) - B + B_put total: O(n) instead of O(n^2). Ties
    go to the strike nearest to `reference` (m,), then to the lower.
    strike: (n,); open_interest: (2, n), calls then puts.
    """
    of = segments.of
    k = strike - strike[segments.starts][of]  # small numbers keep the sums exact
    both = open_interest[0] + open_interest[1]
    running = np.cumsum(np.stack([both, both * k]), axis=1)
    before = np.zeros((2, segments.count))
    before[:, 1:] = running[:, segments.stops[:-1] - 1]
    running -= before[:, of]
    put_oi = np.add.reduceat(open_interest[1], segments.starts)
    payout = k * (running[0] - put_oi[of]) - running[1]
    least = np.minimum.reduceat(payout, segments.starts)
    stop = segments.stops - 1
    least += TIE * k[stop] * running[0, stop]
    distance = np.abs(strike - reference[of])
    return segments.argmin(np.where(payout <= least[of], distance, np.inf))


def ratio(numerator: float, denominator: float) -> float | None:
    """A put-call ratio; None where the denominator is 0."""
    return numerator / denominator if denominator > 0.0 else None
