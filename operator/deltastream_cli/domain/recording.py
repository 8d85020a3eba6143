"""The format of a recording: its columns with types and units, and a market message as one row.

A recording has one row for each message, in the order of the stream. A column that a kind of message lacks is
null. docs/recording-format.md describes the format; a test compares it with `COLUMNS` and with the contracts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

VERSION = 1
KINDS = ("underlying", "option_quote", "option_chain")
Type = Literal["text", "whole", "number", "count", "time", "date"]
"""`count` is a number that is written as a whole number if it is one. `time` is in ns since the epoch."""
Row = dict[str, Any]
_LATEST_NS = 4_102_444_800_000_000_000
_NAME = re.compile("[A-Za-z0-9_]{1,40}")
_MOST = 10**18  # no number of the contracts is larger


class BadMessage(ValueError):
    """A message does not fit the format. The text names the member and the rule."""


@dataclass(frozen=True)
class Column:
    """A column: a value of `type`, or a structure of `parts`; with `repeated` one value for each strike.

    In the list of an `optional` or an `unknowable` column a value may be null.
    """

    name: str
    type: Type = "number"
    unit: str = ""
    kinds: tuple[str, ...] = KINDS
    optional: bool = False
    repeated: bool = False
    unknowable: bool = False
    parts: tuple[Column, ...] = ()


_PRICE, _SIZE = "price_unit, per share", "oi_unit"
_QUOTED = (
    *(Column(name, "number", _PRICE) for name in ("bid", "ask", "last")),
    *(Column(name, "count", _SIZE) for name in ("bid_size", "ask_size", "volume", "open_interest")),
)
_LEG_OPTIONAL = (
    Column("quote_age_ms", "number", "ms"),
    Column("vendor_iv", "number", "decimal, annualised"),
    Column("vendor_delta"),
)
_LEGS = (
    *(replace(column, repeated=True) for column in _QUOTED),
    Column("previous_close", "number", _PRICE, repeated=True),
    Column("previous_open_interest", "count", _SIZE, repeated=True, unknowable=True),
    *(replace(column, repeated=True, optional=True) for column in _LEG_OPTIONAL),
)
_TRUTH = (
    Column("volatility", "number", "decimal, annualised", kinds=("underlying",)),
    Column("drift", "number", "decimal, annualised", kinds=("underlying",), optional=True),
    Column("forward", "number", _PRICE, kinds=("option_quote", "option_chain")),
    Column("discount", kinds=("option_quote", "option_chain")),
    Column("iv", "number", "decimal, annualised", kinds=("option_quote",)),
    Column("price", "number", _PRICE, kinds=("option_quote",)),
    Column("ivs", "number", "decimal, annualised", kinds=("option_chain",), repeated=True),
)
_VENDOR = (
    Column("iv", "number", "decimal, annualised", optional=True),
    *(Column(name, optional=True) for name in ("delta", "gamma", "vega", "theta")),
    Column("forward", "number", _PRICE, optional=True),
)
_UNDERLYING, _QUOTE, _CHAIN = ((kind,) for kind in KINDS)
_OPTIONS = ("option_quote", "option_chain")
COLUMNS = (
    Column("kind", "text"),
    Column("feed", "text"),
    Column("mid", "text"),
    Column("product", "text"),
    Column("ts", "time", "ns"),
    Column("price", "number", _PRICE, _UNDERLYING),
    Column("symbol", "text", "", _QUOTE),
    Column("expiry", "date", "day in the exchange's calendar", _OPTIONS),
    Column("expiry_ts", "time", "ns", _OPTIONS),
    Column("exercise", "text", "", _OPTIONS),
    Column("strike", "number", _PRICE, _QUOTE),
    Column("option_type", "text", "", _QUOTE),
    Column("spot_price", "number", _PRICE, _OPTIONS),
    Column("lot_size", "whole", "shares per contract", _OPTIONS),
    Column("oi_unit", "text", "", _OPTIONS),
    *(replace(column, kinds=_QUOTE) for column in _QUOTED),
    Column("strikes", "number", _PRICE, _CHAIN, repeated=True),
    Column("calls", kinds=_CHAIN, parts=_LEGS),
    Column("puts", kinds=_CHAIN, parts=_LEGS),
    Column("settlement_session", "text", "", _OPTIONS, optional=True),
    Column("settlement_currency", "text", "", _OPTIONS, optional=True),
    Column("price_unit", "text", "", _OPTIONS, optional=True),
    Column("multiplier", "number", "units of the underlying per contract", _OPTIONS, optional=True),
    Column("quote_age_ms", "number", "ms", _QUOTE, optional=True),
    Column("vendor", kinds=_QUOTE, optional=True, parts=_VENDOR),
    Column("vendor_forward", "number", _PRICE, _CHAIN, optional=True),
    Column("truth", parts=_TRUTH),
)
_OF_SENDING = frozenset({"sent_ts", "replay"})  # the next producer of the message writes its own


@dataclass
class Contents:
    """What a recording holds: feeds, products, the range of event times in ns, and messages by kind."""

    feeds: set[str]
    products: set[str]
    first_ts: int
    last_ts: int
    messages: dict[str, int]

    @classmethod
    def none(cls) -> Contents:
        """Return the contents of an empty recording."""
        return cls(set(), set(), _LATEST_NS, 0, dict.fromkeys(KINDS, 0))

    @property
    def total(self) -> int:
        """Number of messages."""
        return sum(self.messages.values())

    def count(self, message: Mapping[str, Any]) -> None:
        """Take a message or its row into account."""
        self.feeds.add(message["feed"])
        self.products.add(message["product"])
        self.first_ts, self.last_ts = min(self.first_ts, message["ts"]), max(self.last_ts, message["ts"])
        self.messages[message["kind"]] += 1

    def as_json(self) -> dict[str, Any]:
        """Return the contents as the metadata of a recording write them."""
        found = {"feeds": sorted(self.feeds), "products": sorted(self.products)}
        return found | {"first_ts": self.first_ts, "last_ts": self.last_ts, "messages": self.messages}


def row(message: object) -> Row:
    """Return a message of the stream as a row of the recording. Raises BadMessage."""
    if not isinstance(message, dict):
        raise BadMessage("a message: must be a JSON object")
    if message.get("kind") not in KINDS:
        raise BadMessage(f"kind: must be one of {', '.join(KINDS)}")
    kind = message["kind"]
    given = {name: value for name, value in message.items() if name not in _OF_SENDING}
    truth = given.get("truth")
    if isinstance(truth, dict) and kind == "option_chain" and "iv" in truth:
        given["truth"] = {"ivs" if name == "iv" else name: value for name, value in truth.items()}
    found = _structure(given, COLUMNS, kind, "", nullable=("truth",))
    sides = [found[side] for side in ("calls", "puts") if kind == "option_chain"]
    if any(
        len(values or found["strikes"]) != len(found["strikes"]) for leg in sides for values in leg.values()
    ):
        raise BadMessage("calls, puts: must have one entry for each strike")
    return found


def message(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the message of a row: a member that is optional and null is left out.

    `checked` says whether it fits the format: somebody else may have written the row.
    """
    kind = row["kind"]
    found = _members(row, COLUMNS, kind)
    if row["truth"] is None:
        return found | {"truth": None}
    if kind == "option_chain" and "ivs" in found["truth"]:
        found["truth"]["iv"] = found["truth"].pop("ivs")
    return found


def checked(message: dict[str, Any]) -> dict[str, Any]:
    """Return the message. Raises BadMessage if it does not fit the format."""
    row(message)
    return message


def _structure(
    given: Mapping[str, Any],
    columns: tuple[Column, ...],
    kind: str,
    path: str,
    nullable: tuple[str, ...] = (),
) -> Row:
    allowed = {column.name for column in columns if kind in column.kinds}
    for name in given:
        if name not in allowed:
            shown = name if _NAME.fullmatch(name) else ascii(name[:20])
            raise BadMessage(f"{path}{shown}: is not in version {VERSION} of the format")
    found: Row = {}
    for column in columns:
        value = given.get(column.name)
        if value is None:
            if column.name in allowed and not column.optional and column.name not in nullable:
                raise BadMessage(f"{path}{column.name}: is missing")
            found[column.name] = None
        elif column.parts:
            if not isinstance(value, dict):
                raise BadMessage(f"{path}{column.name}: must be an object")
            found[column.name] = _structure(value, column.parts, kind, f"{path}{column.name}.")
        else:
            found[column.name] = _value(value, column, f"{path}{column.name}")
    return found


def _value(value: Any, column: Column, path: str) -> Any:
    if not column.repeated:
        return _one(value, column.type, path)
    if not isinstance(value, list):
        raise BadMessage(f"{path}: must be an array")
    nullable = column.optional or column.unknowable
    return [None if one is None and nullable else _one(one, column.type, path) for one in value]


def _one(value: Any, type_: Type, path: str) -> Any:
    if type_ in ("text", "date"):
        if not isinstance(value, str) or not value.isascii():
            raise BadMessage(f"{path}: must be text in ASCII")
        return value if type_ == "text" else _day(value, path)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadMessage(f"{path}: must be a number")
    if type_ == "time":
        if not (isinstance(value, int) and 0 <= value <= _LATEST_NS):
            raise BadMessage(f"{path}: must be whole nanoseconds, 0 to {_LATEST_NS}")
        return value
    if type_ == "whole" and not (isinstance(value, int) and 0 <= value < 2**31):
        raise BadMessage(f"{path}: must be a whole number, 0 to 2147483647")
    if not -_MOST <= value <= _MOST:
        raise BadMessage(f"{path}: must be -1e18 to 1e18")
    return value


def _day(text: str, path: str) -> date:
    with suppress(ValueError):
        if (day := date.fromisoformat(text)).isoformat() == text:  # Python also reads 20240627
            return day
    raise BadMessage(f"{path}: must be a date YYYY-MM-DD")


def _members(row: Mapping[str, Any], columns: tuple[Column, ...], kind: str) -> dict[str, Any]:
    return {
        column.name: _member(row[column.name], column, kind)
        for column in columns
        if kind in column.kinds and row.get(column.name) is not None
    }


def _member(value: Any, column: Column, kind: str) -> Any:
    if column.parts:
        return _members(value, column.parts, kind)
    if column.type == "date":
        return value.isoformat()
    if column.type != "count":
        return value
    return [_whole(one) for one in value] if column.repeated else _whole(value)


def _whole(value: float | None) -> float | None:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def described(columns: tuple[Column, ...] = COLUMNS, path: str = "") -> Iterator[tuple[str, Column]]:
    """Yield every column with its path, such as `calls.bid`: the table of the documentation."""
    for column in columns:
        yield f"{path}{column.name}", column
        yield from described(column.parts, f"{path}{column.name}.")
