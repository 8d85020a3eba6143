"""Build-up, max pain and put-call ratios from open interest, for many chains in one pass."""

from __future__ import annotations

import numpy as np

from worker_enricher.domain.arrays import Codes, Floats, Ints, Objects
from worker_enricher.domain.segments import Segments

TIE = 1e-12
"""Payouts whose difference is less than this fraction of the largest possible payout are a tie."""
PRICE_SLACK = 1e-9
"""A premium that differs from the previous close by at most this fraction is unchanged: the mid,
(bid + ask) / 2, has rounding errors."""

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
    """Return the build-up of each contract, as an index into BUILDUPS. All arrays have the same shape.

    Price up, open interest up: long build-up. Price down, open interest up: short build-up. Both down: long
    unwinding. Price up, open interest down: short covering. Either unchanged: neutral. The build-up is
    unknown if the contract has no previous close or no premium (0), or no known previous open interest (NaN).
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
    code[(previous_close <= 0.0) | (premium <= 0.0) | np.isnan(change)] = UNKNOWN
    return code


def max_pain(*, segments: Segments, strike: Floats, open_interest: Floats, reference: Floats) -> Ints:
    """Return the flat position of each chain's max-pain strike: the strike X at which writers pay least.

    Payout(X) = sum OI_call max(X - K, 0) + sum OI_put max(K - X, 0). Let A and B be the running sums over
    K <= X of OI and OI * K, of both legs. Then Payout(X) = X (A - total A_put) - B + total B_put, which takes
    O(n) instead of O(n^2). On a tie, the strike nearest to `reference` (m,) wins, then the lower one.
    strike: (n,); open_interest: (2, n), calls then puts.
    """
    of = segments.of
    k = strike - strike[segments.starts][of]  # relative strikes are small, so the sums stay exact
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


def one_sided(*, strikes: int, has_calls: bool, has_puts: bool) -> str | None:
    """Return why a chain is too small for ratios and max pain, or None: one strike, or one side only."""
    if strikes == 1:
        return "one_strike"
    return None if has_calls and has_puts else "one_side"


def no_ratio(total: str, calls: float, puts: float) -> str | None:
    """Return why a chain has no put-call ratio of `total`, or None. Nothing is known from an empty side."""
    return None if calls and puts else f"no_put_{total}" if calls else f"no_call_{total}"
