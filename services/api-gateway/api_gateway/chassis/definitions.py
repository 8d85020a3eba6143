"""Read the definitions of a feed's products, as the operator passes them on from `spec.definitions`."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Json
from pydantic.alias_generators import to_camel


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # unknown; a folder's name; a path that leaves the data
        raise ValueError("must be the name of a time zone such as Asia/Kolkata") from None
    return name


class Definition(BaseModel):
    """The contract terms of one product, by the names of the feed's spec."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True)

    product: Annotated[str, Field(pattern="^[A-Z0-9&-]{1,20}$")]
    exercise: Literal["European", "American"] = "European"
    lot: Annotated[int, Field(ge=1, le=10**6)] = 1
    multiplier: Annotated[float, Field(gt=0, le=1e9)] | None = None
    tick: Annotated[float, Field(gt=0, le=1e9)] | None = None
    expiry_time: Annotated[str, Field(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    zone: Annotated[str, AfterValidator(_zone)]
    settlement: Literal["open", "close"] = "close"

    def expiry_ns(self, expiry: date) -> int:
        """Return the instant at which contracts of this date expire, in ns since the epoch."""
        local = datetime.combine(expiry, time.fromisoformat(self.expiry_time), ZoneInfo(self.zone))
        return int(local.timestamp()) * 1_000_000_000


def _once(found: list[Definition]) -> list[Definition]:
    names = [one.product for one in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"must define each product only once, but {', '.join(twice)} is defined twice")
    return found


Definitions = Annotated[Json[list[Definition]], AfterValidator(_once)]
"""The type of a setting that has the definitions as JSON."""
