"""Build the report of one option chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deltastream_cli.domain import figures
from deltastream_cli.domain.reports import Cell, Column, Fact, Report

_SIDES = (("call", "calls"), ("put", "puts"))
_FIELDS: tuple[tuple[str, str, Any, int], ...] = (  # from the outside to the strike
    ("open_interest", "OI", "count", 1),
    ("volume", "volume", "count", 4),
    ("delta", "delta", "number", 2),
    ("iv", "IV%", "percent", 0),
    ("bid", "bid", "price", 3),
    ("ask", "ask", "price", 3),
    ("last", "last", "price", 0),
)


def chain(found: Mapping[str, Any], *, strikes: int) -> Report:
    """Return the report of a chain: `strikes` rows on each side of the money, or all if it is 0."""
    kept = _around(found["strikes"], found["atm_strike"] or found["spot_price"], strikes)
    prices = [row[name] for _, side in _SIDES for row in found[side] for name in ("bid", "ask", "last")]
    rows = [_row(found["strikes"][at], found["calls"][at], found["puts"][at]) for at in kept]
    marked = [at for at, number in enumerate(kept) if found["strikes"][number] == found["atm_strike"]]
    left_out = len(found["strikes"]) - len(kept)
    return Report(
        title="",
        facts=_facts(found),
        rows_key="strikes",
        columns=_columns(),
        rows=rows,
        notes=[f"{left_out} more strikes: --strikes 0 shows all"] if left_out else [],
        marked=marked[0] if marked else None,
        decimals=figures.decimals(prices, 2),
        strike_decimals=figures.decimals(found["strikes"], 0),
    )


def _around(strikes: Sequence[float], money: float, count: int) -> range:
    if not count or not strikes:
        return range(len(strikes))
    nearest = min(range(len(strikes)), key=lambda at: abs(strikes[at] - money))
    return range(max(0, nearest - count), min(len(strikes), nearest + count + 1))


def _facts(found: Mapping[str, Any]) -> list[Fact]:
    def reason(name: str) -> str:
        # Chains that were stored before these reasons existed have only this one.
        return figures.reason(found.get(f"{name}_reason")) or "no open interest or volume"

    why = figures.reason(found["forward_reason"])
    wanted: tuple[tuple[str, str, Any, str | None], ...] = (
        ("timestamp", "time", "text", None),
        ("spot_price", "spot", "price", None),
        ("forward", "forward", "price", why),
        ("discount", "discount", "ratio", why if found["discount"] is None else None),
        ("atm_iv", "ATM IV %", "percent", why or "no volatility near the money"),
        ("atm_straddle_price", "straddle", "price", "no prices at the money"),
        ("expected_move", "expected move", "price", why or "no volatility near the money"),
        ("pcr_oi", "PCR (OI)", "ratio", reason("pcr_oi")),
        ("pcr_volume", "PCR (volume)", "ratio", reason("pcr_volume")),
        ("max_pain_strike", "max pain", "strike", reason("max_pain")),
    )
    identity = [Fact(key, key, Cell(found[key])) for key in ("product", "expiry")]
    facts = []
    for key, title, kind, missing in wanted:
        qualified = key == "forward"  # a forward may exist and still need a remark
        value = found[key]
        facts.append(Fact(key, title, Cell(value, missing if value is None or qualified else None), kind))
    return identity + facts


def _columns() -> list[Column]:
    calls = [Column(f"call_{key}", f"C {title}", kind, drop) for key, title, kind, drop in _FIELDS]
    puts = [Column(f"put_{key}", f"P {title}", kind, drop) for key, title, kind, drop in reversed(_FIELDS)]
    return [*calls, Column("strike", "strike", "strike"), *puts]


def _row(strike: float, call: Mapping[str, Any], put: Mapping[str, Any]) -> list[Cell]:
    calls = [_cell(call, key) for key, *_ in _FIELDS]
    puts = [_cell(put, key) for key, *_ in reversed(_FIELDS)]
    return [*calls, Cell(strike), *puts]


def _cell(row: Mapping[str, Any], key: str) -> Cell:
    if row[key] is not None:
        return Cell(row[key])
    if key in ("iv", "delta"):
        return Cell(None, figures.reason(row["iv_reason"]))
    return Cell(None, f"no {key.replace('_', ' ')}")
