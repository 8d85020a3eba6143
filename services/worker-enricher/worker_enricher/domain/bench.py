"""`python -m worker_enricher.domain.bench`: best-of-N times of the domain's passes on synthetic chains."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from worker_enricher.domain.arrays import Floats
from worker_enricher.domain.black import price
from worker_enricher.domain.chain import enrich_chains, to_analytics
from worker_enricher.domain.chain_arrays import NS_PER_YEAR, ChainColumns, LegColumns, compute
from worker_enricher.domain.quotes import QuoteColumns, enrich_quotes

SPOT = 24_000.0
RATE = 0.065
TICK = 0.05
DAYS = (2, 9, 16, 23, 37, 65, 93, 185)


def synthetic_chain(*, days: float, strikes: int, seed: int = 1, gap: float = 50.0) -> ChainColumns:
    """Return a chain with a volatility smile, spreads of a tick or more and prices rounded to ticks."""
    random = np.random.default_rng(seed)
    t = np.full(strikes, days / 365.0)
    strike: Floats = np.asarray(SPOT + gap * (np.arange(strikes) - strikes // 2), np.float64)
    forward = SPOT * np.exp(RATE * t)
    x = np.log(strike / forward) / np.sqrt(t)
    sigma = 0.12 - 0.02 * x + 0.05 * x * x

    def leg(is_call: bool) -> LegColumns:
        fair = price(
            is_call=np.full(strikes, is_call),
            forward=forward,
            strike=strike,
            discount=np.exp(-RATE * t),
            sigma=sigma,
            t=t,
        )
        half = np.maximum(0.5 * TICK, 0.002 * fair)
        bid: Floats = np.floor((fair - half) / TICK) * TICK
        ask: Floats = np.ceil((fair + half) / TICK) * TICK
        return LegColumns(
            bid=np.maximum(bid, 0.0),
            ask=ask,
            last=fair,
            volume=random.integers(0, 10**7, strikes),
            open_interest=random.integers(0, 10**7, strikes),
            previous_close=np.maximum(fair + random.normal(0.0, 5.0, strikes), TICK),
            previous_open_interest=random.integers(0, 10**7, strikes),
        )

    return ChainColumns(
        ts=0,
        expiry_ts=int(days / 365.0 * NS_PER_YEAR),
        european=True,
        spot=SPOT,
        strikes=strike,
        calls=leg(True),
        puts=leg(False),
    )


def synthetic_quotes(n: int) -> QuoteColumns:
    """Return quotes of n contracts of one chain, alternating between calls and puts."""
    chain = synthetic_chain(days=9, strikes=n)
    is_call = np.arange(n) % 2 == 0
    forward = SPOT * np.exp(RATE * 9 / 365)
    return QuoteColumns(
        ts=np.zeros(n, dtype=np.int64),
        expiry_ts=np.full(n, chain.expiry_ts),
        european=np.ones(n, dtype=np.bool_),
        is_call=is_call,
        spot=np.full(n, SPOT),
        strike=chain.strikes,
        bid=np.where(is_call, chain.calls.bid, chain.puts.bid),
        ask=np.where(is_call, chain.calls.ask, chain.puts.ask),
        forward=np.full(n, forward),
        discount=np.full(n, np.exp(-RATE * 9 / 365)),
    )


def best_ms(work: Callable[[], object], repeats: int = 60) -> float:
    """Return the least wall time of `repeats` runs, in milliseconds. Other processes disturb it least."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def _fixed_work() -> None:
    """Run NumPy work that does not depend on the product's code, to measure the machine's speed."""
    values = np.linspace(0.5, 2.0, 200)
    for _ in range(1500):
        np.exp(-np.sqrt(values) * np.log(values)).sum()


def main() -> None:
    """Print the times of the three cases. Array pass and conversion to lists are also timed separately."""
    wide = [synthetic_chain(days=days, strikes=100, seed=i) for i, days in enumerate(DAYS)]
    small = [synthetic_chain(days=DAYS[i % 8], strikes=21, seed=i) for i in range(12)]
    for label, chains in (("8 chains x 100 strikes", wide), ("12 chains x 21 strikes", small)):
        done = compute(chains)
        sys.stdout.write(
            f"{label}: whole {best_ms(lambda c=chains: enrich_chains(c)):.3f} ms"  # type: ignore[misc]
            f", arrays {best_ms(lambda c=chains: compute(c)):.3f} ms"  # type: ignore[misc]
            f", lists {best_ms(lambda d=done: to_analytics(d)):.3f} ms\n"  # type: ignore[misc]
        )
    quotes = synthetic_quotes(120)
    sys.stdout.write(f"120 quotes: whole {best_ms(lambda: enrich_quotes(quotes)):.3f} ms\n")
    sys.stdout.write(f"calibration: {best_ms(_fixed_work):.3f} ms\n")


if __name__ == "__main__":
    main()
