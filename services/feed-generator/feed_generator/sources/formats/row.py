"""What a reader of a file yields: one contract at one instant, with the terms that the file states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime

Leg = dict[str, float | int]
"""The contract's columns of a leg. Without `previous_open_interest` that of the day before is unknown."""

NO_LEG: Leg = {
    "bid": 0.0, "ask": 0.0, "last": 0.0, "bid_size": 0, "ask_size": 0, "volume": 0, "open_interest": 0,
    "previous_close": 0.0,
}  # fmt: skip
"""A leg without any value. A reader sets the columns that its format has."""

VENDOR_COLUMNS = ("iv", "delta", "gamma", "vega", "theta", "forward")


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file."""

    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Stated:
    """What a file states about its contracts. None: the rulebook says it.

    `expiry_ns` is in ns since the epoch, `multiplier` in units of the underlying per contract.
    """

    oi_unit: str | None = None
    expiry_ns: int | None = None
    exercise: str | None = None
    settlement_session: str | None = None
    settlement_currency: str | None = None
    price_unit: str | None = None
    lot_size: int | None = None
    multiplier: float | None = None

    @property
    def complete(self) -> bool:
        """Whether a chain can be made without the rulebook."""
        return None not in (self.expiry_ns, self.exercise, self.lot_size)


UNSTATED = Stated()


@dataclass(slots=True)
class Row:
    """One contract at `ts`, in ns since the epoch. `spot` None: the file does not state it.

    `age_ns`: how much older its quote is than `ts`.
    `vendor` has the source's own iv (decimal), Greeks and forward, by the names of VENDOR_COLUMNS.
    """

    place: Place
    ts: int
    product: str
    expiry: date
    strike: float
    is_call: bool
    spot: float | None
    leg: Leg
    stated: Stated = UNSTATED
    vendor: dict[str, float] = field(default_factory=dict)
    age_ns: int = 0


def vendor_values(**values: float | None) -> dict[str, float]:
    """Return the vendor's values of a contract without those that it lacks, such as a volatility of 0."""
    found = {name: value for name, value in values.items() if value is not None}
    return {name: value for name, value in found.items() if value > 0 or name not in ("iv", "forward")}


def no_lots(product: str, expiry: date, on: date) -> int:
    """Return the lot 1: the rows stay in the file's own units."""
    del product, expiry, on
    return 1


@dataclass(frozen=True, slots=True)
class Told:
    """What the user states beside a file, and the rules that a reader may look up.

    `lots` returns the lot size of a product's contracts by expiry and trading day, or raises UnknownProduct.
    `group_ns`: rows within this time make one snapshot; None: as the format needs it.
    """

    as_of: datetime | None = None
    spot: float | None = None
    expiry: date | None = None
    products: tuple[str, ...] = ()
    group_ns: int | None = None
    lots: Callable[[str, date, date], int] = no_lots
