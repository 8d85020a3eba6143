"""Our implied volatility beside Deribit's own, for every recorded ticker of the real exchange.

`.venv/bin/pytest -s tests/integration/test_deribit_volatility.py` prints the table.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Raw

from feed_generator.live.deribit import market
from feed_generator.live.deribit.frames import instruments
from feed_generator.live.ticks import Contract
from tests.support.needs import lacking
from worker_enricher.domain.implied_vol import implied_volatility

RECORDED = Path(__file__).parents[3] / "shared/data/markets/deribit"
YEAR_NS = 365 * 86_400 * 10**9
DECIMAL = 0.01
"""The exchange rounds `mark_iv` to a hundredth of a percentage point."""
LEAST_PRICE = 1e-6
"""The exchange's lowest `mark_price`, in coin."""


@dataclass(frozen=True)
class Line:
    """A ticker. Volatilities in percent. `time_value`: as a share of the price."""

    name: str
    mark_price: float
    time_value: float
    theirs: float
    ours: float

    @property
    def miss(self) -> str:
        """Why the price does not determine the volatility, or nothing."""
        if self.mark_price <= LEAST_PRICE:
            return "the price is the exchange's lowest"
        return "the price is 99 % intrinsic value" if self.time_value < 0.01 else ""

    def __str__(self) -> str:
        away = abs(self.ours - self.theirs)
        return (
            f"{self.name:20} {self.mark_price:11.8f} {self.time_value:11.2%} {self.theirs:8.2f} "
            f"{self.ours:9.4f} {away:8.4f}  {self.miss}"
        )


def _contracts() -> dict[str, Contract]:
    found = {}
    for line in (RECORDED / "rest_instruments_2021-07-22.txt").read_text().splitlines():
        if answer := line.partition(" -> ")[2].partition(": ")[2]:
            for one in instruments(Raw(json.dumps(json.loads(answer)["result"]).encode())):
                if contract := market.contract(one):
                    found[one.instrument_name] = contract
    return found


def _tickers() -> list[dict[str, Any]]:
    lines = (RECORDED / "websocket_2021-07-22.txt").read_text().splitlines()
    texts = [line.partition(": ")[2] for line in lines if " <-" not in line]
    found = [json.loads(text).get("params", {}) for text in texts if text]
    return [one["data"] for one in found if one.get("channel", "").startswith("ticker.")]


def _line(contract: Contract, data: dict[str, Any]) -> Line:
    forward, is_call = data["underlying_price"], contract.option_type == "CALL"
    price, strike = data["mark_price"] * forward, contract.strike
    years = (contract.expiry_ts - data["timestamp"] * 1_000_000) / YEAR_NS
    solved = implied_volatility(
        price=np.array([price]),
        is_call=np.array([is_call]),
        forward=np.array([forward]),
        strike=np.array([strike]),
        discount=np.array([1.0]),
        t=np.array([years]),
    )
    intrinsic = max(0.0, forward - strike if is_call else strike - forward)
    return Line(
        name=data["instrument_name"],
        mark_price=data["mark_price"],
        time_value=(price - intrinsic) / price,
        theirs=data["mark_iv"],
        ours=float(100 * solved.sigma[0]),
    )


def test_our_volatility_of_the_mark_price_is_the_exchanges_wherever_the_price_determines_it() -> None:
    """The enricher's own solver, with the expiry's `underlying_price` as forward and a rate of 0."""
    if not RECORDED.is_dir():
        lacking("there is no folder with recorded frames of Deribit")
    contracts = _contracts()
    found = [_line(contracts[data["instrument_name"]], data) for data in _tickers()]
    good = [line for line in found if not line.miss]
    within = [line for line in good if abs(line.ours - line.theirs) < DECIMAL]
    print("contract                    price  time value  mark_iv      ours     away  why")
    print(*found, f"{len(within)} of {len(found)} within {DECIMAL} points", sep="\n")
    assert within == good
    assert (len(within), len(found)) == (41, 48)
