"""Cboe's download of delayed quotes: lines with spot and time, then call and put of a strike in each row.

A contract is named in OSI form, and its root is its product: SPX (settled at the morning's open) and SPXW (at
the close) have the same strikes on the same date. Counts are in contracts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from feed_generator.sources.formats import osi
from feed_generator.sources.formats.cells import Cells, ns
from feed_generator.sources.formats.problems import BadCell, NotReadable, Problems
from feed_generator.sources.formats.row import NO_LEG, Leg, Place, Row, Stated, Told, counted, vendor_values
from feed_generator.sources.formats.table import Records, parsed, records, refused_cells

COLUMNS = ("Last Sale", "Net", "Bid", "Ask", "Volume", "IV", "Delta", "Gamma", "Open Interest")
_STATED = Stated(oi_unit="contracts")
_HEAD_LINES = 6
_LAST = re.compile(r"Last: *(\d[\d,]*(?:\.\d+)?)", re.ASCII)
_DATE = re.compile(
    r"Date: *(?P<month>[A-Z][a-z]+) (?P<day>\d{1,2}),? (?P<year>\d{4})(?:,| at) *"
    r"(?P<time>\d{1,2}:\d{2}) *(?P<half>[AP]M) *(?P<zone>[A-Z]{2,3})",
    re.ASCII,
)
_ZONES = {
    **dict.fromkeys(("EST", "EDT", "ET"), ZoneInfo("America/New_York")),
    **dict.fromkeys(("CST", "CDT", "CT"), ZoneInfo("America/Chicago")),
}


@dataclass(frozen=True, slots=True)
class _Head:
    """The lines above the table. The text of line 3 names the columns of calls, the strike and puts."""

    spot: float
    ts: int
    names: Sequence[str]
    strike_at: int


def read(path: str, lines: Iterable[str], told: Told, problems: Problems) -> Iterator[Row]:
    """Yield the rows of a download of delayed quotes. Raises NotReadable."""
    rows = records(lines)
    head = _head(path, rows, told, problems)
    middle = head.strike_at

    def parse(place: Place, values: Sequence[str]) -> Iterator[Row]:
        if len(values) < len(head.names) or any(values[len(head.names) :]):
            raise BadCell("-", f"must have {len(head.names)} cells as the header has", str(len(values)))
        strike = Cells({"Strike": values[middle]}).positive("Strike")
        for side, start, end in (("Calls", 1, middle), ("Puts", middle + 1, len(head.names))):
            cells = Cells(dict(zip(head.names[start:end], values[start:end], strict=True)))
            with refused_cells(place, problems):  # a bad call does not hide its put
                yield _row(place, cells, side, strike, head, values[0])

    yield from parsed(path, rows, parse, problems)


def _head(path: str, rows: Records, told: Told, problems: Problems) -> _Head:
    spot, ts = told.spot, ns(told.as_of) if told.as_of else None
    for line, values in rows:
        text = ",".join(values)
        if "Calls" in values and "Puts" in values and "Strike" in values:
            if spot is None or ts is None:
                what = (
                    "the spot (`Last: 4500.53`)"
                    if spot is None
                    else "the time (`Date: February 4 2022, 4:15 PM EST`)"
                )
                raise NotReadable(f"the lines above the table do not state {what}", line=line)
            names = [name.strip() for name in values]
            for column in COLUMNS:
                if names.count(column) != 2:
                    raise NotReadable(
                        "must be in the header for calls and for puts", line=line, column=column
                    )
            return _Head(spot, ts, names, names.index("Strike"))
        if (last := _LAST.search(text)) and told.spot is None:
            spot = float(last[1].replace(",", ""))
        if (stated := _DATE.search(text)) and told.as_of is None:
            ts = _instant(stated, Place(path, line), problems)
        if line > _HEAD_LINES:
            break
    raise NotReadable("has no header with Calls, Strike and Puts in its first lines")


def _instant(stated: re.Match[str], place: Place, problems: Problems) -> int:
    """Return the time. The zone's name means the exchange's clock, in summer too if the file says EST."""
    zone = _ZONES.get(stated["zone"])
    if zone is None:
        raise NotReadable(f"the time zone {stated['zone']} is none of {', '.join(_ZONES)}", line=place.line)
    text = f"{stated['month']} {stated['day']} {stated['year']} {stated['time']} {stated['half']}"
    try:
        local = datetime.strptime(text, "%B %d %Y %I:%M %p").replace(tzinfo=zone)
    except ValueError:
        raise NotReadable(f"is not a time: {text}", line=place.line) from None
    if local.tzname() != stated["zone"] and len(stated["zone"]) == 3:
        problems.note(place, f"the time is read as {zone.key}'s clock, though the file says {stated['zone']}")
    return ns(local)


def _row(place: Place, cells: Cells, side: str, strike: float, head: _Head, expiration: str) -> Row:
    name = cells.text(side)
    contract = osi.parse(name)
    if contract is None:
        raise BadCell(side, "is no OSI name such as SPXW220218C04300000", name)
    if contract.strike != strike or contract.is_call != (side == "Calls"):
        raise BadCell(side, f"is not the contract of strike {strike:g} in this row", name)
    if contract.expiry != _day(expiration):
        raise BadCell("Expiration Date", f"is not the date of {name}", expiration)
    last = cells.price("Last Sale")
    leg: Leg = NO_LEG | {"bid": cells.price("Bid"), "ask": cells.price("Ask"), "last": last}
    leg |= counted(cells.amount("Volume"), cells.amount("Open Interest"))
    if last:
        leg["previous_close"] = max(0.0, round(cells.before(last, "Net"), 6))
    greeks = {name.lower(): cells.vendors(name) or None for name in ("IV", "Delta", "Gamma")}  # 0: none
    return Row(
        place=place,
        ts=head.ts,
        product=contract.root,
        expiry=contract.expiry,
        strike=strike,
        is_call=contract.is_call,
        spot=head.spot,
        leg=leg,
        stated=_STATED,
        vendor=vendor_values(**greeks),
    )


def _day(text: str) -> object:
    """Return the date of a text such as `Fri Feb 18 2022`, or None."""
    for form in ("%a %b %d %Y", "%m/%d/%Y", "%Y-%m-%d"):
        try:
            return datetime.strptime(text.strip(), form).date()  # noqa: DTZ007 - a date has no zone
        except ValueError:
            continue
    return None
