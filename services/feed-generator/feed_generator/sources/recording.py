"""Read a recording: a CSV file with one or more snapshots of one product's chains. Every cell is checked.

Columns: expiry, strike, spot, side (C or P), ltp, bid, ask, bid_qty, ask_qty, vol, oi, prev_oi, close. Other
columns are ignored. The optional column `timestamp` (RFC 3339 with zone) separates snapshots; without it the
file is one snapshot. Prices are per share, quantities in shares, and 0 means that there is none. A file that
contradicts itself is rejected: a column named twice, a spot or a time that does not fit the chains, a row
longer than the header.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from feed_generator.errors import BadRecording

_PRICES = {"last": "ltp", "bid": "bid", "ask": "ask", "previous_close": "close"}
_COUNTS = {
    "bid_size": "bid_qty",
    "ask_size": "ask_qty",
    "volume": "vol",
    "open_interest": "oi",
    "previous_open_interest": "prev_oi",
}
_NEEDED = ("expiry", "strike", "spot", "side", *_PRICES.values(), *_COUNTS.values())
_MAX_STRIKES = 2000
_SPOT_RATIO = 10.0
"""Largest ratio by which the spot may lie outside a chain's strikes. Beyond it, unit or product is wrong."""
_LAST_YEAR = 2099  # times on the wire end there, and start in 1970
Leg = dict[str, float | int]


@dataclass(slots=True)
class RecordedChain:
    """One expiry: legs by (strike, is call), each a mapping of the contract's column names."""

    expiry: date
    legs: dict[tuple[float, bool], Leg] = field(default_factory=dict)
    _strikes: set[float] = field(default_factory=set)

    @property
    def strikes(self) -> list[float]:
        """Strikes of either side, ascending."""
        return sorted(self._strikes)

    def add(self, strike: float, is_call: bool, leg: Leg) -> int:
        """Add a leg. Returns the number of strikes."""
        self.legs[strike, is_call] = leg
        self._strikes.add(strike)
        return len(self._strikes)


@dataclass(slots=True)
class Snapshot:
    """The chains at one instant `ts`, in ns since the epoch."""

    ts: int
    spot: float
    chains: dict[date, RecordedChain] = field(default_factory=dict)


class _Row:
    """The cells of one line. Every error names file, line, column and rule."""

    def __init__(self, path: str, line: int, cells: Mapping[str, str | None]) -> None:
        self._path, self._line, self._cells = path, line, cells

    def bad(self, column: str, rule: str) -> BadRecording:
        return BadRecording(self._path, self._line, column, rule)

    def text(self, column: str) -> str:
        cell = self._cells.get(column)
        if cell is None or not cell.strip():
            raise self.bad(column, "is empty")
        return cell.strip()

    def ascii_number(self, column: str) -> str:
        """Return an ASCII number without `_`: Python would also accept 1_000 and digits of other scripts."""
        cell = self.text(column)
        if not cell.isascii() or "_" in cell:
            raise ValueError(column)
        return cell

    def number(self, column: str, *, least: float) -> float:
        try:
            value = float(self.ascii_number(column))
        except ValueError:
            raise self.bad(column, f"is not a number: {self.text(column)!r:.60}") from None
        if not math.isfinite(value) or not least <= value <= 1e9:
            raise self.bad(column, f"must be finite and {least:g} to 1e9: {self.text(column)!r:.60}")
        return value

    def count(self, column: str) -> int:
        try:
            value = int(self.ascii_number(column))
        except ValueError:
            raise self.bad(column, f"is not a whole number: {self.text(column)!r:.60}") from None
        if not 0 <= value <= 10**15:
            raise self.bad(column, f"must be 0 to 1e15: {self.text(column)!r:.60}")
        return value

    def day(self, column: str) -> date:
        try:
            value = date.fromisoformat(self.text(column))
        except ValueError:
            value = None
        if value is None or not 1971 <= value.year <= _LAST_YEAR:
            raise self.bad(
                column, f"is not a date YYYY-MM-DD, 1971 to {_LAST_YEAR}: {self.text(column)!r:.60}"
            )
        return value

    def instant(self, column: str) -> int:
        try:
            value = datetime.fromisoformat(self.text(column))
        except ValueError:
            value = None
        if value is None or value.tzinfo is None or not 1971 <= value.year <= _LAST_YEAR:
            raise self.bad(
                column, f"is not RFC 3339 with a zone, 1971 to {_LAST_YEAR}: {self.text(column)!r:.60}"
            )
        return _ns(value)


def _ns(instant: datetime) -> int:
    return round(instant.timestamp() * 1_000_000) * 1000


def read(path: str, as_of: datetime | None, product: str | None = None) -> list[Snapshot]:
    """Return the snapshots of the recording in `path`, ascending. `as_of` dates a file without timestamps.

    If `product` is given, a column `product` must contain it.

    Raises BadRecording.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            try:
                return _snapshots(path, rows, as_of, product)
            except (UnicodeDecodeError, csv.Error) as error:
                raise BadRecording(path, rows.line_num + 1, "-", f"is not a CSV in UTF-8: {error}") from None
    except OSError as error:
        raise BadRecording(path, 0, "-", f"cannot be read: {error.strerror}") from None


def _snapshots(
    path: str, rows: csv.DictReader[str], as_of: datetime | None, product: str | None
) -> list[Snapshot]:
    columns = rows.fieldnames or []
    for name in columns:
        if name and columns.count(name) > 1:
            raise BadRecording(path, 1, name, f"occurs {columns.count(name)} times in the header")
    for name in _NEEDED:
        if name not in columns:
            raise BadRecording(path, 1, name, "is missing from the header")
    stamped = "timestamp" in columns
    if not stamped and as_of is None:
        raise BadRecording(path, 1, "timestamp", "is missing; give the time of the snapshot (REPLAY_AS_OF)")
    found: dict[int, Snapshot] = {}
    last: dict[tuple[int, date], _Row] = {}
    for row in _rows(path, rows):
        ts = row.instant("timestamp") if stamped or as_of is None else _ns(as_of)
        if product and "product" in columns and row.text("product") != product:
            raise row.bad("product", f"is {row.text('product')!r:.40}, but the feed's product is {product}")
        spot = row.number("spot", least=1e-9)
        snapshot = found.setdefault(ts, Snapshot(ts, spot))
        if snapshot.spot != spot:
            raise row.bad("spot", f"differs within one snapshot: {spot:g} and {snapshot.spot:g}")
        _add(snapshot, row)
        last[ts, row.day("expiry")] = row
    for (ts, expiry), row in last.items():
        _check_spot(found[ts], found[ts].chains[expiry], row)
    if not found:
        raise BadRecording(path, 1, "-", "the file has no rows")
    return [found[ts] for ts in sorted(found)]


def _check_spot(snapshot: Snapshot, chain: RecordedChain, row: _Row) -> None:
    strikes = chain.strikes
    if not strikes[0] / _SPOT_RATIO <= snapshot.spot <= strikes[-1] * _SPOT_RATIO:
        raise row.bad(
            "spot",
            f"{snapshot.spot:g} is {_SPOT_RATIO:g} times outside the strikes of {chain.expiry}, "
            f"{strikes[0]:g} to {strikes[-1]:g}",
        )


def _rows(path: str, rows: csv.DictReader[str]) -> Iterator[_Row]:
    for cells in rows:
        surplus: Any = cells
        if any(surplus.get(None, ())):  # an unquoted 1,234 would shift all columns after it
            raise BadRecording(
                path, rows.line_num, "-", f"has more cells than the header: {surplus[None][0]!r:.40}"
            )
        yield _Row(path, rows.line_num, cells)


def _add(snapshot: Snapshot, row: _Row) -> None:
    side = row.text("side")
    if side not in ("C", "P"):
        raise row.bad("side", f"must be C or P: {side!r:.60}")
    expiry, strike = row.day("expiry"), row.number("strike", least=1e-4)
    # The expiry is a date in the exchange's zone, which may be half a day behind UTC.
    on = datetime.fromtimestamp(snapshot.ts // 10**9, UTC) - timedelta(hours=12)
    if expiry < on.date():
        raise row.bad(
            "expiry", f"{expiry} is before the snapshot's time, {on + timedelta(hours=12):%Y-%m-%dT%H:%MZ}"
        )
    chain = snapshot.chains.setdefault(expiry, RecordedChain(expiry))
    if (strike, side == "C") in chain.legs:
        raise row.bad("strike", f"{strike:g} {side} appears twice in one snapshot")
    prices: Leg = {name: row.number(column, least=0) for name, column in _PRICES.items()}
    counts: Leg = {name: row.count(column) for name, column in _COUNTS.items()}
    if chain.add(strike, side == "C", prices | counts) > _MAX_STRIKES:
        raise row.bad("strike", f"more than {_MAX_STRIKES} strikes in one chain")
