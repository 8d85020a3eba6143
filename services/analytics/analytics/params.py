"""Validate path segments and query strings by the rules of the contracts."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    model_validator,
)
from werkzeug.datastructures import MultiDict

from analytics.chassis.problems import BadInput
from analytics.domain.values import LATEST_NS

MAX_LIMIT = 1000
_PRODUCT = re.compile(r"[A-Z0-9&-]{1,20}")
_EXPIRY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(?:\.([0-9]{1,9}))?([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)


def product(segment: str) -> str:
    """Return the product in a path. Raises BadInput if it is invalid."""
    if not _PRODUCT.fullmatch(segment):
        raise BadInput(("product", f"must match {_PRODUCT.pattern}"))
    return segment


def _limit(value: object) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,20}", str(value), re.ASCII):
        raise ValueError(f"must be a whole number (1 to {MAX_LIMIT}; values outside are clamped)")
    return min(max(int(str(value)), 1), MAX_LIMIT)


def _expiry(value: str) -> str:
    try:
        if _EXPIRY.fullmatch(value):
            return date.fromisoformat(value).isoformat()
    except ValueError:
        pass
    raise ValueError("must be a calendar date, YYYY-MM-DD")


def _nanoseconds(value: object) -> int:
    """Convert an RFC 3339 time to nanoseconds since the epoch. A time without an offset is UTC.

    The result is clamped to the range that the contracts allow for `ts`.
    """
    parts = _TIME.fullmatch(str(value))
    try:
        if parts is None:
            raise ValueError
        seconds, fraction, offset = parts.groups()
        whole = datetime.fromisoformat(seconds.upper() + (offset or "Z").upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("must be an RFC 3339 time such as 2024-06-21T09:15:00Z") from None
    ns = int(whole.timestamp()) * 1_000_000_000 + int((fraction or "").ljust(9, "0"))
    return min(max(ns, 0), LATEST_NS)


def _window(value: object) -> int:
    if value not in ("1", "5", "15", "60"):
        raise ValueError("must be 1, 5, 15 or 60 (minutes)")
    return int(str(value))


def _flag(value: object) -> bool:
    if value not in ("true", "false"):
        raise ValueError("must be true or false")
    return value == "true"


Limit = Annotated[int, BeforeValidator(_limit)]
Expiry = Annotated[str, AfterValidator(_expiry)]
Nanoseconds = Annotated[int, BeforeValidator(_nanoseconds)]
Window = Annotated[int, BeforeValidator(_window)]
Flag = Annotated[bool, BeforeValidator(_flag)]


class Query(BaseModel):
    """Base of all query strings.

    Unknown parameters are refused: if a misspelt filter were ignored, the response would look right but be
    wrong.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoQuery(Query):
    """No parameters."""


class PcrQuery(Query):
    """Parameters of /pcr. `start` and `end` are inclusive event times and bound the history."""

    expiry: Expiry | None = None
    history: Flag | None = None
    start: Nanoseconds | None = None
    end: Nanoseconds | None = None
    limit: Limit | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.start is not None and self.end is not None and self.start > self.end:
            raise ValueError("start: must not be after end")
        return self

    @property
    def wants_history(self) -> bool:
        """True if `history` asks for it, or else if a parameter is present that only a history uses."""
        if self.history is not None:
            return self.history
        return (self.start, self.end, self.limit) != (None, None, None)


class ExpiryQuery(Query):
    """Parameters of the routes that read one chain."""

    expiry: Expiry


class OhlcQuery(Query):
    """Parameters of /ohlc. `window` is in minutes."""

    window: Window = 5
    limit: Limit = 100


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
    elif error["type"] == "missing":
        rule = "must be given"
    if error["loc"]:
        return str(error["loc"][0]), rule
    field, _, rule = rule.partition(": ")  # the text of a rule over several fields starts with a field's name
    return field, rule
