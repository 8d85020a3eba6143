"""Contract terms of products that the rulebook does not have, as the feed defines them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from feed_generator.chassis.definitions import Definition


class DefinedProduct:
    """The `Terms` of a definition. They are the same on every day and for every expiry."""

    oi_unit = "shares"

    def __init__(self, definition: Definition) -> None:
        self.name = definition.product
        self.exercise: str = definition.exercise
        self.settlement_session = definition.settlement
        self.multiplier = definition.multiplier
        self.expiry_ns = definition.expiry_ns
        self.tick = definition.tick
        self._lot, self._zone = definition.lot, ZoneInfo(definition.zone)

    def lot_size(self, expiry: date, day: date) -> int:
        """Return the lot, which is the same for all contracts."""
        del expiry, day
        return self._lot

    def local_date(self, ts_ns: int) -> date:
        """Return the exchange's calendar date at `ts_ns`."""
        return datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC).astimezone(self._zone).date()
