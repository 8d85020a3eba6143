"""The volatility surface: the current smile of each expiry as quoted, without fitting or interpolation."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analytics.domain.chain import Chain
from analytics.domain.values import Broken, Json, Reasons, number, rfc3339


def surface(product: str, smiles: Sequence[Json]) -> Json:
    """Build the value of `volatility_surface:{P}` from at least one smile, ordered by expiry.

    Its timestamp is the event time of the newest smile.
    """
    newest = max(smile["ts"] for smile in smiles)
    return {"product": product, "timestamp": rfc3339(newest), "expiries": list(smiles)}


def smile(chain: Chain) -> Json:
    """Build the smile of an expiry: its implied volatilities by strike.

    Raises Broken if the chain lacks the time to expiry, a column of volatilities, or the reason for a null.
    """
    years = chain.number("years_to_expiry")
    call_ivs, put_ivs = chain.calls.iv, chain.puts.iv
    if years is None or years < 0:
        raise Broken("years_to_expiry")
    if call_ivs is None or put_ivs is None:
        raise Broken("iv")
    forward = chain.price("forward")
    given = [iv for iv in (*call_ivs, *put_ivs) if iv is not None]
    return {
        "expiry": chain.expiry,
        "ts": chain.ts,
        "years_to_expiry": years,
        "forward": forward,
        "atm_iv": chain.number("atm_iv"),
        "strikes": chain.strikes,
        "call_ivs": call_ivs,
        "put_ivs": put_ivs,
        "iv_reasons": _iv_reasons(chain, forward),
        "avg_iv": math.fsum(given) / len(given) if given else None,
        "num_quotes": len(given),
    }


def _iv_reasons(chain: Chain, forward: int | float | None) -> list[str | None]:
    """Return, for each strike, why the out-of-the-money leg has no volatility; None if it has one."""
    empty: list[None] = [None] * len(chain.strikes)
    calls = list(zip(chain.calls.iv or empty, chain.calls.iv_reason or empty, strict=True))
    puts = list(zip(chain.puts.iv or empty, chain.puts.iv_reason or empty, strict=True))
    reasons: list[str | None] = []
    for strike, call, put in zip(chain.strikes, calls, puts, strict=True):
        if forward is None:
            reasons.append(call[1] or put[1] or "no_forward")
            continue
        iv, reason = put if strike < forward else call
        if iv is None and reason is None:
            raise Broken("iv_reason")
        reasons.append(None if iv is not None else reason)
    return reasons


def answer(cached: Json) -> Json:
    """Build the response: add to each smile its out-of-the-money volatilities and the reasons for its nulls.

    Raises Broken if `cached` has another shape: after an upgrade, the cache may hold a surface of the
    previous release for a few seconds.
    """
    try:
        return _answer(cached)
    except (KeyError, TypeError, ValueError) as error:
        raise Broken("surface") from error


def _answer(cached: Json) -> Json:
    return {**cached, "expiries": [_smile_answer(smile) for smile in cached["expiries"]]}


def _smile_answer(smile: Json) -> Json:
    forward = number(smile["forward"])
    sides = zip(smile["strikes"], smile["call_ivs"], smile["put_ivs"], strict=True)
    reasons: Reasons = {}
    if forward is None:
        reasons["forward"] = "expired" if smile["years_to_expiry"] == 0 else "no_parity_forward"
    if smile["atm_iv"] is None:
        reasons["atm_iv"] = "no_forward" if forward is None else "no_volatility_on_both_sides"
    if smile["avg_iv"] is None:
        reasons["avg_iv"] = "no_volatility"
    return {
        **smile,
        # A strike equal to the forward uses the call, as in the enricher.
        "ivs": [
            None if forward is None else (put if strike < forward else call) for strike, call, put in sides
        ],
        "reasons": reasons,
    }
