"""Decode the binary messages of Kite's ticker. One message has any number of packets, one tick each.

A message is a big-endian int16 with the number of packets, then for each an int16 with its length and the
packet. The length tells the mode: 8 bytes are `ltp`, 44 `quote` and 184 `full`; of an index 28 are `quote`
and 32 `full`. Prices are integers in parts of a rupee, and the segment (the last byte of the instrument
token) says in which. A message of one byte is a heartbeat.

https://kite.trade/docs/connect/v3/websocket describes the packets.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Literal

import msgspec

from feed_generator.live.exchange import BadFrame

Mode = Literal["ltp", "quote", "full"]


class Segment(IntEnum):
    """The part of an exchange that lists an instrument."""

    NSE = 1
    NFO = 2
    CDS = 3
    BSE = 4
    BFO = 5
    BCD = 6
    MCX = 7
    MCXSX = 8
    INDICES = 9


_PARTS_OF_A_RUPEE: dict[int, int] = {Segment.CDS: 10_000_000, Segment.BCD: 10_000}
_PAISE = 100

_LENGTH = Struct(">H")
_LTP = Struct(">Ii")
_INDEX_QUOTE = Struct(">I6i")
_INDEX_FULL = Struct(">I6iI")
_QUOTE = Struct(">IiIi3I4i")
_FULL = Struct(">IiIi3I4i5I" + 10 * "IiH2x")
_LEVELS = 5
_BAD_LENGTHS = "the lengths in a binary message of Kite's ticker do not add up"


class Level(msgspec.Struct, frozen=True):
    """One price of the order book. A price of 0 means that there is none."""

    price: float
    quantity: int
    orders: int


class Tick(msgspec.Struct, frozen=True):
    """One packet. Prices in rupees, times in seconds since the epoch, quantities as the exchange counts them.

    Of an index only the prices and `time` are set. A time of 0 means that there is none. `bids` and `asks`
    start with the best price; they have five levels in mode `full`, else none.
    """

    mode: Mode
    token: int
    last_price: float
    open: float = 0.0
    high: float = 0.0
    low: float = 0.0
    close: float = 0.0
    last_quantity: int = 0
    average_price: float = 0.0
    volume: int = 0
    buy_quantity: int = 0
    sell_quantity: int = 0
    last_trade_time: int = 0
    open_interest: int = 0
    open_interest_high: int = 0
    open_interest_low: int = 0
    time: int = 0
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()


class Frame(msgspec.Struct, frozen=True):
    """The ticks of one message, in its order, and the number of packets of an undocumented length."""

    ticks: tuple[Tick, ...] = ()
    unknown: int = 0


def segment(token: int) -> int:
    """Return the segment of an instrument token; usually a `Segment`."""
    return token & 0xFF


def divisor(token: int) -> int:
    """Return the parts of a rupee in which the ticker sends the prices of this instrument."""
    return _PARTS_OF_A_RUPEE.get(segment(token), _PAISE)


def decode(message: bytes) -> Frame:
    """Return the ticks of a binary message; none for a heartbeat.

    Raises BadFrame if the lengths do not add up: then no packet of the message can be trusted.
    """
    if len(message) < _LENGTH.size:
        return Frame()
    (packets,) = _LENGTH.unpack_from(message)
    ticks: list[Tick] = []
    at = _LENGTH.size
    for _ in range(packets):
        start = at + _LENGTH.size
        if start > len(message):
            raise BadFrame(_BAD_LENGTHS)
        at = start + _LENGTH.unpack_from(message, at)[0]
        if at > len(message):
            raise BadFrame(_BAD_LENGTHS)
        if (tick := decode_packet(message[start:at])) is not None:
            ticks.append(tick)
    if at != len(message):
        raise BadFrame(_BAD_LENGTHS)
    return Frame(tuple(ticks), packets - len(ticks))


def decode_packet(packet: bytes) -> Tick | None:
    """Return the tick of one packet, or None if its length is not documented."""
    decoder = _DECODERS.get(len(packet))
    return decoder(packet) if decoder else None


def _ltp(packet: bytes) -> Tick:
    token, last = _LTP.unpack(packet)
    return Tick(mode="ltp", token=token, last_price=last / divisor(token))


def _index(packet: bytes) -> Tick:
    # The last int of the quote is the change of the price: another way to say last - close.
    token, last, high, low, open_, close, *rest = (
        _INDEX_FULL if len(packet) == _INDEX_FULL.size else _INDEX_QUOTE
    ).unpack(packet)
    parts = divisor(token)
    return Tick(
        mode="full" if len(rest) > 1 else "quote",
        token=token,
        last_price=last / parts,
        open=open_ / parts,
        high=high / parts,
        low=low / parts,
        close=close / parts,
        time=rest[1] if len(rest) > 1 else 0,
    )


def _quote(packet: bytes) -> Tick:
    token, last, last_quantity, average, volume, buy, sell, open_, high, low, close = _QUOTE.unpack(packet)
    parts = divisor(token)
    return Tick(
        mode="quote",
        token=token,
        last_price=last / parts,
        open=open_ / parts,
        high=high / parts,
        low=low / parts,
        close=close / parts,
        last_quantity=last_quantity,
        average_price=average / parts,
        volume=volume,
        buy_quantity=buy,
        sell_quantity=sell,
    )


def _full(packet: bytes) -> Tick:
    (
        token,
        last,
        last_quantity,
        average,
        volume,
        buy,
        sell,
        open_,
        high,
        low,
        close,
        last_trade_time,
        open_interest,
        open_interest_high,
        open_interest_low,
        time,
        *depth,
    ) = _FULL.unpack(packet)
    parts = divisor(token)
    levels = [
        Level(price / parts, quantity, orders)
        for quantity, price, orders in zip(depth[::3], depth[1::3], depth[2::3], strict=True)
    ]
    return Tick(
        mode="full",
        token=token,
        last_price=last / parts,
        open=open_ / parts,
        high=high / parts,
        low=low / parts,
        close=close / parts,
        last_quantity=last_quantity,
        average_price=average / parts,
        volume=volume,
        buy_quantity=buy,
        sell_quantity=sell,
        last_trade_time=last_trade_time,
        open_interest=open_interest,
        open_interest_high=open_interest_high,
        open_interest_low=open_interest_low,
        time=time,
        bids=tuple(levels[:_LEVELS]),
        asks=tuple(levels[_LEVELS:]),
    )


_DECODERS = {
    _LTP.size: _ltp,
    _INDEX_QUOTE.size: _index,
    _INDEX_FULL.size: _index,
    _QUOTE.size: _quote,
    _FULL.size: _full,
}
