"""Validate path segments and query strings by the rules of the contracts."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainValidator,
    ValidationError,
    model_validator,
)
from werkzeug.datastructures import MultiDict

from storage.chassis.problems import BadInput

MAX_LIMIT = 1000
_PRODUCT = re.compile(r"[A-Z0-9&-]{1,20}")
_SYMBOL = re.compile(r"[A-Z0-9&-]{1,20}[0-9]{8}[CP][0-9]{1,10}(\.[0-9]{1,10})?")
_EXPIRY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(?:\.([0-9]{1,9}))?([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_CURSOR = re.compile(r"([0-9]{1,19})-([0-9a-f]{24})")
_LATEST_NS = 4_102_444_800_000_000_000  # the largest `ts` that the contracts allow, 2100-01-01


def product(segment: str) -> str:
    """Return the product in a path. Raises BadInput if it is invalid."""
    return _matching(_PRODUCT, "product", segment)


def symbol(segment: str) -> str:
    """Return the contract symbol in a path. Raises BadInput if it is invalid."""
    return _matching(_SYMBOL, "symbol", segment)


def is_of(symbol: str, product: str) -> bool:
    """Return whether a symbol is of this product. NIFTY220240627C1 is not of NIFTY."""
    rest = symbol.removeprefix(product)
    return symbol.startswith(product) and re.match(r"[0-9]{8}[CP]", rest, re.ASCII) is not None


def _matching(pattern: re.Pattern[str], field: str, segment: str) -> str:
    if not pattern.fullmatch(segment):
        raise BadInput((field, f"must match {pattern.pattern}"))
    return segment


def _limit(value: object) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,20}", str(value), re.ASCII) or int(str(value)) < 1:
        raise ValueError(f"must be a whole number of at least 1 (values above {MAX_LIMIT} are clamped)")
    return min(int(str(value)), MAX_LIMIT)


def _expiry(value: str) -> str:
    try:
        if _EXPIRY.fullmatch(value):
            return date.fromisoformat(value).isoformat()
    except ValueError:
        pass
    raise ValueError("must be a calendar date, YYYY-MM-DD")


def _nanoseconds(value: object) -> int:
    """Convert an RFC 3339 time to nanoseconds since the epoch. A time without an offset is UTC."""
    parts = _TIME.fullmatch(str(value))
    try:
        if parts is None:
            raise ValueError
        seconds, fraction, offset = parts.groups()
        whole = datetime.fromisoformat(seconds.upper() + (offset or "Z").upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("must be an RFC 3339 time such as 2024-06-21T09:15:00Z") from None
    ns = int(whole.timestamp()) * 1_000_000_000 + int((fraction or "").ljust(9, "0"))
    return min(max(ns, 0), _LATEST_NS)  # no data is outside, and BSON integers have 64 bits


def _window(value: object) -> int:
    if value not in ("1", "5", "15", "60"):
        raise ValueError("must be 1, 5, 15 or 60 (minutes)")
    return int(str(value))


class Position(NamedTuple):
    """A position in the order of event times: behind the document with this `ts` and this `_id`."""

    ts: int
    id: bytes

    def __str__(self) -> str:
        return f"{self.ts}-{self.id.hex()}"


def _cursor(value: object) -> Position:
    parts = _CURSOR.fullmatch(str(value))
    if parts is None or int(parts[1]) > _LATEST_NS:
        raise ValueError("must be the `next` of an earlier response")
    return Position(int(parts[1]), bytes.fromhex(parts[2]))


Limit = Annotated[int, BeforeValidator(_limit)]
Expiry = Annotated[str, AfterValidator(_expiry)]
Nanoseconds = Annotated[int, BeforeValidator(_nanoseconds)]
Window = Annotated[int, BeforeValidator(_window)]
Shape = Literal["rows", "columns"]
Order = Literal["newest", "oldest"]
Cursor = Annotated[Position, PlainValidator(_cursor)]


class Query(BaseModel):
    """Base of all query strings.

    Unknown parameters are refused: if a misspelt filter were ignored, the response would look right but be
    wrong.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoQuery(Query):
    """No parameters."""


class _Between(Query):
    """`start` and `end` are inclusive event times."""

    start: Nanoseconds | None = None
    end: Nanoseconds | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.start is not None and self.end is not None and self.start > self.end:
            raise ValueError("start: must not be after end")
        return self


class PagesQuery(_Between):
    """A page of documents. With `order=oldest` the response has `next`, the `cursor` of the next page."""

    order: Order = "newest"
    cursor: Cursor | None = None
    limit: Limit = 100

    @model_validator(mode="after")
    def _oldest(self) -> Self:
        if self.cursor is not None and self.order != "oldest":
            raise ValueError("cursor: needs order=oldest")
        return self


class TicksQuery(PagesQuery):
    """Parameters of /underlying."""


class QuotesQuery(PagesQuery):
    """Parameters of /option/quote."""


class ChainsQuery(PagesQuery):
    """Parameters of /option/chain.

    `shape` is the form of a chain's calls and puts: `rows` has one object per contract, `columns` one list
    per field, as stored.
    """

    expiry: Expiry | None = None
    limit: Limit = 10
    shape: Shape = "rows"


class PcrQuery(_Between):
    """Parameters of /pcr."""

    expiry: Expiry | None = None
    limit: Limit = 100


class BarsQuery(_Between):
    """Parameters of /ohlc. `window` is in minutes; `start` and `end` bound the start of the window."""

    window: Window = 5
    limit: Limit = 100
    order: Order = "newest"


Q = TypeVar("Q", bound=Query)


def parse(model: type[Q], args: MultiDict[str, str]) -> Q:
    """Read a query string as `model`. Raises BadInput, which names every invalid parameter and its rule."""
    twice = [name for name, values in args.lists() if len(values) > 1]
    if twice:
        raise BadInput(*((name, "must be given once") for name in twice))
    try:
        return model.model_validate(args.to_dict())
    except ValidationError as error:
        raise BadInput(*map(_named, error.errors(include_url=False, include_input=False))) from None


def _named(error: Any) -> tuple[str, str]:
    rule = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        rule = "is not a parameter of this route"
    if error["loc"]:
        return str(error["loc"][0]), rule
    field, _, rule = rule.partition(": ")  # the text of a rule over several fields starts with a field's name
    return field, rule
