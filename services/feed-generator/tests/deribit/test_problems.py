"""What a Deribit session says if the exchange, its instruments, the network or the clock do not work."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from devcluster.waiting import wait_until
from tests.support.deribit_session import Client, PatientClock
from tests.support.fake_deribit.market import Market
from tests.support.fake_deribit.server import FakeDeribit, running
from tests.support.tls import Certificates


@pytest.mark.parametrize("reason", ["NoInstruments", "ClockSkew", "NotJson"])
def test_what_a_person_must_mend_is_said_in_one_line(
    exchange: FakeDeribit, clock: PatientClock, reason: str
) -> None:
    """No options, a clock that is wrong by minutes, or text that is not JSON."""
    exchange.faults.no_instruments = reason == "NoInstruments"
    exchange.faults.ahead_ms = 300_000 if reason == "ClockSkew" else 0
    exchange.faults.garbled = 1.0 if reason == "NotJson" else 0
    with Client(exchange.url, clock) as client:
        client.wait_reason(reason)
        message = client.status.message
    assert "\n" not in message
    expected = {
        "NoInstruments": "the exchange lists no options of BTC: check products and "
        "source.deribit.currencies; options on other coins than BTC and ETH are named like SOL-USDC, "
        "under the currency USDC",
        "ClockSkew": "s behind the exchange's: synchronise it",
        "NotJson": "check the url",
    }
    assert expected[reason] in message


def test_a_currency_that_nobody_trades_does_not_stop_the_others(
    exchange: FakeDeribit, clock: PatientClock
) -> None:
    """The exchange refuses an unknown currency; the rest is served, and the status says what is missing."""
    with Client(exchange.url, clock, products=("BTC", "DOGE")) as client:
        client.wait_connected()
        assert client.status.message == "24 contracts of BTC; the exchange lists no options of DOGE"


def test_an_index_without_a_price_does_not_stop_the_other_products(
    exchange: FakeDeribit, clock: PatientClock
) -> None:
    """The exchange may lock one index; the status says which."""
    exchange.faults.unpriced = "eth_usd"
    with Client(exchange.url, clock, products=("BTC", "ETH")) as client:
        wait_until(lambda: len(client.quotes()) == 24, client.status.reason)
        clock.advance(11)  # a price must come within 10 s
        client.wait_connected()
        assert client.status.message == "24 contracts of BTC; it gives no price of eth_usd"
        exchange.faults.unpriced = ""
        exchange.tick("ETH")
        wait_until(lambda: "ETH" in {one["product"] for one in client.quotes()}, client.status.reason)


def test_maintenance_is_named_and_the_session_connects_when_it_is_over(
    exchange: FakeDeribit, clock: PatientClock
) -> None:
    """While it lasts the exchange is called at most every 2 to 4 s."""
    exchange.faults.refuses = {"public/get_instruments": (11051, "system_maintenance")}
    with Client(exchange.url, clock) as client:
        client.wait_reason("Unavailable")
        assert client.status.message == (
            "the exchange answered system_maintenance (11051): it is busy or in maintenance; "
            "see its status page"
        )
        wait_until(lambda: len(client.pauses) > 8, client.status.reason)
        assert client.pauses[-1] >= 2
        exchange.faults.refuses = {}
        client.wait_connected()


def test_a_delisted_instrument_is_named_and_the_others_are_served(
    exchange: FakeDeribit, clock: PatientClock
) -> None:
    """Its subscription is not confirmed, and its leg of the chain has no numbers."""
    exchange.faults.delisted = next(
        name for name, one in exchange.market.options.items() if (one.currency, one.strike) == ("BTC", 60_000)
    )
    with Client(exchange.url, clock) as client:
        client.wait_connected()
        wait_until(lambda: len(client.quotes()) == 23, client.status.reason)
        message = client.status.message
    assert message == f"23 contracts of BTC; it lists but does not know 1, such as {exchange.faults.delisted}"


def test_bad_numbers_are_dropped_and_counted_one_by_one(exchange: FakeDeribit, clock: PatientClock) -> None:
    """A price of -1 drops its quote; a price of 0 means that there is none."""

    def edit(data: dict[str, Any]) -> None:
        data["best_bid_price"] = -1 if data["instrument_name"].endswith("C") else 0

    exchange.faults.edit = edit
    with Client(exchange.url, clock) as client:
        client.wait_connected()
        wait_until(lambda: client.status.refused == 12, client.status.reason)
        wait_until(lambda: len(client.quotes()) == 12, client.status.reason)
        assert client.status.refusal == (
            "a ticker's best_bid_price is negative or above 1e+09: the quote is dropped"
        )
    assert {(one["option_type"], one["bid"]) for one in client.messages if "bid" in one} == {("PUT", 0)}


def test_html_in_the_handshake_is_a_bad_answer_with_the_fix(
    exchange: FakeDeribit, clock: PatientClock
) -> None:
    """A proxy or a wrong url."""
    exchange.faults.handshake = 200
    with Client(exchange.url, clock) as client:
        client.wait_reason("BadAnswer")
    assert client.status.message.endswith("answered 200 instead of a WebSocket: check the url")


def test_a_certificate_that_is_not_trusted_names_host_and_fix(clock: PatientClock, tmp_path: Path) -> None:
    """The session does not fall back to an unverified connection."""
    files = Certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    with (
        running(FakeDeribit(Market(clock.now_ms(), strikes=1), now_ms=clock.now_ms, tls=context)) as fake,
        Client(fake.url, clock) as client,
    ):
        client.wait_reason("BadCertificate")
    assert "check clock and url" in client.status.message


def test_an_address_where_nobody_listens_is_unreachable(clock: PatientClock) -> None:
    """Connecting goes on with growing pauses of at most 4 s."""
    with Client("ws://localhost:1/", clock) as client:
        client.wait_reason("Unreachable")
        wait_until(lambda: len(client.pauses) > 8, client.status.reason)
    assert client.pauses[0] < client.pauses[-1] <= 4
