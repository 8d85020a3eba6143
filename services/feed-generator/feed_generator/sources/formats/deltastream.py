"""The product's own CSV. Every cell is checked strictly: nothing is taken for something else.

Columns, in any order: expiry, strike, spot, side (C or P), ltp, bid, ask, bid_qty, ask_qty, vol, oi, prev_oi,
close. Optional: `timestamp` (RFC 3339 with zone), which separates snapshots, and `product`. `deltastream
import` adds the columns of OPTIONAL, which state what another format said about its contracts. Others are
ignored. An empty cell of prev_oi means that the open interest of the day before is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from feed_generator.sources.formats.cells import Cells, ns
from feed_generator.sources.formats.problems import BadCell, NotStated, Problems
from feed_generator.sources.formats.row import VENDOR_COLUMNS, Leg, Place, Row, Stated, Told, vendor_values
from feed_generator.sources.formats.table import cells_of, header, parsed, records

PRICES = {"last": "ltp", "bid": "bid", "ask": "ask", "previous_close": "close"}
PREVIOUS = "prev_oi"
COUNTS = {
    "bid_size": "bid_qty",
    "ask_size": "ask_qty",
    "volume": "vol",
    "open_interest": "oi",
    "previous_open_interest": PREVIOUS,
}
NEEDED = ("expiry", "strike", "spot", "side", *PRICES.values(), *COUNTS.values())
TERMS = (
    "oi_unit", "expiry_time", "exercise", "settlement_session", "settlement_currency", "price_unit",
    "lot_size", "multiplier",
)  # fmt: skip
AGE = "quote_age_ms"
OPTIONAL = ("timestamp", "product", *TERMS, *(f"vendor_{name}" for name in VENDOR_COLUMNS), AGE)
UNIT = "shares"
_CURRENCY = re.compile(r"[A-Z][A-Z0-9]{1,9}", re.ASCII)
_MOST_LOT = 10**6
_CHOICES = {
    "oi_unit": ("shares", "contracts"),
    "exercise": ("European", "American"),
    "settlement_session": ("open", "close"),
}


def read(path: str, lines: Iterable[str], told: Told, problems: Problems) -> Iterator[Row]:
    """Yield the rows of a file in the product's own format. Raises NotReadable or NotStated."""
    rows = records(lines)
    names = header(rows, NEEDED)
    missing = {
        "product": "product" not in names and len(told.products) != 1,
        "as_of": "timestamp" not in names and told.as_of is None,
    }
    if any(missing.values()):
        raise NotStated(name for name, lacks in missing.items() if lacks)
    terms = _TermsOfRows([name for name in TERMS if name in names])

    def parse(place: Place, values: Sequence[str]) -> Iterator[Row]:
        yield _row(place, cells_of(names, values, place, problems), terms, told)

    yield from parsed(path, rows, names, parse, problems)


class _TermsOfRows:
    """The terms of rows. Equal ones are one object, because a file repeats them in every row."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._known: dict[tuple[str, ...], Stated] = {}

    def of(self, cells: Cells) -> Stated:
        key = tuple(cells.text(name) if cells.has(name) else "" for name in self._columns)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._read(cells)
        return found

    def _read(self, cells: Cells) -> Stated:
        given = [name for name in self._columns if cells.has(name)]
        for name in set(given) & _CHOICES.keys():
            if cells.text(name) not in _CHOICES[name]:
                raise BadCell(name, f"must be {' or '.join(_CHOICES[name])}", cells.text(name))

        for name in {"settlement_currency", "price_unit"} & set(given):
            if not _CURRENCY.fullmatch(cells.text(name)):
                raise BadCell(name, "must be 2 to 10 of A-Z and 0-9", cells.text(name))
        if "lot_size" in given and not 1 <= cells.count("lot_size") <= _MOST_LOT:
            raise BadCell("lot_size", f"must be 1 to {_MOST_LOT:,}", cells.text("lot_size"))

        def text(name: str) -> str | None:
            return cells.text(name) if name in given else None

        return Stated(
            oi_unit=text("oi_unit") or UNIT,
            expiry_ns=cells.instant("expiry_time") if "expiry_time" in given else None,
            exercise=text("exercise"),
            settlement_session=text("settlement_session"),
            settlement_currency=text("settlement_currency"),
            price_unit=text("price_unit"),
            lot_size=cells.count("lot_size") if "lot_size" in given else None,
            multiplier=cells.number("multiplier", least=1e-9) if "multiplier" in given else None,
        )


def _row(place: Place, cells: Cells, terms: _TermsOfRows, told: Told) -> Row:
    side = cells.text("side")
    if side not in ("C", "P"):
        raise BadCell("side", "must be C or P", side)
    if told.as_of is None or cells.has("timestamp"):
        ts = cells.instant("timestamp")
    else:
        ts = ns(told.as_of)
    leg: Leg = {name: cells.number(column, least=0) for name, column in PRICES.items()}
    contract_terms = terms.of(cells)
    # Shares are whole; a contract may be divisible, such as a tenth of a coin.
    count = cells.count if contract_terms.oi_unit == UNIT else cells.amount
    stated = {name: column for name, column in COUNTS.items() if column != PREVIOUS or cells.has(column)}
    leg |= {name: count(column) for name, column in stated.items()}
    vendor = {name: cells.vendors(f"vendor_{name}") for name in VENDOR_COLUMNS}
    return Row(
        place=place,
        ts=ts,
        product=cells.text("product") if cells.has("product") else told.products[0],
        expiry=cells.day("expiry"),
        strike=cells.number("strike", least=1e-4),
        is_call=side == "C",
        spot=cells.number("spot", least=1e-9),
        leg=leg,
        stated=contract_terms,
        vendor=vendor_values(**vendor),
        age_ns=round(cells.number(AGE, least=0) * 1_000_000) if cells.has(AGE) else 0,
    )
