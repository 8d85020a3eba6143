"""Rows of Deribit's ticker, one contract a row, each with its own millisecond.

The prices of inverse contracts are in coin: they become USD through the row's `underlying_price`, which is
the forward of that expiry. Contracts that settle in a stablecoin (BTC_USDC-…) already have prices in it.
Amounts are in contracts of one coin and may be fractional.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from feed_generator.sources.formats.cells import FIRST_YEAR, LAST_YEAR, Cells
from feed_generator.sources.formats.problems import BadCell, Problems
from feed_generator.sources.formats.row import NO_LEG, Leg, Place, Row, Stated, Told, vendor_values
from feed_generator.sources.formats.table import cells_of, header, parsed, records

GROUP_NS = 60_000_000_000
"""A download asks for one contract after the other, so a snapshot takes as long as the round."""
NEEDED = (
    "instrument_name", "expiration_timestamp", "option_type", "strike", "timestamp", "underlying_price",
    "index_price", "open_interest", "last_price", "best_bid_price", "best_ask_price", "best_bid_amount",
    "best_ask_amount",
)  # fmt: skip
_SIDES = {"call": True, "put": False, "C": True, "P": False}
_FIRST_MS, _LAST_MS = (
    int(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000) for year in (FIRST_YEAR, LAST_YEAR)
)


def read(path: str, lines: Iterable[str], told: Told, problems: Problems) -> Iterator[Row]:
    """Yield the rows of a file of Deribit's ticker. Raises NotReadable."""
    del told  # the file says all
    rows = records(lines)
    names = header(rows, NEEDED)

    def parse(place: Place, values: Sequence[str]) -> Iterator[Row]:
        cells = cells_of(names, values, place, problems)
        if cells.has("state") and cells.text("state") != "open":
            problems.note(place, "contracts that are not open are left out", shown=cells.text("state"))
            return
        yield _row(place, cells)

    yield from parsed(path, rows, names, parse, problems)


def _row(place: Place, cells: Cells) -> Row:
    name = cells.text("instrument_name")
    coin, _, currency = name.split("-")[0].partition("_")
    side = _SIDES.get(cells.text("option_type"))
    if side is None:
        raise BadCell("option_type", "must be call or put", cells.text("option_type"))
    forward = cells.positive("underlying_price")
    unit = 1.0 if currency else forward
    leg: Leg = NO_LEG | {
        "bid": round(cells.price("best_bid_price", unit=unit), 8),
        "ask": round(cells.price("best_ask_price", unit=unit), 8),
        "last": round(cells.price("last_price", unit=unit), 8),
        "bid_size": cells.amount("best_bid_amount"),
        "ask_size": cells.amount("best_ask_amount"),
        "volume": cells.amount("volume"),
        "open_interest": cells.amount("open_interest"),
    }
    expiry_ns = _instant(cells, "expiration_timestamp")
    return Row(
        place=place,
        ts=_instant(cells, "timestamp"),
        product=f"{coin}-{currency}" if currency else coin,
        expiry=datetime.fromtimestamp(expiry_ns // 10**9, UTC).date(),
        strike=cells.positive("strike"),
        is_call=side,
        spot=cells.positive("index_price"),
        leg=leg,
        stated=Stated(
            oi_unit="contracts",
            expiry_ns=expiry_ns,
            exercise="European",
            settlement_currency=currency or coin,
            price_unit=currency or "USD",
            lot_size=1,
            multiplier=1.0,
        ),
        vendor=_vendor(cells, forward),
    )


def _vendor(cells: Cells, forward: float) -> dict[str, float]:
    iv = cells.vendors("mark_iv") or 0.0
    greeks = {name: cells.vendors(name) for name in ("delta", "gamma", "vega", "theta")}
    return vendor_values(iv=round(iv / 100, 8), **greeks, forward=forward)


def _instant(cells: Cells, column: str) -> int:
    ms = cells.count(column)
    if not _FIRST_MS <= ms < _LAST_MS:
        rule = f"must be milliseconds since 1970, {FIRST_YEAR} to {LAST_YEAR - 1}"
        raise BadCell(column, rule, cells.text(column))
    return ms * 1_000_000
