"""Read the cells of one CSV line. Every error names the column and the rule.

The strict methods accept plain numbers only. The lenient ones (`price`, `amount`, `decimal`) accept what
exports write: digit groups (1,10,811 or 110,811), floats for counts (582.0), and none as an empty cell, `-`
or NaN.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime

from feed_generator.sources.formats.problems import BadCell

FIRST_YEAR, LAST_YEAR = 1971, 2099
"""Years of the times in files. A time before them has another unit."""
_NONE = frozenset({"", "-", "--", "nan", "none", "null", "n/a", "na"})
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{2,3})*,\d{3}(\.\d*)?", re.ASCII)
_MOST = 1e9
MOST_COUNTED = 10**15


class Cells:
    """The cells of one line by column. `zero` is called with each column whose price is 0: it means none."""

    def __init__(self, cells: Mapping[str, str | None], zero: Callable[[str], None] | None = None) -> None:
        self._cells, self._zero = cells, zero

    def has(self, column: str) -> bool:
        """Return whether the cell has a value."""
        return (self._cells.get(column) or "").strip().lower() not in _NONE

    def text(self, column: str) -> str:
        """Return the cell's text without surrounding space."""
        cell = self._cells.get(column)
        if cell is None or not cell.strip():
            raise BadCell(column, "is empty")
        return cell.strip()

    def _ascii(self, column: str) -> str:
        """Return an ASCII number without `_`: Python would also accept 1_000 and digits of other scripts."""
        cell = self.text(column)
        if not cell.isascii() or "_" in cell:
            raise ValueError(column)
        return cell

    def number(self, column: str, *, least: float) -> float:
        """Return a finite number from `least` to 1e9."""
        try:
            value = float(self._ascii(column))
        except ValueError:
            raise BadCell(column, "is not a number", self.text(column)) from None
        return self._within(column, value, least)

    def _within(self, column: str, value: float, least: float) -> float:
        if not math.isfinite(value) or not least <= value <= _MOST:
            raise BadCell(column, f"must be finite and {least:g} to 1e9", self.text(column))
        return value

    def count(self, column: str) -> int:
        """Return a whole number from 0 to 1e15."""
        try:
            value = int(self._ascii(column))
        except ValueError:
            raise BadCell(column, "is not a whole number", self.text(column)) from None
        if not 0 <= value <= MOST_COUNTED:
            raise BadCell(column, "must be 0 to 1e15", self.text(column))
        return value

    def decimal(self, column: str, *, most: float = MOST_COUNTED) -> float | None:
        """Return a number as exports write it, or None if the cell is missing or has none."""
        if not self.has(column):
            return None
        cell = self.text(column)
        plain = cell.replace(",", "") if _GROUPED.fullmatch(cell) else cell
        try:
            value = float(plain) if plain.isascii() and "_" not in plain else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise BadCell(column, "is not a number", cell)
        if abs(value) > most:
            raise BadCell(column, f"must be at most {most:g} in size", cell)
        return value

    def vendors(self, column: str) -> float | None:
        """Return a volatility or a Greek of the vendor, or None if there is none."""
        return self.decimal(column, most=_MOST)

    def price(self, column: str, *, unit: float = 1.0) -> float:
        """Return a price, multiplied by its `unit`; 0 if there is none."""
        stated = self.decimal(column)
        if stated == 0 and self._zero:
            self._zero(column)
        value = (stated or 0.0) * unit
        if not 0 <= value <= _MOST:
            rule = "is no price: it must be 0 to 1e9, and 0 or an empty cell means none"
            raise BadCell(column, rule, self.text(column))
        return value

    def before(self, now: float, change: str, *, most: float = _MOST) -> float:
        """Return what a value was before its change in the column `change`; it may be negative."""
        value = now - (self.decimal(change, most=most) or 0.0)
        if value > most:
            raise BadCell(change, f"makes the value before it larger than {most:g}", self.text(change))
        return value

    def positive(self, column: str) -> float:
        """Return a strike, a spot or a forward: a number above 0."""
        value = self.decimal(column)
        if value is None:
            raise BadCell(column, "is empty")
        if not 1e-9 <= value <= _MOST:
            raise BadCell(column, "must be above 0, at most 1e9", self.text(column))
        return value

    def amount(self, column: str) -> float | int:
        """Return a size, a volume or an open interest; 0 if there is none. A whole number is an int."""
        value = self.decimal(column) or 0.0
        if not 0 <= value <= MOST_COUNTED:
            raise BadCell(column, "must be 0 to 1e15", self.text(column))
        return int(value) if value.is_integer() else value

    def whole(self, column: str, *, unit: int) -> int:
        """Return an amount that has no parts, multiplied by its `unit`."""
        value = self.amount(column)
        if isinstance(value, float):
            raise BadCell(column, "must be a whole number", self.text(column))
        if value * unit > MOST_COUNTED:
            raise BadCell(column, f"must be at most 1e15 after the lot of {unit}", self.text(column))
        return value * unit

    def day(self, column: str) -> date:
        """Return a date YYYY-MM-DD."""
        try:
            value = date.fromisoformat(self.text(column))
        except ValueError:
            value = None
        if value is None or not FIRST_YEAR <= value.year <= LAST_YEAR:
            rule = f"is not a date YYYY-MM-DD, {FIRST_YEAR} to {LAST_YEAR}"
            raise BadCell(column, rule, self.text(column))
        return value

    def instant(self, column: str) -> int:
        """Return a time in RFC 3339 with its zone, in ns since the epoch."""
        try:
            value = datetime.fromisoformat(self.text(column))
        except ValueError:
            value = None
        if value is None or value.tzinfo is None or not FIRST_YEAR <= value.year <= LAST_YEAR:
            rule = f"is not RFC 3339 with a zone, {FIRST_YEAR} to {LAST_YEAR}"
            raise BadCell(column, rule, self.text(column))
        return ns(value)


def ns(instant: datetime) -> int:
    """Return a time with its zone in ns since the epoch, exact to the microsecond."""
    return round(instant.timestamp() * 1_000_000) * 1000
