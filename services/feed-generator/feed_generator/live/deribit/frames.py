"""Decode Deribit's JSON-RPC frames and encode requests. The exchange's documentation names every field.

One frame is decoded once, into structures that hold only what is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from feed_generator.live.exchange import BadFrame, Dropped


class Greeks(msgspec.Struct, gc=False):
    """The exchange's Greeks in USD: vega per percentage point, theta per day."""

    delta: float | None = None
    gamma: float | None = None
    vega: float | None = None
    theta: float | None = None


class Stats(msgspec.Struct, gc=False):
    """Figures of the last 24 hours."""

    volume: float | None = None


class Data(msgspec.Struct, gc=False):
    """The data of a `ticker` or a `deribit_price_index`. `timestamp` is in ms, `mark_iv` in percent.

    `state`: that of the order book. Only in "open" can anybody trade; others are "halted", "locked",
    "settlement", "inactive" and "delivered".
    """

    timestamp: int = 0
    instrument_name: str = ""
    state: str = "open"
    index_name: str = ""
    price: float | None = None
    underlying_price: float | None = None
    index_price: float | None = None
    mark_iv: float | None = None
    best_bid_price: float | None = None
    best_ask_price: float | None = None
    best_bid_amount: float | None = None
    best_ask_amount: float | None = None
    last_price: float | None = None
    open_interest: float | None = None
    greeks: Greeks | None = None
    stats: Stats | None = None


class Params(msgspec.Struct, gc=False):
    """The parameters of a notification. `type` is that of a heartbeat."""

    channel: str = ""
    data: Data | None = None
    type: str = ""


class Error(msgspec.Struct):
    """The error of an answer."""

    code: int
    message: str = ""


class Frame(msgspec.Struct):
    """A notification (`method`) or an answer (`id` with `result` or `error`). `usOut`: µs since the epoch."""

    method: str = ""
    params: Params | None = None
    id: int | None = None
    result: msgspec.Raw = msgspec.Raw()
    error: Error | None = None
    usOut: int | None = None  # noqa: N815


class Instrument(msgspec.Struct):
    """An entry of `public/get_instruments`. Fields after `is_active` are younger than the recordings."""

    instrument_name: str
    kind: str
    base_currency: str
    quote_currency: str
    contract_size: float
    expiration_timestamp: int
    is_active: bool
    strike: float | None = None
    option_type: Literal["call", "put"] | None = None
    counter_currency: str | None = None
    settlement_currency: str | None = None
    price_index: str | None = None


_frame = msgspec.json.Decoder(Frame).decode
_instruments = msgspec.json.Decoder(list[Instrument]).decode
_channels = msgspec.json.Decoder(list[str]).decode
_encode = msgspec.json.Encoder().encode


def decode(frame: bytes) -> Frame:
    """Return the frame. Raises BadFrame for a field of the wrong type, and Dropped for what is not JSON."""
    try:
        return _frame(frame)
    except msgspec.ValidationError as error:
        raise BadFrame(f"a frame is not as the exchange documents it: {error}") from None
    except RecursionError:
        raise BadFrame("a frame is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        start = frame[:40].decode(errors="replace")
        raise Dropped("NotJson", f"the answer is not JSON but begins with {start!r}: check the url") from None


def instruments(result: msgspec.Raw) -> list[Instrument]:
    """Return the instruments of an answer. Raises Dropped."""
    try:
        return _instruments(result)
    except msgspec.DecodeError as error:
        raise Dropped("BadAnswer", f"the exchange's list of instruments cannot be read: {error}") from None


def channels(result: msgspec.Raw) -> list[str]:
    """Return the channels that an answer confirms. Raises Dropped."""
    try:
        return _channels(result)
    except msgspec.DecodeError as error:
        raise Dropped(
            "BadAnswer", f"the exchange's answer to a subscription cannot be read: {error}"
        ) from None


def request(number: int, method: str, params: Mapping[str, object]) -> str:
    """Return a JSON-RPC request."""
    return _encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).decode()
