"""Compute the analytics of many option chains as arrays, in one pass. Module `chain` converts them.

A batch has about a dozen chains of about twenty strikes. At that size the number of NumPy calls determines
the cost, not the arithmetic. So all chains are concatenated in flat arrays (module segments), with calls and
puts as the rows of (2, n), and every kernel runs once for the whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from worker_enricher.domain import arbitrage, money, positions
from worker_enricher.domain.arrays import Bools, Codes, Floats, Ints, Numbers
from worker_enricher.domain.black import greeks
from worker_enricher.domain.bounds import Bounds, Parity, price_bounds
from worker_enricher.domain.forward import Forwards, parity_forwards
from worker_enricher.domain.implied_vol import implied_volatility
from worker_enricher.domain.quote_quality import STALE_MS, Quality, assess, volatility_reason
from worker_enricher.domain.segments import Segments

NS_PER_YEAR = 365 * 86_400 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class LegColumns:
    """The calls or the puts of a chain. Each column has shape (n,), one value per strike; 0 means none.

    In `previous_open_interest` NaN means that it is unknown.
    """

    bid: Numbers
    ask: Numbers
    last: Numbers
    volume: Numbers
    open_interest: Numbers
    previous_close: Numbers
    previous_open_interest: Numbers
    quote_age_ms: Floats | None = None
    """NaN where it is unknown; None if the source does not state ages."""


@dataclass(frozen=True, slots=True)
class ChainColumns:
    """The chain of one expiry. ts, expiry_ts: ns since the epoch; strikes: (n,), ascending, n >= 1."""

    ts: int
    expiry_ts: int
    european: bool
    spot: float
    strikes: Floats
    calls: LegColumns
    puts: LegColumns


class Pass(NamedTuple):
    """The results of a batch as arrays: m chains with n strikes in total."""

    segments: Segments
    forwards: Forwards
    scalars: Floats  # (10, m): years, forward, discount, its range, r2, atm strike, straddle, atm iv, move
    pain_strike: Floats  # (m,), meaningless without open interest
    totals: Floats  # (6, m): OI of calls, of puts, volumes, OI of calls above and of puts below the spot
    sides: Bools  # (2, m): whether the chain has calls, puts: a quote, a trade or open interest
    european: Bools  # (m,)
    violations: Ints  # (m, 8)
    surface: Floats  # (8, 2, n): iv bid, mid, ask, delta, gamma, vega, theta, rho
    iv_reason: Codes  # (2, n)
    buildup: Codes  # (2, n)
    oi_change: Floats  # (2, n); NaN: unknown


def years_between(ts: int, expiry_ts: int) -> float:
    """Return the time from ts to expiry_ts (ns) in years of 365 days, or 0 after expiry."""
    return max(expiry_ts - ts, 0) / NS_PER_YEAR


def compute(chains: Sequence[ChainColumns]) -> Pass:
    """Compute all results of the batch as arrays. `chain.to_analytics` converts them."""
    segments = Segments([len(chain.strikes) for chain in chains])
    of = segments.of
    strike, columns = _flatten(chains, segments.size)
    bid, ask, last, volume, oi, previous_close, previous_oi = columns
    spot: Floats = np.array([chain.spot for chain in chains])
    european: Bools = np.array([chain.european for chain in chains])
    t: Floats = np.array([years_between(chain.ts, chain.expiry_ts) for chain in chains])

    prices = bid + ask + last
    stale = _stale(chains)
    if stale is not None:
        bid[stale] = ask[stale] = 0.0
    quality = assess(bid=bid, ask=ask, stale=stale)
    forwards = parity_forwards(segments=segments, strike=strike, mid=quality.mid, half=quality.half, t=t)
    per_chain = np.stack([forwards.forward, forwards.discount, t, spot])
    f, d, years, s = np.take(per_chain, of, axis=1)
    parity = Parity(*np.take(np.stack(forwards.parity), of, axis=1))
    bounds = price_bounds(parity=parity, strike=strike)
    surface, reason = _surface(quality, bounds, european[of], s, f, strike, d, years)

    reference = np.where(np.isnan(forwards.forward), spot, forwards.forward)
    atm = money.atm_positions(segments=segments, strike=strike, reference=reference)
    otm_iv = np.where(strike < f, surface[1, 1], surface[1, 0])
    atm_iv = money.atm_volatility(segments=segments, strike=strike, forward=forwards.forward, otm_iv=otm_iv)
    straddle = quality.mid[:, atm].sum(axis=0)
    move = forwards.forward * atm_iv * np.sqrt(t)
    scalars = np.stack(
        [
            t,
            forwards.forward,
            forwards.discount,
            np.where(np.isnan(forwards.discount), np.nan, forwards.parity.low),
            np.where(np.isnan(forwards.discount), np.nan, forwards.parity.high),
            forwards.r2,
            strike[atm],
            straddle,
            atm_iv,
            move,
        ]
    )
    totals = np.add.reduceat(
        np.concatenate([oi, volume, oi[:1] * (strike > s), oi[1:] * (strike < s), prices]),
        segments.starts,
        axis=1,
    )
    pain = positions.max_pain(segments=segments, strike=strike, open_interest=oi, reference=reference)
    return Pass(
        segments=segments,
        forwards=forwards,
        scalars=scalars,
        pain_strike=strike[pain],
        totals=totals[:6],
        sides=totals[:2] + totals[2:4] + totals[6:] > 0.0,
        european=european,
        violations=arbitrage.count_violations(
            segments=segments,
            strike=strike,
            european=european[of],
            discount=parity.high,
            bounds=bounds,
            bid=bid,
            ask=ask,
            quality=quality,
        ),
        surface=surface,
        iv_reason=reason,
        buildup=positions.buildup_codes(
            premium=np.where(quality.two_sided, quality.mid, last),
            previous_close=previous_close,
            open_interest=oi,
            previous_open_interest=previous_oi,
        ),
        oi_change=oi - previous_oi,
    )


def _flatten(chains: Sequence[ChainColumns], n: int) -> tuple[Floats, Floats]:
    """Return the strikes (n,) and the legs' columns (7, 2, n) of all chains, with one concatenation."""
    calls = [chain.calls for chain in chains]
    puts = [chain.puts for chain in chains]
    parts: list[Numbers] = [chain.strikes for chain in chains]
    for legs in (calls, puts):
        parts += [leg.bid for leg in legs]
    for legs in (calls, puts):
        parts += [leg.ask for leg in legs]
    for legs in (calls, puts):
        parts += [leg.last for leg in legs]
    for legs in (calls, puts):
        parts += [leg.volume for leg in legs]
    for legs in (calls, puts):
        parts += [leg.open_interest for leg in legs]
    for legs in (calls, puts):
        parts += [leg.previous_close for leg in legs]
    for legs in (calls, puts):
        parts += [leg.previous_open_interest for leg in legs]
    flat: Floats = np.concatenate(parts, dtype=np.float64)
    return flat[:n], flat[n:].reshape(7, 2, n)


def _stale(chains: Sequence[ChainColumns]) -> Bools | None:
    """Return which quotes are too old (2, n), or None if no chain states the age of its quotes."""
    legs = [chain.calls for chain in chains] + [chain.puts for chain in chains]
    if all(leg.quote_age_ms is None for leg in legs):
        return None
    ages = [np.zeros(leg.bid.size) if leg.quote_age_ms is None else leg.quote_age_ms for leg in legs]
    stale: Bools = np.concatenate(ages).reshape(2, -1) > STALE_MS
    return stale


_IS_CALL: Bools = np.array([[True], [False]])


def _surface(
    quality: Quality,
    bounds: Bounds,
    european: Bools,
    spot: Floats,
    forward: Floats,
    strike: Floats,
    discount: Floats,
    t: Floats,
) -> tuple[Floats, Codes]:
    """Return volatilities and Greeks (8, 2, n), and the reason codes of the mid's volatility (2, n)."""
    surface = np.empty((8, 2, strike.size))
    priced = np.where(european, forward, np.nan)  # a NaN forward has no volatility
    solved = implied_volatility(
        price=quality.prices, is_call=_IS_CALL, forward=priced, strike=strike, discount=discount, t=t
    )
    surface[:3] = solved.sigma
    no_forward = np.isnan(forward)
    reason = volatility_reason(
        quality=quality,
        solver=solved.reason[1],
        bounds=bounds,
        european=european,
        expired=t <= 0.0,
        no_forward=no_forward,
    )
    iv = surface[1]
    # An in-the-money leg without a volatility uses that of the other leg: by parity they are equal.
    below = strike < priced
    above = strike > priced
    vol = iv.copy()
    np.copyto(vol[0], iv[1], where=below & np.isnan(iv[0]))
    np.copyto(vol[1], iv[0], where=above & np.isnan(iv[1]))
    g = greeks(is_call=_IS_CALL, spot=spot, forward=priced, strike=strike, discount=discount, sigma=vol, t=t)
    for row, values in enumerate(g, start=3):
        surface[row] = values
    return surface, reason
