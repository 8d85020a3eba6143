"""Types of the incoming market messages, with limits on every text and number.

The types mirror `services/contracts/schemas/market-*.schema.json`; tests compare them with the schemas.
Patterns end in `\\Z`: Python's `$` also matches before a newline.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

_Product = Annotated[str, Meta(pattern=r"^[A-Z0-9&-]{1,20}\Z")]
_Feed = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?\Z")]
_Mid = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,9}:[1-9][0-9]{0,14}\Z")]
_Nanos = Annotated[int, Meta(ge=0, le=4_102_444_800_000_000_000)]
_Replay = Annotated[int, Meta(ge=0, le=10**16)]
_Expiry = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]
_Positive = Annotated[float, Meta(gt=0, le=1e9)]
_Price = Annotated[float, Meta(ge=0, le=1e9)]
_Count = Annotated[int, Meta(ge=0, le=10**15)]
_Symbol = Annotated[str, Meta(pattern=r"^[A-Z0-9&-]{1,20}[0-9]{8}[CP][0-9]{1,10}(\.[0-9]{1,10})?\Z")]
_Lot = Annotated[int, Meta(ge=1, le=10**6)]
_Exercise = Literal["European", "American"]
_Unit = Literal["shares", "contracts"]
_Prices = Annotated[list[_Price], Meta(max_length=2000)]
_Counts = Annotated[list[_Count], Meta(max_length=2000)]
_Strikes = Annotated[list[_Positive], Meta(min_length=1, max_length=2000)]


class _Message(Struct, forbid_unknown_fields=True, frozen=True, gc=False, kw_only=True):
    mid: _Mid
    feed: _Feed
    product: _Product
    ts: _Nanos
    sent_ts: _Nanos
    replay: _Replay


class UnderlyingTruth(Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    volatility: _Price
    drift: Annotated[float, Meta(ge=-1e9, le=1e9)] = 0.0


class Underlying(_Message, frozen=True, tag_field="kind", tag="underlying"):
    """One price of an underlying."""

    price: _Positive
    truth: UnderlyingTruth | None


class QuoteTruth(Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    forward: _Positive
    discount: Annotated[float, Meta(gt=0, le=2)]
    iv: _Positive
    price: _Price


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
    previous_open_interest: _Counts


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


Message = Underlying | OptionQuote | OptionChain
