"""Types of the incoming market messages, with limits on every text and number.

The types mirror `services/contracts/schemas/market-*.schema.json`; tests compare them with the schemas.
Patterns end in `\\Z`: Python's `$` also matches before a newline. An optional member that is absent is UNSET.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, to_builtins
from msgspec.structs import fields

_Product = Annotated[str, Meta(pattern=r"^[A-Z0-9&-]{1,20}\Z")]
_Feed = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?\Z")]
_Mid = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,9}:[1-9][0-9]{0,14}\Z")]
_Nanos = Annotated[int, Meta(ge=0, le=4_102_444_800_000_000_000)]
_Replay = Annotated[int, Meta(ge=0, le=10**16)]
_Expiry = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]
_Positive = Annotated[float, Meta(gt=0, le=1e9)]
_Price = Annotated[float, Meta(ge=0, le=1e9)]
# A whole number stays an `int`, so that it is published as it came.
_Count = Annotated[int, Meta(ge=0, le=10**15)] | Annotated[float, Meta(ge=0, le=1e15)]
_Signed = Annotated[float, Meta(ge=-1e9, le=1e9)]
_Currency = Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9]{1,9}\Z")]
_Session = Literal["open", "close"]
_AgeMs = Annotated[float, Meta(ge=0, le=1e13)]
_Symbol = Annotated[str, Meta(pattern=r"^[A-Z0-9&-]{1,20}[0-9]{8}[CP][0-9]{1,10}(\.[0-9]{1,10})?\Z")]
_Lot = Annotated[int, Meta(ge=1, le=10**6)]
_Exercise = Literal["European", "American"]
_Unit = Literal["shares", "contracts"]
_Prices = Annotated[list[_Price], Meta(max_length=2000)]
_Counts = Annotated[list[_Count], Meta(max_length=2000)]
_KnownCounts = Annotated[list[_Count | None], Meta(max_length=2000)]
_Strikes = Annotated[list[_Positive], Meta(min_length=1, max_length=2000)]
_Ages = Annotated[list[_AgeMs | None], Meta(max_length=2000)]
_Volatilities = Annotated[list[_Positive | None], Meta(max_length=2000)]
_Deltas = Annotated[list[_Signed | None], Meta(max_length=2000)]


class _Message(Struct, forbid_unknown_fields=True, frozen=True, gc=False, kw_only=True):
    mid: _Mid
    feed: _Feed
    product: _Product
    ts: _Nanos
    sent_ts: _Nanos
    replay: _Replay


class UnderlyingTruth(Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    volatility: _Price
    drift: _Signed | UnsetType = UNSET


class Underlying(_Message, frozen=True, tag_field="kind", tag="underlying"):
    """One price of an underlying."""

    price: _Positive
    truth: UnderlyingTruth | None


class QuoteTruth(Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    forward: _Positive
    discount: Annotated[float, Meta(gt=0, le=2)]
    iv: _Positive
    price: _Price


class Vendor(Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """Values that the source itself publishes for a contract."""

    iv: _Positive | UnsetType = UNSET
    delta: _Signed | UnsetType = UNSET
    gamma: _Signed | UnsetType = UNSET
    vega: _Signed | UnsetType = UNSET
    theta: _Signed | UnsetType = UNSET
    forward: _Positive | UnsetType = UNSET


class OptionQuote(_Message, frozen=True, tag_field="kind", tag="option_quote"):
    """A quote of one option contract. Times are in ns since the epoch, prices per share."""

    symbol: _Symbol
    expiry: _Expiry
    expiry_ts: _Nanos
    exercise: _Exercise
    strike: _Positive
    option_type: Literal["CALL", "PUT"]
    spot_price: _Positive
    lot_size: _Lot
    oi_unit: _Unit
    bid: _Price
    ask: _Price
    last: _Price
    bid_size: _Count
    ask_size: _Count
    volume: _Count
    open_interest: _Count
    truth: QuoteTruth | None
    settlement_session: _Session | UnsetType = UNSET
    settlement_currency: _Currency | UnsetType = UNSET
    price_unit: _Currency | UnsetType = UNSET
    multiplier: _Positive | UnsetType = UNSET
    quote_age_ms: _AgeMs | UnsetType = UNSET
    vendor: Vendor | UnsetType = UNSET


class Legs(Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """The calls or the puts of a chain: one list per column, with one value per strike."""

    bid: _Prices
    ask: _Prices
    last: _Prices
    bid_size: _Counts
    ask_size: _Counts
    volume: _Counts
    open_interest: _Counts
    previous_close: _Prices
    previous_open_interest: _KnownCounts
    quote_age_ms: _Ages | UnsetType = UNSET
    vendor_iv: _Volatilities | UnsetType = UNSET
    vendor_delta: _Deltas | UnsetType = UNSET


class ChainTruth(Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    forward: _Positive
    discount: Annotated[float, Meta(gt=0, le=2)]
    iv: Annotated[list[_Positive], Meta(max_length=2000)]


class OptionChain(_Message, frozen=True, tag_field="kind", tag="option_chain"):
    """The option chain of one expiry, as columns."""

    expiry: _Expiry
    expiry_ts: _Nanos
    exercise: _Exercise
    spot_price: _Positive
    lot_size: _Lot
    oi_unit: _Unit
    strikes: _Strikes
    calls: Legs
    puts: Legs
    truth: ChainTruth | None
    settlement_session: _Session | UnsetType = UNSET
    settlement_currency: _Currency | UnsetType = UNSET
    price_unit: _Currency | UnsetType = UNSET
    multiplier: _Positive | UnsetType = UNSET
    vendor_forward: _Positive | UnsetType = UNSET


Message = Underlying | OptionQuote | OptionChain

OPTIONAL: dict[type, tuple[str, ...]] = {
    part: tuple(field.name for field in fields(part) if field.default is UNSET)
    for part in (UnderlyingTruth, OptionQuote, Legs, OptionChain)
}
"""Names of the optional members of each part of a message."""


def is_plain(message: Message) -> bool:
    """Return whether the message has none of the optional members."""
    parts: list[Any] = [message, message.truth]
    if isinstance(message, OptionChain):
        parts += [message.calls, message.puts]
    return all(getattr(part, name) is UNSET for part in parts for name in OPTIONAL.get(type(part), ()))


def optional_members(part: OptionQuote | OptionChain | Legs) -> dict[str, Any]:
    """Return the optional members that are present, as plain values."""
    present = {name: value for name in OPTIONAL[type(part)] if (value := getattr(part, name)) is not UNSET}
    if "vendor" in present:
        present["vendor"] = to_builtins(present["vendor"])
    return present
