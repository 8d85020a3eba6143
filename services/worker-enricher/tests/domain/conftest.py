"""Chains for tests: from recordings, or priced with known parameters."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from worker_enricher.domain.arrays import Floats
from worker_enricher.domain.black import price
from worker_enricher.domain.chain_arrays import NS_PER_YEAR, ChainColumns, LegColumns

DATA = Path(__file__).parents[4] / "k8s" / "samples" / "data"
IST = timezone(timedelta(hours=5, minutes=30))
LEG_FIELDS = {
    "bid": "bid",
    "ask": "ask",
    "last": "ltp",
    "volume": "vol",
    "open_interest": "oi",
    "previous_close": "close",
    "previous_open_interest": "prev_oi",
}


def at(*when: int) -> int:
    """Return the ns since the epoch of a local time in India."""
    return int(datetime(*when, tzinfo=IST).timestamp()) * 10**9


def recorded(name: str, *, ts: int, expiry_ts: int) -> ChainColumns:
    """Read a recorded NIFTY chain. A missing leg has zeros."""
    with (DATA / name).open() as file:
        rows = list(csv.DictReader(file))
    by_side = {side: {float(r["strike"]): r for r in rows if r["side"] == side} for side in "CP"}
    strikes = sorted(by_side["C"].keys() | by_side["P"].keys())

    def leg(side: str) -> LegColumns:
        quotes = by_side[side]
        columns = {
            field: np.array([float(quotes[k][source]) if k in quotes else 0.0 for k in strikes])
            for field, source in LEG_FIELDS.items()
        }
        return LegColumns(**columns)

    return ChainColumns(
        ts=ts,
        expiry_ts=expiry_ts,
        european=True,
        spot=float(rows[0]["spot"]),
        strikes=np.array(strikes),
        calls=leg("C"),
        puts=leg("P"),
    )


def close_chain() -> ChainColumns:
    """The close of 2024-06-21, six days before expiry."""
    return recorded(
        "nifty_2024-06-21_close.csv", ts=at(2024, 6, 21, 15, 30), expiry_ts=at(2024, 6, 27, 15, 30)
    )


def expiry_day_chain() -> ChainColumns:
    """The expiry day 2024-06-20, three hours before the close."""
    return recorded(
        "nifty_2024-06-20_expiry_day.csv", ts=at(2024, 6, 20, 12, 30), expiry_ts=at(2024, 6, 20, 15, 30)
    )


def flat_leg(n: int, **columns: object) -> LegColumns:
    """Return a leg whose columns are zeros, except the given ones."""
    zeros = {field: np.zeros(n) for field in LEG_FIELDS}
    given = {name: np.array(values, dtype=np.float64) for name, values in columns.items()}
    return LegColumns(**(zeros | given))


def priced_chain(
    *,
    strikes: Floats,
    sigma: Floats,
    forward: float,
    discount: float = 1.0,
    years: float = 30 / 365,
    spot: float = 100.0,
    half_spread: float = 0.0,
    european: bool = True,
) -> ChainColumns:
    """Return a chain that is quoted at its fair value plus and minus half a spread."""
    n = len(strikes)
    expiry_ts = round(years * NS_PER_YEAR)
    t = np.full(n, expiry_ts / NS_PER_YEAR)

    def leg(is_call: bool) -> LegColumns:
        fair = price(
            is_call=np.full(n, is_call),
            forward=np.full(n, forward),
            strike=strikes,
            discount=np.full(n, discount),
            sigma=sigma,
            t=t,
        )
        return flat_leg(n, bid=fair - half_spread, ask=fair + half_spread, last=fair)

    return ChainColumns(0, expiry_ts, european, spot, strikes, leg(True), leg(False))


@pytest.fixture(scope="session")
def build() -> SimpleNamespace:
    """The builders above, by name. Test folders are not packages, so tests cannot import this module."""
    return SimpleNamespace(
        close_chain=close_chain,
        expiry_day_chain=expiry_day_chain,
        flat_leg=flat_leg,
        priced_chain=priced_chain,
    )
