"""CSV as Yahoo downloaders write it: floats for counts, empty cells, an index column, the spot in every row.

A contract is named by `contractSymbol` (OSI), or by ticker, expiration, strike and optionType. Counts are in
contracts. The file does not say when it was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from feed_generator.sources.formats import osi
from feed_generator.sources.formats.cells import Cells, ns
from feed_generator.sources.formats.problems import BadCell, NotReadable, NotStated, Problems
from feed_generator.sources.formats.row import NO_LEG, Leg, Place, Row, Stated, Told
from feed_generator.sources.formats.table import cells_of, header, parsed, records

NEEDED = ("strike", "lastPrice", "bid", "ask", "volume", "openInterest")
_STATED = Stated(oi_unit="contracts")
_NO_IV = 1e-4
"""Yahoo writes 1e-05 where it has no implied volatility."""


def read(path: str, lines: Iterable[str], told: Told, problems: Problems) -> Iterator[Row]:
    """Yield the rows of a Yahoo-like file. Raises NotReadable or NotStated."""
    rows = records(lines)
    names = header(rows, NEEDED)
    if "contractSymbol" not in names:
        for name in ("ticker", "expiration", "optionType"):
            if name not in names:
                raise NotReadable("is missing from the header (and there is no contractSymbol)", column=name)
    if told.as_of is None:
        raise NotStated(["as_of"])
    ts = ns(told.as_of)

    def parse(place: Place, values: Sequence[str]) -> Iterator[Row]:
        yield _row(place, cells_of(names, values, place, problems), ts, told)

    yield from parsed(path, rows, names, parse, problems)


def _row(place: Place, cells: Cells, ts: int, told: Told) -> Row:
    contract = _contract(cells)
    last = cells.price("lastPrice")
    leg: Leg = NO_LEG | {"bid": cells.price("bid"), "ask": cells.price("ask"), "last": last}
    leg |= {"volume": cells.amount("volume"), "open_interest": cells.amount("openInterest")}
    if cells.has("change"):
        leg["previous_close"] = max(0.0, round(cells.before(last, "change"), 6))
    iv = cells.vendors("impliedVolatility") or 0.0
    return Row(
        place=place,
        ts=ts,
        product=contract.root,
        expiry=contract.expiry,
        strike=contract.strike,
        is_call=contract.is_call,
        spot=cells.positive("spotPrice") if cells.has("spotPrice") else told.spot,
        leg=leg,
        stated=_STATED,
        vendor={"iv": iv} if iv > _NO_IV else {},
    )


def _contract(cells: Cells) -> osi.Osi:
    strike = cells.positive("strike")
    if cells.has("contractSymbol"):
        found = osi.parse(cells.text("contractSymbol"))
        if found is None:
            raise BadCell("contractSymbol", "is no OSI name", cells.text("contractSymbol"))
        if found.strike != strike:
            raise BadCell(
                "strike", f"is not the strike of {cells.text('contractSymbol')}", cells.text("strike")
            )
        return found
    side = cells.text("optionType").lower()
    if side not in ("call", "put", "c", "p", "calls", "puts"):
        raise BadCell("optionType", "must be Call or Put", cells.text("optionType"))
    root = cells.text("ticker").lstrip("^").replace(".", "-").upper()
    return osi.Osi(root, cells.day("expiration"), side.startswith("c"), strike)
