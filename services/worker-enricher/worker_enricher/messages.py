"""Market messages as they arrive: decoded, bounded and cross-checked, or refused with a reason.

The types mirror `services/contracts/schemas/market-*.schema.json`; the tests hold both against each other.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from worker_enricher.errors import RefusedError

MAX_BODY_BYTES = 1 << 20

_Product = Annotated[str, Meta(pattern="^[A-Z0-9&-]{1,20}$")]
_Feed = Annotated[str, Meta(pattern="^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
_Mid = Annotated[str, Meta(pattern="^[1-9][0-9]{0,9}:[1-9][0-9]{0,14}$")]
_Nanos = Annotated[int, Meta(ge=0, le=4_102_444_800_000_000_000)]
_Replay = Annotated[int, Meta(ge=0, le=10**16)]
_Expiry = Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
_Positive = Annotated[float, Meta(gt=0, le=1e9)]
_Price = Annotated[float, Meta(ge=0, le=1e9)]
_Count = Annotated[int, Meta(ge=0, le=10**15)]
_Symbol = Annotated[str, Meta(pattern=r"^[A-Z0-9&-]{1,20}[0-9]{8}[CP][0-9]+(\.[0-9]+)?$")]
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
    volatility: Annotated[float, Meta(ge=0)]
    drift: float = 0.0


class Underlying(_Message, frozen=True, tag_field="kind", tag="underlying"):
    """One price of an underlying."""

    price: _Positive
    truth: UnderlyingTruth | None


class QuoteTruth(Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    forward: Annotated[float, Meta(gt=0)]
    discount: Annotated[float, Meta(gt=0, le=2)]
    iv: Annotated[float, Meta(gt=0)]
    price: Annotated[float, Meta(ge=0)]


class OptionQuote(_Message, frozen=True, tag_field="kind", tag="option_quote"):
    """One contract's quote."""

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
    """Calls or puts of a chain: one list a column, one entry a strike."""

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
    forward: Annotated[float, Meta(gt=0)]
    discount: Annotated[float, Meta(gt=0, le=2)]
    iv: list[Annotated[float, Meta(gt=0)]]


class OptionChain(_Message, frozen=True, tag_field="kind", tag="option_chain"):
    """One expiry's chain as columns."""

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

_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_MAX_SKEW_NS = 300 * 1_000_000_000


def read(body: bytes, *, feed: str, arrived_ms: int | None) -> Message:
    """The message in `body`, as it came from the stream of `feed`.

    `arrived_ms` is when Redis took the entry in (epoch milliseconds): live events must lie within
    five minutes of it. It is the arrival that counts, not now: a backlog is late, not wrong.
    None skips that check (an entry readmitted from the dead letters). Raises RefusedError.
    """
    if len(body) > MAX_BODY_BYTES:
        raise RefusedError("too_large", f"the body has {len(body)} bytes; at most {MAX_BODY_BYTES}")
    try:
        message = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise RefusedError("schema", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if any(word in body for word in (b"NaN", b"Infinity", b"nan", b"inf")):
            raise RefusedError("not_finite", "NaN and Infinity are not JSON numbers") from None
        raise RefusedError("not_json", str(error)) from None
    if message.feed != feed:
        raise RefusedError("inconsistent", "$.feed: differs from the stream's feed")
    if not isinstance(message, Underlying):
        _check_expiry(message.expiry)
    if isinstance(message, OptionChain):
        _check_columns(message)
    if arrived_ms is not None and not message.replay:
        skew_ns = message.ts - arrived_ms * 1_000_000
        if abs(skew_ns) > _MAX_SKEW_NS:
            seconds = skew_ns // 1_000_000_000
            raise RefusedError(
                "clock_skew", f"$.ts: {seconds} s from its arrival; at most 300 s unless replayed"
            )
    return message


def _check_expiry(expiry: str) -> None:
    try:
        date.fromisoformat(expiry)
    except ValueError:
        raise RefusedError("schema", "$.expiry: not a date of the calendar") from None


def _check_columns(chain: OptionChain) -> None:
    size = len(chain.strikes)
    for side, legs in (("calls", chain.calls), ("puts", chain.puts)):
        for column in Legs.__struct_fields__:
            if len(getattr(legs, column)) != size:
                raise RefusedError("inconsistent", f"$.{side}.{column}: not as long as strikes ({size})")
    if chain.truth and len(chain.truth.iv) != size:
        raise RefusedError("inconsistent", f"$.truth.iv: not as long as strikes ({size})")
    if any(low >= high for low, high in zip(chain.strikes, chain.strikes[1:], strict=False)):
        raise RefusedError("inconsistent", "$.strikes: not strictly ascending")
