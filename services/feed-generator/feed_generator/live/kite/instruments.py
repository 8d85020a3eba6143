"""Read Kite's instrument list: the option contracts of a product, and the instrument whose price is the spot.

The list is a CSV of some 100,000 rows that Kite makes once a day. Rows of other products are not looked at.
An instrument token may belong to another instrument the next day, so the list of another day is useless.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time

from feed_generator.live.exchange import Misconfigured
from feed_generator.live.kite.schedule import ZONE

CLOSE = time(15, 30)
"""Options of NSE and BSE expire at the session's close."""

_INDEX_SYMBOLS = {
    "NIFTY": "NIFTY 50",
    "BANKNIFTY": "NIFTY BANK",
    "FINNIFTY": "NIFTY FIN SERVICE",
    "MIDCPNIFTY": "NIFTY MID SELECT",
    "NIFTYNXT50": "NIFTY NEXT 50",
    "SENSEX50": "SNSX50",
}
"""Indices whose options have another name than the index itself, as the list names both."""

# Stocks have options at both exchanges under one name. NSE's are the liquid ones.
_OPTIONS = {"NFO-OPT": "NSE", "BFO-OPT": "BSE"}
_SIDES = {"CE": True, "PE": False}
_NEEDED = (
    "instrument_token",
    "tradingsymbol",
    "name",
    "expiry",
    "strike",
    "tick_size",
    "lot_size",
    "instrument_type",
    "segment",
    "exchange",
)


@dataclass(frozen=True, slots=True)
class Contract:
    """One option. Strike and tick in rupees, `lot_size` in shares."""

    token: int
    product: str
    expiry: date
    strike: float
    is_call: bool
    lot_size: int
    tick_size: float

    @property
    def expiry_ns(self) -> int:
        """The instant of expiry, in ns since the epoch."""
        return int(datetime.combine(self.expiry, CLOSE, ZONE).timestamp()) * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Product:
    """The options of one product at one exchange, and the instrument whose price is the spot."""

    name: str
    exchange: str
    spot_token: int
    contracts: tuple[Contract, ...]

    def nearest(self, expiries: int, now_ns: int) -> list[Contract]:
        """Return the contracts of the nearest `expiries` that have not expired at `now_ns`."""
        alive = [one for one in self.contracts if one.expiry_ns > now_ns]
        wanted = set(sorted({one.expiry for one in alive})[:expiries])
        return [one for one in alive if one.expiry in wanted]


@dataclass(slots=True)
class Instruments:
    """What the list says about the wanted products.

    `missing` says for each product without usable rows why. `skipped` counts rows of wanted products with a
    value that is not usable; `first_skipped` names line, column and rule of the first one.
    """

    products: dict[str, Product] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    skipped: int = 0
    first_skipped: str = ""


class _BadCell(Exception):
    pass


_EMPTY = "Kite's instrument list is empty. Kite makes it each morning at 08:30: wait for it, or check apiUrl"

_Contracts = dict[tuple[date, float, bool], Contract]


def read(lines: Iterable[str], wanted: Collection[str]) -> Instruments:
    """Return the options of the `wanted` products. `lines`: the list's lines, without their line ends.

    Raises Misconfigured if it is no instrument list or has no rows.
    """
    rows = csv.reader(lines)
    try:
        header = next(rows, None)
        if header is None:
            raise Misconfigured("BadInstrumentList", _EMPTY)
        columns = {name.strip(): index for index, name in enumerate(header)}
        if lacking := [name for name in _NEEDED if name not in columns]:
            shown = ",".join(header)[:60]
            raise Misconfigured(
                "BadInstrumentList",
                f"this is not Kite's instrument list: no column {lacking[0]} in {shown!r}: check apiUrl",
            )
        return _read(rows, columns, frozenset(wanted))
    except csv.Error as error:
        raise Misconfigured(
            "BadInstrumentList", f"this is not Kite's instrument list: line {rows.line_num}: {error}"
        ) from None


def _read(rows: Iterable[list[str]], columns: Mapping[str, int], wanted: frozenset[str]) -> Instruments:
    found = Instruments()
    options: dict[tuple[str, str], _Contracts] = {}
    spots: dict[tuple[str, str], int] = {}
    count = 0
    for line, cells in enumerate(rows, start=2):
        if not cells:
            continue
        count += 1
        try:
            if len(cells) < len(columns):
                raise _BadCell(f"has {len(cells)} cells, the header has {len(columns)}")
            row = {name: cells[index].strip() for name, index in columns.items()}
            exchange = _OPTIONS.get(row["segment"])
            if exchange is not None and row["instrument_type"] in _SIDES:
                product = row["name"] or _name_in_symbol(row)
                if product in wanted:
                    _add(options.setdefault((exchange, product), {}), _contract(row, product))
            elif row["instrument_type"] == "EQ":
                spots[row["exchange"], row["tradingsymbol"]] = _whole(row, "instrument_token")
        except _BadCell as bad:
            found.skipped += 1
            found.first_skipped = found.first_skipped or f"line {line}, {bad}"
    if not count:
        raise Misconfigured("BadInstrumentList", _EMPTY)
    for product in sorted(wanted):
        _choose(product, options, spots, found)
    return found


def _choose(
    product: str,
    options: Mapping[tuple[str, str], _Contracts],
    spots: Mapping[tuple[str, str], int],
    found: Instruments,
) -> None:
    exchange = next((one for one in _OPTIONS.values() if (one, product) in options), None)
    if exchange is None:
        found.missing[product] = "the instrument list has no options of it at NFO or BFO"
        return
    symbol = _INDEX_SYMBOLS.get(product, product)
    spot = spots.get((exchange, symbol))
    if spot is None:
        found.missing[product] = f"the instrument list has no underlying {exchange}:{symbol}"
        return
    contracts = tuple(one for _, one in sorted(options[exchange, product].items()))
    found.products[product] = Product(product, exchange, spot, contracts)


def _add(contracts: _Contracts, contract: Contract) -> None:
    if contracts.setdefault((contract.expiry, contract.strike, contract.is_call), contract) is not contract:
        raise _BadCell(f"column strike: {contract.strike:g} of {contract.expiry} stands twice in the list")


def _name_in_symbol(row: Mapping[str, str]) -> str:
    """Return the part of the symbol before the expiry's year: BSE's rows at times have no name."""
    year = row["expiry"][2:4]
    return row["tradingsymbol"].partition(year)[0] if year else ""


def _contract(row: Mapping[str, str], product: str) -> Contract:
    return Contract(
        token=_whole(row, "instrument_token"),
        product=product,
        expiry=_day(row, "expiry"),
        strike=_positive(row, "strike"),
        is_call=_SIDES[row["instrument_type"]],
        lot_size=_whole(row, "lot_size"),
        tick_size=_positive(row, "tick_size"),
    )


def _whole(row: Mapping[str, str], column: str) -> int:
    text = row[column]
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 0 < int(text) < 2**32):
        raise _BadCell(f"column {column}: must be a whole number, 1 to 2^32: {text[:40]!r}")
    return int(text)


def _positive(row: Mapping[str, str], column: str) -> float:
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not 0 < value <= 1e9:
        raise _BadCell(f"column {column}: must be a number above 0, at most 1e9: {row[column][:40]!r}")
    return value


def _day(row: Mapping[str, str], column: str) -> date:
    try:
        return date.fromisoformat(row[column])
    except ValueError:
        raise _BadCell(f"column {column}: must be a date YYYY-MM-DD: {row[column][:40]!r}") from None
