"""Enrich a batch of single option quotes, each with the forward of its expiry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from worker_enricher.domain.arrays import Bools, Column, Floats, Ints, Numbers
from worker_enricher.domain.black import greeks
from worker_enricher.domain.bounds import Bounds, Parity, plausible_discounts, price_bounds
from worker_enricher.domain.chain_arrays import NS_PER_YEAR
from worker_enricher.domain.columns import nullable_rows
from worker_enricher.domain.implied_vol import REASON_NAMES, implied_volatility
from worker_enricher.domain.quote_quality import STALE_MS, assess, volatility_reason


@dataclass(frozen=True, slots=True)
class QuoteColumns:
    """n independent quotes. Each field has shape (n,). ts, expiry_ts: in ns; forward: NaN if unknown."""

    ts: Ints
    expiry_ts: Ints
    european: Bools
    is_call: Bools
    spot: Floats
    strike: Floats
    bid: Numbers
    ask: Numbers
    forward: Floats
    discount: Floats
    """1 where the chain's discount is assumed, not estimated."""
    quote_age_ms: Floats | None = None
    """NaN where it is unknown; None if no quote states its age."""


class QuoteAnalytics(TypedDict):
    """Computed columns with the names of the contract enriched-option_quote. Plain lists of length n."""

    years_to_expiry: Column
    iv_bid: Column
    iv: Column
    iv_ask: Column
    iv_reason: Column
    delta: Column
    gamma: Column
    vega: Column
    theta: Column
    rho: Column


def enrich_quotes(quotes: QuoteColumns) -> QuoteAnalytics:
    """Return volatilities at bid, mid and ask, and Greeks at the mid's volatility."""
    t = np.maximum(quotes.expiry_ts - quotes.ts, 0) / NS_PER_YEAR
    bid, ask, stale = np.asarray(quotes.bid, np.float64), np.asarray(quotes.ask, np.float64), None
    if quotes.quote_age_ms is not None:
        stale = quotes.quote_age_ms > STALE_MS
        bid, ask = np.where(stale, 0.0, bid), np.where(stale, 0.0, ask)
    quality = assess(bid=bid, ask=ask, stale=stale)
    no_forward = ~((quotes.forward > 0.0) & (quotes.discount > 0.0))
    forward = np.where(quotes.european & ~no_forward, quotes.forward, np.nan)
    discount = np.where(no_forward, np.nan, quotes.discount)
    solved = implied_volatility(
        price=quality.prices,
        is_call=quotes.is_call,
        forward=forward,
        strike=quotes.strike,
        discount=discount,
        t=t,
    )
    reason = volatility_reason(
        quality=quality,
        solver=solved.reason[1],
        bounds=_bounds(quotes, forward, discount, t),
        european=quotes.european,
        expired=t <= 0.0,
        no_forward=no_forward,
    )
    g = greeks(
        is_call=quotes.is_call,
        spot=quotes.spot,
        forward=forward,
        strike=quotes.strike,
        discount=discount,
        sigma=solved.sigma[1],
        t=t,
    )
    iv_bid, iv, iv_ask, delta, gamma, vega, theta, rho = nullable_rows(np.concatenate([solved.sigma, g]))
    return {
        "years_to_expiry": t.tolist(),
        "iv_bid": iv_bid,
        "iv": iv,
        "iv_ask": iv_ask,
        "iv_reason": REASON_NAMES[reason].tolist(),
        "delta": delta,
        "gamma": gamma,
        "vega": vega,
        "theta": theta,
        "rho": rho,
    }


def _bounds(quotes: QuoteColumns, forward: Floats, discount: Floats, t: Floats) -> Bounds:
    """Return the price bounds of each quote's side. For an assumed discount (1) use the plausible range."""
    assumed = discount == 1.0
    low, high = plausible_discounts(t)
    zero = np.zeros_like(t)
    both = price_bounds(
        parity=Parity(
            pivot=forward,
            level=zero,
            error=zero,
            low=np.where(assumed, low, discount),
            high=np.where(assumed, high, discount),
        ),
        strike=quotes.strike,
    )
    return Bounds(
        np.where(quotes.is_call, both.lower[0], both.lower[1]),
        np.where(quotes.is_call, both.upper[0], both.upper[1]),
        both.gap_low,
        both.gap_high,
    )
