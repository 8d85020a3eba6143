"""Max pain: the strike at which option holders lose most, and its distance from the spot."""

from __future__ import annotations

from analytics.domain.chain import FORWARD_REASONS, MAX_PAIN_REASONS, OI_UNITS, Chain
from analytics.domain.values import MISSING, Json, Reasons, rfc3339


def answer(chain: Chain, source: str) -> Json:
    """Build the response for `chain`, which came from `source`.

    The strike is the one that the enricher computed, because only the enricher defines how ties are broken.
    """
    strike, spot = chain.price("max_pain_strike"), chain.price("spot_price")
    values: Json = {
        "max_pain_strike": strike,
        "spot_price": spot,
        "distance_from_spot": None,
        "distance_pct": None,
        "forward": chain.price("forward"),
        "total_call_oi": chain.number("total_call_oi"),
        "total_put_oi": chain.number("total_put_oi"),
        "oi_unit": chain.text("oi_unit", OI_UNITS),
    }
    reasons: Reasons = {name: MISSING for name, value in values.items() if value is None}
    if strike is None:
        reasons["max_pain_strike"] = chain.text("max_pain_reason", MAX_PAIN_REASONS) or MISSING
    if values["forward"] is None:
        reasons["forward"] = chain.text("forward_reason", FORWARD_REASONS) or MISSING
    if strike is not None and spot is not None:
        values["distance_from_spot"] = round(strike - spot, 4)
        values["distance_pct"] = round((strike - spot) / spot * 100, 2)
        del reasons["distance_from_spot"], reasons["distance_pct"]
    else:
        reason = "no_max_pain_strike" if strike is None else "no_spot_price"
        reasons |= {"distance_from_spot": reason, "distance_pct": reason}
    return {
        "product": chain.product,
        "expiry": chain.expiry,
        **values,
        "ts": chain.ts,
        "timestamp": rfc3339(chain.ts),
        "source": source,
        "reasons": reasons,
    }
