"""NSE's download of an option chain: a banner, then the call left and the put right of each strike.

The header has each name twice. Numbers have Indian digit groups, and `-` means none. Open interest, its
change and the volume are in contracts, the quantities in shares: all become shares. The file states neither
time nor spot. Product and expiry are only in its name, such as option-chain-ED-NIFTY-27-Jun-2024.csv; a time
behind them (…-27-Jun-2024_2024-06-21T153000.csv) dates the file, so that several files make a session.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import PurePath
from zoneinfo import ZoneInfo

from feed_generator.sources.formats.cells import MOST_COUNTED, Cells, ns
from feed_generator.sources.formats.problems import NotReadable, NotStated, Problems
from feed_generator.sources.formats.row import Leg, Place, Row, Stated, Told
from feed_generator.sources.formats.table import Records, parsed, records
from feed_generator.sources.formats.two_sided import Header

COLUMNS = ("OI", "CHNG IN OI", "VOLUME", "IV", "LTP", "CHNG", "BID QTY", "BID", "ASK", "ASK QTY")
_ALIASES = {
    "STRIKE PRICE": "STRIKE", "NET CHNG": "CHNG", "BID PRICE": "BID", "ASK PRICE": "ASK",
    "BIDQTY": "BID QTY", "ASKQTY": "ASK QTY",
}  # fmt: skip
_ZONE = ZoneInfo("Asia/Kolkata")
_STATED = Stated(oi_unit="shares")
_NAME = re.compile(
    r"option-chain-[A-Z]{2}-(?P<product>[A-Z0-9&-]{1,20}?)-(?P<day>\d{1,2}-[A-Za-z]{3}-\d{4})(?P<rest>.*)",
    re.ASCII,
)
_TIME = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)[T _-](\d\d)[-:.]?(\d\d)(?:[-:.]?(\d\d))?(?!\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class _File:
    """What is known about a whole file."""

    product: str
    expiry: date
    ts: int
    lot: int


def read(path: str, lines: Iterable[str], told: Told, problems: Problems) -> Iterator[Row]:
    """Yield the rows of one downloaded chain. Raises NotReadable, NotStated or UnknownProduct."""
    rows = records(lines)
    header = _header(rows)
    file = _file(path, told)

    def parse(place: Place, values: Sequence[str]) -> Iterator[Row]:
        def make(strike: float, is_call: bool, cells: Cells) -> Row:
            return _row(place, cells, file, strike, is_call, told, problems)

        yield from header.rows(place, values, make, problems)

    yield from parsed(path, rows, header.names, parse, problems)


def _header(rows: Records) -> Header:
    """Return the header. Lines above it are a banner."""
    for line, values in rows:
        names = [_ALIASES.get(name, name) for name in (value.strip().upper() for value in values)]
        if "STRIKE" in names:
            return Header.of(names, "STRIKE", COLUMNS, line)
    raise NotReadable("has no header with STRIKE")


def _file(path: str, told: Told) -> _File:
    named = _NAME.search(PurePath(path).name)
    expiry, product, ts = told.expiry, None, ns(told.as_of) if told.as_of else None
    if named:
        product = named["product"]
        expiry = expiry or _day(named["day"])
        ts = _time(named["rest"]) or ts
    if product is None and len(told.products) == 1:
        product = told.products[0]
    missing = {"product": product, "expiry": expiry, "as_of": ts}
    if product is None or expiry is None or ts is None:
        raise NotStated(name for name, value in missing.items() if value is None)
    on = datetime.fromtimestamp(ts // 10**9, _ZONE).date()
    return _File(product, expiry, ts, told.lots(product, expiry, on))


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%d-%b-%Y").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None


def _time(text: str) -> int | None:
    """Return the time in a file's name, by India's clock, in ns since the epoch; None if there is none."""
    found = _TIME.search(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
    try:
        return ns(datetime(year, month, day, hour, minute, second, tzinfo=_ZONE))
    except ValueError:
        return None


def _row(
    place: Place, cells: Cells, file: _File, strike: float, is_call: bool, told: Told, problems: Problems
) -> Row:
    last, contracts = cells.price("LTP"), cells.amount("OI")
    close = round(cells.before(last, "CHNG"), 6) if last else 0.0
    before = cells.before(contracts, "CHNG IN OI", most=MOST_COUNTED)
    if close < 0 or before < 0:
        column = "CHNG" if close < 0 else "CHNG IN OI"
        problems.note(place, "is larger than its value, so the previous day's is unknown", column=column)
    leg: Leg = {
        "bid": cells.price("BID"),
        "ask": cells.price("ASK"),
        "last": last,
        "bid_size": cells.whole("BID QTY", unit=1),
        "ask_size": cells.whole("ASK QTY", unit=1),
        "volume": cells.whole("VOLUME", unit=file.lot),
        "open_interest": cells.whole("OI", unit=file.lot),
        "previous_close": max(0.0, close),
    }
    if before >= 0:
        leg["previous_open_interest"] = min(int(before) * file.lot, MOST_COUNTED)
    iv = cells.vendors("IV") or 0.0
    return Row(
        place=place,
        ts=file.ts,
        product=file.product,
        expiry=file.expiry,
        strike=strike,
        is_call=is_call,
        spot=told.spot,
        leg=leg,
        stated=_STATED,
        vendor={"iv": round(iv / 100, 8)} if iv > 0 else {},
    )
