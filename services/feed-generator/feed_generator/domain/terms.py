"""What a source must know about a product to name its contracts, wherever the knowledge comes from."""

from __future__ import annotations

from datetime import date
from typing import Literal, Protocol

Session = Literal["open", "close"]


class Terms(Protocol):
    """The terms of one product's contracts: from the rulebook, or from a definition in the feed."""

    name: str
    exercise: str
    oi_unit: str
    settlement_session: Session
    """Whose price settles the contracts: that of the open or that of the close."""
    multiplier: float | None
    """Units of the underlying per contract; None: not stated."""
    tick: float | None
    """The step of prices that a feed's definition states; None: not stated."""

    def lot_size(self, expiry: date, day: date) -> int:
        """Return the lot of the contracts that expire on `expiry`, on the trading day `day`."""

    def expiry_ns(self, expiry: date) -> int:
        """Return the instant of expiry, in ns since the epoch."""

    def local_date(self, ts_ns: int) -> date:
        """Return the exchange's calendar date at `ts_ns`."""
