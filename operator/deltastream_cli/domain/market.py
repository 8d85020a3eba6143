"""The newest state of one product, from live events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deltastream_cli.domain import figures
from deltastream_cli.domain.reports import Cell, Column, Fact, Report

_COLUMNS = (
    Column("expiry", "expiry"),
    Column("forward", "forward", "price"),
    Column("atm_iv", "ATM IV %", "percent"),
    Column("atm_straddle_price", "straddle", "price", drop=1),
    Column("pcr_oi", "PCR (OI)", "ratio"),
    Column("pcr_volume", "PCR (vol)", "ratio", drop=2),
    Column("max_pain_strike", "max pain", "strike", drop=1),
    Column("age_seconds", "age", "seconds"),
)


class Market:
    """Keeps the newest tick and the newest chain of every expiry. Times are seconds of a monotonic clock."""

    def __init__(self, product: str) -> None:
        self._product = product
        self._state, self._tick, self._events = "connecting", Cell(None, "no tick yet"), 0
        self._tick_at: float | None = None
        self._time: str | None = None
        self._chains: dict[str, tuple[Mapping[str, Any], float]] = {}

    def apply(self, name: str, data: Mapping[str, Any], *, at: float) -> int:
        """Take an event in. Returns 1 if it has data, else 0."""
        if name == "underlying_update":
            self._tick, self._tick_at, self._time = Cell(data["price"]), at, data["timestamp"]
        elif name == "chain_update":
            self._chains[data["expiry"]] = data, at
        else:
            states = {"connected": "live", "disconnected": "disconnected, tries to reconnect"}
            self._state = states.get(name, self._state)
            return 0
        self._events += 1
        return 1

    def report(self, at: float) -> Report:
        """Return the state at a time, with the age of every number."""
        chains = [self._chains[expiry] for expiry in sorted(self._chains)]
        prices = [chain["spot_price"] for chain, _ in chains]
        strikes = [chain["max_pain_strike"] for chain, _ in chains]
        age = Cell(None, "no tick yet") if self._tick_at is None else Cell(round(at - self._tick_at, 1))
        return Report(
            title=f"{self._product}  {self._state}  (Ctrl-C ends)",
            facts=[
                Fact("spot_price", "spot", self._tick, "price"),
                Fact("timestamp", "time", Cell(self._time, None if self._time else "no tick yet")),
                Fact("age_seconds", "age", age, "seconds"),
                Fact("events", "events", Cell(self._events), "count"),
            ],
            columns=_COLUMNS,
            rows=[_row(chain, at - then) for chain, then in chains],
            decimals=figures.decimals(prices, 2),
            strike_decimals=figures.decimals(strikes, 0),
        )


def _row(chain: Mapping[str, Any], age: float) -> list[Cell]:
    why = figures.reason(chain["forward_reason"]) or "not computable from this chain"
    cells = [
        Cell(chain[column.key], why if chain[column.key] is None else None)
        for column in _COLUMNS
        if column.key != "age_seconds"
    ]
    return [*cells, Cell(round(age, 1))]
