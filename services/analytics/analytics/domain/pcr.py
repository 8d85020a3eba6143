"""Put/call ratios of an expiry: read them from the cache and from storage, and build the response.

The response gives numbers and no trading signal: desks interpret the same ratio in opposite ways.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from analytics.domain.values import MISSING, Broken, Json, Reasons, event_time, number, rfc3339, whole

DECIMALS = 4
_TOTALS = ("total_call_oi", "total_put_oi", "total_call_volume", "total_put_volume")
# ratio -> (its denominator, the reason for null if the denominator is 0)
_RATIOS = {
    "pcr_oi": ("total_call_oi", "no_call_open_interest"),
    "pcr_volume": ("total_call_volume", "no_call_volume"),
}


class Ratio(NamedTuple):
    """The unrounded ratios and totals of an expiry at the event time `ts` (nanoseconds).

    An unknown value is None and has an entry in `reasons`. Storage has no totals.
    """

    product: str
    expiry: str
    ts: int
    values: dict[str, int | float | None]
    reasons: Reasons


def cached_ratio(raw: Json, product: str, expiry: str) -> Ratio:
    """Read `latest:pcr:{P}:{E}`. Raises Broken if it has another product or expiry, or an invalid time."""
    if (raw.get("product"), raw.get("expiry")) != (product, expiry):
        raise Broken("product or expiry")
    values: dict[str, int | float | None] = {name: whole(raw.get(name)) for name in _TOTALS}
    reasons = dict.fromkeys((name for name in _TOTALS if values[name] is None), MISSING)
    return _ratio(raw, product, expiry, values, reasons)


def stored_ratio(raw: Json, product: str) -> Ratio:
    """Read an entry of storage's history, which has ratios but no totals.

    Raises Broken if the expiry or the time is invalid.
    """
    expiry = raw.get("expiry")
    if not isinstance(expiry, str):
        raise Broken("expiry")
    return _ratio(raw, product, expiry, dict.fromkeys(_TOTALS), dict.fromkeys(_TOTALS, "not_stored"))


def _ratio(
    raw: Json, product: str, expiry: str, values: dict[str, int | float | None], reasons: Reasons
) -> Ratio:
    for name, (denominator, reason) in _RATIOS.items():
        found = number(raw.get(name))
        values[name] = found
        if found is None:
            # By the contract, an explicit null means a denominator of 0. Anything else counts as missing.
            explicit_null = name in raw and raw[name] is None and values[denominator] in (None, 0)
            reasons[name] = reason if explicit_null else MISSING
    return Ratio(product, expiry, event_time(raw.get("ts")), values, reasons)


def row(ratio: Ratio) -> Json:
    """Return the response's object for the newest ratios of an expiry."""
    totals = {name: ratio.values[name] for name in _TOTALS}
    return {**_ratios(ratio), **totals, "reasons": ratio.reasons}


def history(ratios: Iterable[Ratio]) -> list[Json]:
    """Return the response's list of stored ratios."""
    return [
        {
            **_ratios(ratio),
            "reasons": {name: ratio.reasons[name] for name in _RATIOS if name in ratio.reasons},
        }
        for ratio in ratios
    ]


def _ratios(ratio: Ratio) -> Json:
    return {
        "product": ratio.product,
        "expiry": ratio.expiry,
        "pcr_oi": _rounded(ratio, "pcr_oi"),
        "pcr_volume": _rounded(ratio, "pcr_volume"),
        "ts": ratio.ts,
        "timestamp": rfc3339(ratio.ts),
    }


def _rounded(ratio: Ratio, name: str) -> float | None:
    value = ratio.values[name]
    return None if value is None else round(float(value), DECIMALS)
