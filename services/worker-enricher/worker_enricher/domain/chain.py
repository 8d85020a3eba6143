"""Enrich many option chains at once: run the array pass, and convert its results to plain Python values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from worker_enricher.domain import arbitrage, positions
from worker_enricher.domain.arrays import Column
from worker_enricher.domain.chain_arrays import ChainColumns, Pass, compute
from worker_enricher.domain.columns import count_rows, nullable_rows
from worker_enricher.domain.forward import FORWARD_REASONS
from worker_enricher.domain.implied_vol import REASON_NAMES


class LegAnalytics(TypedDict):
    """Computed columns of one side, with the names of the contract enriched-option_chain."""

    open_interest_change: Column
    buildup: Column
    iv_bid: Column
    iv: Column
    iv_ask: Column
    iv_reason: Column
    delta: Column
    gamma: Column
    vega: Column
    theta: Column
    rho: Column


class ChainAnalytics(TypedDict):
    """Computed fields of a chain as plain Python values, with the names of enriched-option_chain."""

    years_to_expiry: float
    forward: float | None
    discount: float | None
    discount_low: float | None
    discount_high: float | None
    forward_r2: float | None
    forward_reason: str | None
    pcr_oi: float | None
    pcr_volume: float | None
    pcr_oi_reason: str | None
    pcr_volume_reason: str | None
    atm_strike: float
    atm_straddle_price: float | None
    atm_iv: float | None
    expected_move: float | None
    max_pain_strike: float | None
    max_pain_reason: str | None
    total_call_oi: float
    total_put_oi: float
    total_call_volume: float
    total_put_volume: float
    call_buildup_otm: float
    put_buildup_otm: float
    arbitrage: dict[str, int | None]
    arbitrage_reason: str | None
    calls: LegAnalytics
    puts: LegAnalytics


def enrich_chains(chains: Sequence[ChainColumns]) -> list[ChainAnalytics]:
    """Return the analytics of every chain, in the given order. The batching does not change the results."""
    return to_analytics(compute(chains)) if chains else []


def to_analytics(done: Pass) -> list[ChainAnalytics]:
    """Convert the batch's arrays to plain Python values, one dict per chain."""
    n = done.segments.size
    surface = nullable_rows(done.surface.reshape(16, n))
    scalars = nullable_rows(done.scalars.T)
    pain = done.pain_strike.tolist()
    reasons = REASON_NAMES[done.iv_reason].tolist()
    buildups = positions.BUILDUPS[done.buildup].tolist()
    changes = count_rows(done.oi_change)
    totals = count_rows(done.totals.T)
    has_calls, has_puts = done.sides.tolist()
    violations = done.violations.tolist()
    european = done.european.tolist()
    forward_reasons = FORWARD_REASONS[done.forwards.reason].tolist()

    def leg(side: int, cut: slice) -> LegAnalytics:
        return {
            "open_interest_change": changes[side][cut],
            "buildup": buildups[side][cut],
            "iv_bid": surface[side][cut],
            "iv": surface[2 + side][cut],
            "iv_ask": surface[4 + side][cut],
            "iv_reason": reasons[side][cut],
            "delta": surface[6 + side][cut],
            "gamma": surface[8 + side][cut],
            "vega": surface[10 + side][cut],
            "theta": surface[12 + side][cut],
            "rho": surface[14 + side][cut],
        }

    analytics: list[ChainAnalytics] = []
    spans = zip(done.segments.starts.tolist(), done.segments.stops.tolist(), strict=True)
    for i, (start, stop) in enumerate(spans):
        years, forward, discount, low, high, r2, atm_strike, straddle, atm_iv, move = scalars[i]
        call_oi, put_oi, call_volume, put_volume, call_otm, put_otm = totals[i]
        small = positions.one_sided(strikes=stop - start, has_calls=has_calls[i], has_puts=has_puts[i])
        no_pcr_oi = small or positions.no_ratio("open_interest", call_oi, put_oi)
        no_pcr_volume = small or positions.no_ratio("volume", call_volume, put_volume)
        no_pain = small or (None if call_oi + put_oi else "no_open_interest")
        cut = slice(start, stop)
        counts: dict[str, int | None] = dict(zip(arbitrage.CHECKS, violations[i], strict=True))
        unknown = forward_reasons[i] if forward is None else None if european[i] else "american_exercise"
        if unknown:
            counts.update(dict.fromkeys(arbitrage.NEEDING_FORWARD))
        analytics.append(
            {
                "years_to_expiry": years,
                "forward": forward,
                "discount": discount,
                "discount_low": low,
                "discount_high": high,
                "forward_r2": r2,
                "forward_reason": forward_reasons[i],
                "pcr_oi": None if no_pcr_oi else put_oi / call_oi,
                "pcr_volume": None if no_pcr_volume else put_volume / call_volume,
                "pcr_oi_reason": no_pcr_oi,
                "pcr_volume_reason": no_pcr_volume,
                "atm_strike": atm_strike,
                "atm_straddle_price": straddle,
                "atm_iv": atm_iv,
                "expected_move": move,
                "max_pain_strike": None if no_pain else pain[i],
                "max_pain_reason": no_pain,
                "total_call_oi": call_oi,
                "total_put_oi": put_oi,
                "total_call_volume": call_volume,
                "total_put_volume": put_volume,
                "call_buildup_otm": call_otm,
                "put_buildup_otm": put_otm,
                "arbitrage": counts,
                "arbitrage_reason": unknown,
                "calls": leg(0, cut),
                "puts": leg(1, cut),
            }
        )
    return analytics
