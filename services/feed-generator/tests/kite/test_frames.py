"""Decode Kite's binary messages: the recorded packets, every layout and divisor, and damaged messages."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.recorded_kite import needs_recordings, packet, said

from feed_generator.live.exchange import BadFrame
from feed_generator.live.kite.frames import Frame, Level, Tick, decode, decode_packet

NIFTY, INFY, USDINR, BSE_USDINR = 256265, 408065, 259 * 256 + 3, 17 * 256 + 6


def message(*packets: bytes) -> bytes:
    return pack(">H", len(packets)) + b"".join(pack(">H", len(one)) + one for one in packets)


def as_said(tick: Tick) -> dict[str, Any]:
    """Return the tick in the words and the shape of the vendor's JSON."""

    def instant(seconds: int) -> datetime:
        return datetime.fromtimestamp(seconds, UTC)

    def depth(levels: tuple[Level, ...]) -> list[dict[str, float]]:
        return [{"price": one.price, "quantity": one.quantity, "orders": one.orders} for one in levels]

    quote = {
        "mode": tick.mode,
        "instrument_token": tick.token,
        "last_price": tick.last_price,
        "last_quantity": tick.last_quantity,
        "average_price": tick.average_price,
        "volume": tick.volume,
        "buy_quantity": tick.buy_quantity,
        "sell_quantity": tick.sell_quantity,
        "ohlc": {"open": tick.open, "high": tick.high, "low": tick.low, "close": tick.close},
    }
    if tick.mode != "full":
        return quote
    return quote | {
        "last_trade_time": instant(tick.last_trade_time),
        "oi": tick.open_interest,
        "oi_day_high": tick.open_interest_high,
        "oi_day_low": tick.open_interest_low,
        "timestamp": instant(tick.time),
        "depth": {"buy": depth(tick.bids), "sell": depth(tick.asks)},
    }


@needs_recordings
@pytest.mark.parametrize("name", ["ticker_quote", "ticker_full"])
def test_a_recorded_packet_decodes_to_what_the_vendor_says(name: str) -> None:
    """Every field of the vendor's JSON that is in the packet is equal, to the last digit.

    `tradable` follows from the segment. `change` is no field of these packets: the vendor derives it, and in
    ticker_quote.json it stands as in ticker_full.json although the last prices differ.
    """
    tick = decode_packet(packet(name))
    expected = {field: value for field, value in said(name).items() if field not in ("tradable", "change")}
    for field in ("last_trade_time", "timestamp"):
        if field in expected:
            expected[field] = datetime.fromisoformat(expected[field])
    assert tick is not None
    assert as_said(tick) == expected


@needs_recordings
def test_a_message_has_the_ticks_of_all_its_packets_in_order() -> None:
    quote, full = packet("ticker_quote"), packet("ticker_full")
    assert [tick.last_price for tick in decode(message(quote, full, quote)).ticks] == [
        1573.15,
        1573.7,
        1573.15,
    ]


def test_an_ltp_packet_has_the_last_price_in_paise() -> None:
    assert decode(message(pack(">Ii", INFY, 157370))).ticks == (Tick("ltp", INFY, 1573.7),)


def test_an_index_packet_has_its_own_layout() -> None:
    """High and low precede open and close; mode full adds the exchange's time."""
    prices = pack(">I6i", NIFTY, 2350105, 2366735, 2339820, 2366140, 2356700, -6595)
    quote, full = decode(message(prices, prices + pack(">I", 1718961000))).ticks
    assert quote == Tick("quote", NIFTY, 23501.05, 23661.4, 23667.35, 23398.2, 23567.0)
    assert full == Tick("full", NIFTY, 23501.05, 23661.4, 23667.35, 23398.2, 23567.0, time=1718961000)


@pytest.mark.parametrize(
    ("token", "raw", "price"),
    [(INFY, 157370, 1573.7), (USDINR, 895425000, 89.5425), (BSE_USDINR, 895425, 89.5425)],
)
def test_the_segment_of_the_token_says_in_which_parts_of_a_rupee_prices_are(
    token: int, raw: int, price: float
) -> None:
    (tick,) = decode(message(pack(">Ii", token, raw))).ticks
    assert tick.last_price == price


def test_quantities_use_all_32_bits() -> None:
    """A penny stock's volume of a day exceeds a signed int32."""
    (tick,) = decode(message(pack(">IiIi3I4i", INFY, 750, 1, 750, 3_000_000_000, 1, 2, 0, 0, 0, 0))).ticks
    assert tick.volume == 3_000_000_000


@pytest.mark.parametrize("heartbeat", [b"\0", b""])
def test_a_heartbeat_has_no_tick(heartbeat: bytes) -> None:
    assert decode(heartbeat) == Frame()


def test_a_packet_of_an_undocumented_length_is_counted_and_the_others_are_decoded() -> None:
    frame = decode(message(b"\0" * 200, pack(">Ii", INFY, 100)))
    assert (len(frame.ticks), frame.unknown) == (1, 1)


@pytest.mark.parametrize(
    "damaged",
    [
        message(bytes(8), bytes(8))[:-10],
        message(bytes(8), bytes(8))[:-9],
        message(bytes(8), bytes(8))[:-1],
        message(bytes(8)) + b"\0",
        b"\0\0\0",
    ],
    ids=["no second packet", "half a length", "half a packet", "surplus", "surplus without packets"],
)
def test_a_message_whose_lengths_do_not_add_up_is_refused(damaged: bytes) -> None:
    with pytest.raises(BadFrame, match="do not add up"):
        decode(damaged)


@given(st.binary(max_size=400))
def test_any_bytes_decode_or_are_refused(garbage: bytes) -> None:
    with suppress(BadFrame):
        decode(garbage)
