"""The spot of a chain from put-call parity, for a file that does not state it."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp
from statistics import median

from feed_generator.sources.formats.row import Leg

_PAIRS = 5


def spot(legs: Mapping[tuple[float, bool], Leg], years: float, rate: float) -> float | None:
    """Return the spot K·exp(-rate·years) + C - P, or None if no strike is quoted on both sides.

    C and P are mid prices. The result is the median over the strikes nearest to the money, where spreads are
    narrow. Dividends until the expiry are taken as none. `years` to the expiry; `rate` continuous.
    """
    gaps = []
    for strike, is_call in legs:
        if is_call and (strike, False) in legs:
            call, put = _mid(legs[strike, True]), _mid(legs[strike, False])
            if call and put:
                gaps.append((abs(call - put), strike * exp(-rate * years) + call - put))
    nearest = [spot for _, spot in sorted(gaps)[:_PAIRS]]
    return median(nearest) if nearest and median(nearest) > 0 else None


def _mid(leg: Leg) -> float | None:
    bid, ask = leg["bid"], leg["ask"]
    return (bid + ask) / 2 if 0 < bid <= ask else None
