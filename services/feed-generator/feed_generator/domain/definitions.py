"""Contract terms of products that the rulebook does not have, as the feed defines them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from feed_generator.domain.terms import Session


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # unknown; a folder's name; a path that leaves the data
        raise ValueError("must be the name of a time zone such as Asia/Kolkata") from None
    return name


class Definition(BaseModel):
    """One entry of the feed's `definitions`, by the names of the feed's spec."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True)

    product: Annotated[str, Field(pattern="^[A-Z0-9&-]{1,20}$")]
    exercise: Literal["European", "American"] = "European"
    lot: Annotated[int, Field(ge=1, le=10**6)] = 1
    multiplier: Annotated[float, Field(gt=0, le=1e9)] | None = None
    tick: Annotated[float, Field(gt=0, le=1e9)] | None = None
    expiry_time: Annotated[str, Field(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    zone: Annotated[str, AfterValidator(_zone)]
    settlement: Session = "close"


class DefinedProduct:
    """The `Terms` of a definition. They are the same on every day and for every expiry."""

    oi_unit = "shares"

    def __init__(self, definition: Definition) -> None:
        self.name = definition.product
        self.exercise: str = definition.exercise
        self.settlement_session = definition.settlement
        self.multiplier = definition.multiplier
        self.tick = definition.tick
        self._lot, self._zone = definition.lot, ZoneInfo(definition.zone)
        self._expires = time.fromisoformat(definition.expiry_time)

    def on_grid(self, price: float) -> bool:
        """Return whether a price is a multiple of the tick. True if the definition states no tick."""
        if self.tick is None:
            return True
        off = abs(price - round(price / self.tick) * self.tick)
        return off <= 1e-6 * self.tick + 1e-12 * price  # prices are floats

    def lot_size(self, expiry: date, day: date) -> int:
        """Return the lot, which is the same for all contracts."""
        del expiry, day
        return self._lot

    def expiry_ns(self, expiry: date) -> int:
        """Return the instant of expiry, in ns since the epoch."""
        return int(datetime.combine(expiry, self._expires, self._zone).timestamp()) * 1_000_000_000

    def local_date(self, ts_ns: int) -> date:
        """Return the exchange's calendar date at `ts_ns`."""
        return datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC).astimezone(self._zone).date()
