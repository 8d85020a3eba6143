"""Open interest by moneyness and by kind of build-up since the previous close.

The kind follows from the changes of the contract's own premium (not the underlying's price) and of its open
interest (OI):

- premium up, OI up: long build-up
- premium down, OI up: short build-up
- premium down, OI down: long unwinding
- premium up, OI down: short covering
- either unchanged: neutral

The enricher classifies each contract. This module lists the kinds and sums the open interest of each.
"""

from __future__ import annotations

from collections.abc import Callable

from analytics.domain.chain import BUILDUPS, OI_UNITS, Chain, Leg
from analytics.domain.values import MISSING, Json, Reasons, rfc3339

ATM_BAND = 0.01
"""Strikes closer to the spot than this fraction of it are at the money (`atm`)."""
UNKNOWN = "unknown"


def answer(chain: Chain, source: str) -> Json:
    """Build the response for `chain`, which came from `source`.

    A sum is null if any of its terms is unknown; it is never the sum of the other terms.
    """
    spot = chain.price("spot_price")
    values: Json = {
        "spot_price": spot,
        "oi_unit": chain.text("oi_unit", OI_UNITS),
        "total_call_oi": chain.number("total_call_oi"),
        "total_put_oi": chain.number("total_put_oi"),
    }
    reasons: Reasons = {name: MISSING for name, value in values.items() if value is None}
    result: Json = {
        "product": chain.product,
        "expiry": chain.expiry,
        **values,
        "atm_band_pct": ATM_BAND * 100,
    }
    for name, leg, is_call in (("call", chain.calls, True), ("put", chain.puts, False)):
        zones = _zones(chain.strikes, leg, spot, is_call=is_call)
        result[f"{name}_buildup"] = zones
        if None in zones.values():
            reasons[f"{name}_buildup"] = "no_spot_price" if spot is None else MISSING
        result[f"{name}_totals"] = _by_class(leg, len(chain.strikes))
        result[f"{name}s"] = _rows(chain.strikes, leg)
    return {
        **result,
        "ts": chain.ts,
        "timestamp": rfc3339(chain.ts),
        "source": source,
        "reasons": reasons,
    }


def _zones(
    strikes: list[float], leg: Leg, spot: int | float | None, *, is_call: bool
) -> dict[str, int | float | None]:
    """Return the open interest in, at and out of the money, relative to the spot.

    NB: `atm` overlaps the two others, as in the original. `otm` equals the chain's `call_buildup_otm` or
    `put_buildup_otm`.
    """
    if spot is None:
        return {"itm": None, "atm": None, "otm": None}
    below, above = (lambda strike: strike < spot), (lambda strike: strike > spot)

    def where(holds: Callable[[float], bool]) -> int | float | None:
        return _sum_at(leg.open_interest, [place for place, strike in enumerate(strikes) if holds(strike)])

    return {
        "itm": where(below if is_call else above),
        "atm": where(lambda strike: abs(strike - spot) < spot * ATM_BAND),
        "otm": where(above if is_call else below),
    }


def _by_class(leg: Leg, size: int) -> Json:
    """Return, for each kind of build-up, the number of strikes, their open interest and its change."""
    kinds = leg.buildup or [None] * size
    result: Json = {}
    for kind in (*BUILDUPS, UNKNOWN):
        at = [place for place, found in enumerate(kinds) if (found or UNKNOWN) == kind]
        result[kind] = {
            "strikes": len(at),
            "open_interest": _sum_at(leg.open_interest, at),
            "open_interest_change": _sum_at(leg.open_interest_change, at),
        }
    return result


def _rows(strikes: list[float], leg: Leg) -> list[Json]:
    empty: list[None] = [None] * len(strikes)
    # By the contract, null in the column means that the previous session is unknown.
    reason = MISSING if leg.buildup is None else "previous_session_unknown"
    columns = zip(
        strikes,
        leg.open_interest or empty,
        leg.open_interest_change or empty,
        leg.buildup or empty,
        strict=True,
    )
    return [
        {
            "strike": strike,
            "open_interest": oi,
            "open_interest_change": change,
            "buildup": kind,
            "reason": reason if kind is None else None,
        }
        for strike, oi, change, kind in columns
    ]


def _sum_at(column: list[int | float | None] | None, places: list[int]) -> int | float | None:
    if column is None:
        return None
    total: int | float = 0
    for place in places:
        value = column[place]
        if value is None:
            return None
        total += value
    return total
