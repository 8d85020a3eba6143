"""Request models: path parameters, queries and bodies, with the patterns of the contracts."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

PRODUCT = r"^[A-Z0-9&-]{1,20}$"
SYMBOL = r"^[A-Z0-9&-]{1,20}[0-9]{8}[CP][0-9]{1,10}(\.[0-9]{1,10})?$"


def _real_date(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value, re.ASCII):
        raise ValueError("must be a date, YYYY-MM-DD")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a calendar date, YYYY-MM-DD") from None


def _real_time(value: object) -> object:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("must be an ISO 8601 time such as 2024-06-21T09:15:00Z") from None


def _utc(value: datetime) -> datetime:
    # A time without an offset is UTC, as in all contracts.
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        return aware.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a time between the years 1 and 9999") from None


def documented(default: Any = ..., *, description: str, example: Any = None, **rules: Any) -> Any:
    """Return a pydantic field with a description and an optional example for the OpenAPI document."""
    extra = {"example": example} if example is not None else None
    return Field(default, description=description, json_schema_extra=extra, **rules)


Expiry = Annotated[
    date, BeforeValidator(_real_date), documented(description="Expiry date of the contracts (YYYY-MM-DD).")
]
Time = Annotated[
    datetime,
    BeforeValidator(_real_time),
    AfterValidator(_utc),
    PlainSerializer(lambda value: value.isoformat().replace("+00:00", "Z"), return_type=str),
]


class ProductPath(BaseModel):
    product: str = documented(
        pattern=PRODUCT,
        description="Product: the root of its contracts, such as NIFTY, SPX or SPXW, upper case.",
        example="NIFTY",
    )


class FeedPath(BaseModel):
    feed: str = documented(
        pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$",
        description="Name of the feed.",
        example="nifty-replay",
    )


class SymbolPath(BaseModel):
    symbol: str = documented(
        pattern=SYMBOL,
        description="Contract symbol: product, expiry as YYYYMMDD, C or P, strike.",
        example="NIFTY20240627C23500",
    )


def _without_null(schema: dict[str, Any]) -> None:
    """Remove null from the schema: an optional query parameter may be absent but cannot be null."""
    for value in schema.get("properties", {}).values():
        for choice in value.pop("anyOf", []):
            value.update(choice if choice != {"type": "null"} else {})
        if value.get("default", "") is None:
            del value["default"]


class Query(BaseModel):
    """A query string. A parameter with an empty value counts as absent.

    Unknown parameters are refused. If a misspelt filter were ignored, a wrong result would look right.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra=_without_null)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in given.items() if value != ""}

    def given(self) -> dict[str, str]:
        """Return the parameters that the caller gave, in canonical form, for the upstream."""
        values = self.model_dump(mode="json", exclude_unset=True)
        return {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in values.items()
        }


class NoQuery(Query):
    pass


def _limit(default: int, what: str) -> Any:
    return documented(
        default,
        description=f"Maximum number of {what}: 1 to 1000; other values are clamped.",
        example=5,
    )


def _bound(what: str) -> Any:
    return documented(
        None,
        description=f"{what} (ISO 8601; UTC if it has no offset).",
        example="2024-06-21T09:15:00Z",
    )


class _Range(Query):
    start: Time | None = _bound("Earliest event time, inclusive")
    end: Time | None = _bound("Latest event time, inclusive")
    order: Literal["newest", "oldest"] = documented(
        "newest",
        description="Which come first, by event time. A replay that went back has stored later ones already.",
    )


class _Pages(_Range):
    cursor: str | None = documented(
        None,
        pattern=r"^[0-9]{1,19}-[0-9a-f]{24}$",
        description="`next` of the page before, with order=oldest and the same other parameters.",
    )


class TicksQuery(_Pages):
    limit: int = _limit(100, "ticks")


class ChainsQuery(_Pages):
    expiry: Expiry | None = documented(None, description="Only this expiry (YYYY-MM-DD); all if absent.")
    limit: int = _limit(10, "chains")


class QuotesQuery(_Pages):
    limit: int = _limit(100, "quotes")


class BarsQuery(_Range):
    window: Literal["1", "5", "15", "60"] = documented("5", description="Length of a bar, in minutes.")
    limit: int = _limit(100, "bars")


class LettersQuery(Query):
    limit: int = documented(
        20, ge=1, le=100, description="Maximum number of dead letters: 1 to 100.", example=5
    )


class MessagesQuery(Query):
    after: str | None = documented(
        None,
        pattern=r"^[0-9]{1,19}-[0-9]{1,19}$",
        description="`next` of the last answer. If absent, the answer has no messages, only `next`.",
        example="1718963999000-0",
    )


class PcrQuery(Query):
    expiry: Expiry | None = documented(None, description="Only this expiry (YYYY-MM-DD); all if absent.")
    history: bool = documented(False, description="Also return stored ratios, newest first.")
    start: Time | None = _bound("Earliest event time of the history, inclusive")
    end: Time | None = _bound("Latest event time of the history, inclusive")
    limit: int = _limit(100, "stored ratios")


class ExpiryQuery(Query):
    expiry: Expiry = documented(
        description="Expiry date of the contracts (YYYY-MM-DD).",
        example="2024-06-27",
    )


class OhlcQuery(Query):
    window: Literal["1", "5", "15", "60"] = documented("5", description="Length of a bar, in minutes.")
    limit: int = _limit(100, "bars")


class Body(BaseModel):
    """A JSON body. Unknown members are not forwarded."""

    def given(self) -> dict[str, Any]:
        """Return the members that the caller gave."""
        return self.model_dump(exclude_unset=True)


class Register(Body):
    email: str = documented(
        max_length=254,
        description="Email address to log in with.",
        example="test@example.com",
    )
    password: str = documented(
        max_length=1024, description="Password; auth checks its rules.", example="test123"
    )
    name: str = documented("", max_length=200, description="Display name.", example="Test User")


class Login(Body):
    email: str = documented(
        max_length=254,
        description="Email address of the account.",
        example="test@example.com",
    )
    password: str = documented(max_length=1024, description="Password of the account.", example="test123")


class Scale(Body):
    """New mode, new number of enrichers, or both. Unknown members are refused."""

    model_config = ConfigDict(extra="forbid")

    replicas: int | None = documented(
        None,
        strict=True,
        ge=0,
        le=1000,
        description="Number of enrichers, within the feed's bounds; for the modes Manual and External.",
        example=2,
    )
    mode: Literal["Automatic", "Recommend", "Manual", "External"] | None = documented(
        None, description="Who decides the number of enrichers.", example="Manual"
    )

    @model_validator(mode="after")
    def _not_empty(self) -> Scale:
        if not self.given():
            raise ValueError("give replicas, mode or both")
        return self

    def given(self) -> dict[str, Any]:
        """Return the members that have a value."""
        return self.model_dump(exclude_none=True)


class Refresh(Body):
    """The refresh token from the last register, login or refresh. Each token can be used once."""

    refresh_token: str = documented("", max_length=4096, description="The refresh token.")

    @model_validator(mode="before")
    @classmethod
    def _may_be_absent(cls, given: Any) -> Any:
        # Clients of the original send no body, only their bearer token; auth decides whether to accept it.
        return {} if given is None else given
