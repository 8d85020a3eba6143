"""Put/call ratios of an expiry: read them from the cache and from storage, and build the response.

The response gives numbers and no trading signal: desks interpret the same ratio in opposite ways.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from analytics.domain.chain import TOO_SMALL
from analytics.domain.values import MISSING, Broken, Json, Reasons, event_time, number, rfc3339

DECIMALS = 4
_TOTALS = ("total_call_oi", "total_put_oi", "total_call_volume", "total_put_volume")
# ratio -> the possible reasons for null
_RATIOS = {
    "pcr_oi": {"no_call_open_interest", "no_put_open_interest", *TOO_SMALL},
    "pcr_volume": {"no_call_volume", "no_put_volume", *TOO_SMALL},
}
_NOT_STORED = "not_stored"


class Ratio(NamedTuple):
    """The unrounded ratios and totals of an expiry at the event time `ts` (nanoseconds).

    An unknown value is None and has an entry in `reasons`. Storage has neither totals nor reasons.
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
    values = {name: number(raw.get(name)) for name in (*_TOTALS, *_RATIOS)}
    reasons = dict.fromkeys((name for name, value in values.items() if value is None), MISSING)
    for name, known in _RATIOS.items():
        reason = raw.get(f"{name}_reason")
        if values[name] is None and reason in known:
            reasons[name] = reason
    return Ratio(product, expiry, event_time(raw.get("ts")), values, reasons)


def stored_ratio(raw: Json, product: str) -> Ratio:
    """Read an entry of storage's history, which has ratios but neither totals nor reasons.

    Raises Broken if the expiry or the time is invalid.
    """
    expiry = raw.get("expiry")
    if not isinstance(expiry, str):
        raise Broken("expiry")
    values = {name: number(raw.get(name)) for name in (*_TOTALS, *_RATIOS)}
    reasons = dict.fromkeys(_TOTALS, _NOT_STORED)
    for name in _RATIOS:
        if values[name] is None:
            reasons[name] = _NOT_STORED if name in raw and raw[name] is None else MISSING
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
