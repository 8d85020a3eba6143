"""Cboe's download of delayed quotes: lines with spot and time, then call and put of a strike in each row.

A contract is named in OSI form, and its root is its product: SPX (settled at the morning's open) and SPXW (at
the close) have the same strikes on the same date. Counts are in contracts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from feed_generator.sources.formats import osi
from feed_generator.sources.formats.cells import Cells, ns
from feed_generator.sources.formats.problems import BadCell, NotReadable, NotStated, Problems
from feed_generator.sources.formats.row import NO_LEG, Leg, Place, Row, Stated, Told, vendor_values
from feed_generator.sources.formats.table import Records, parsed, records
from feed_generator.sources.formats.two_sided import Header

COLUMNS = ("Last Sale", "Net", "Bid", "Ask", "Volume", "IV", "Delta", "Gamma", "Open Interest")
_STATED = Stated(oi_unit="contracts")
_ALIASES = {"Vol": "Volume", "Open Int": "Open Interest"}  # in downloads of 2019
_HEAD_LINES = 6
_NEW_YORK = ZoneInfo("America/New_York")
_LAST = re.compile(r"Last: *(\d[\d,]*(?:\.\d+)?)", re.ASCII)
_DATE = re.compile(
    r"(?:Date: *|^)(?P<day>[A-Z][a-z]+ \d{1,2}|\d{1,2} [A-Z][a-z]+),? (?P<year>\d{4})(?:,| at| @) *"
    r"(?P<time>\d{1,2}:\d{2}(?: *[AP]M)?) *(?P<zone>[A-Z]{2,3})",
    re.ASCII,
)
_FORMS = [
    f"{day} %Y {time}" for day in ("%B %d", "%d %B", "%b %d") for time in ("%I:%M %p", "%I:%M%p", "%H:%M")
]
"""The page writes the date as the user's browser does. Downloads of 2019 had `Mar 12 2019 @ 18:30 ET`."""
_ZONES = {
    **dict.fromkeys(("EST", "EDT", "ET"), _NEW_YORK),
    **dict.fromkeys(("CST", "CDT", "CT"), ZoneInfo("America/Chicago")),
}


@dataclass(frozen=True, slots=True)
class _Head:
    """The lines above the table, and its columns. `spot` None: the lines do not state it."""

    spot: float | None
    ts: int
    columns: Header

    @property
    def day(self) -> date:
        """The day of the file by the exchange's clock."""
        return datetime.fromtimestamp(self.ts // 10**9, _NEW_YORK).date()


def read(path: str, lines: Iterable[str], told: Told, problems: Problems) -> Iterator[Row]:
    """Yield the rows of a download of delayed quotes. Raises NotReadable or NotStated."""
    rows = records(lines)
    head = _head(path, rows, told, problems)

    def parse(place: Place, values: Sequence[str]) -> Iterator[Row]:
        def make(strike: float, is_call: bool, cells: Cells) -> Row:
            return _row(place, cells, is_call, strike, head, values[0])

        # On a weekend the downloads still have Friday's contracts.
        if (expiry := _day(values[0])) and expiry < head.day:
            problems.note(place, "contracts that expired before the file's day are left out", shown=values[0])
        else:
            yield from head.columns.rows(place, values, make, problems)

    yield from parsed(path, rows, head.columns.names, parse, problems)


def _head(path: str, rows: Records, told: Told, problems: Problems) -> _Head:
    spot, ts = told.spot, ns(told.as_of) if told.as_of else None
    for line, values in rows:
        names, text = [_ALIASES.get(name, name) for name in map(str.strip, values)], ",".join(values)
        if {"Calls", "Puts", "Strike"} <= set(names):
            if ts is None:
                raise NotStated(["as_of"])
            return _Head(spot, ts, Header.of(names, "Strike", COLUMNS, line))
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
        rule = f"the time zone {stated['zone']} is none of {', '.join(_ZONES)}; state the time (REPLAY_AS_OF)"
        raise NotReadable(rule, line=place.line)
    text = f"{stated['day']} {stated['year']} {stated['time']}"
    local = _parsed(text, _FORMS)
    if local is None:
        rule = f"is not a time: {text}; state the time (REPLAY_AS_OF)"
        raise NotReadable(rule, line=place.line)
    local = local.replace(tzinfo=zone)
    if local.tzname() != stated["zone"] and len(stated["zone"]) == 3:
        problems.note(place, f"the time is read as {zone.key}'s clock, though the file says {stated['zone']}")
    return ns(local)


def _row(place: Place, cells: Cells, is_call: bool, strike: float, head: _Head, expiration: str) -> Row:
    side = "Calls" if is_call else "Puts"
    name = cells.text(side)
    contract = osi.parse(name)
    if contract is None:
        raise BadCell(side, "is no OSI name such as SPXW220218C04300000", name)
    if contract.strike != strike or contract.is_call != is_call:
        raise BadCell(side, f"is not the contract of strike {strike:g} in this row", name)
    if contract.expiry != _day(expiration):
        raise BadCell("Expiration Date", f"is not the date of {name}", expiration)
    last = cells.price("Last Sale")
    leg: Leg = NO_LEG | {"bid": cells.price("Bid"), "ask": cells.price("Ask"), "last": last}
    leg |= {"volume": cells.amount("Volume"), "open_interest": cells.amount("Open Interest")}
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


def _day(text: str) -> date | None:
    """Return the date of a text such as `Fri Feb 18 2022`, or None."""
    found = _parsed(text.strip(), ("%a %b %d %Y", "%m/%d/%Y", "%Y-%m-%d"))
    return found and found.date()


def _parsed(text: str, forms: Iterable[str]) -> datetime | None:
    """Return the time that the first fitting form finds, without a zone, or None."""
    for form in forms:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - the caller knows the zone
        except ValueError:
            continue
    return None
