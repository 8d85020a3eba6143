"""The Deribit session against a fake exchange: a real WebSocket server with every fault of a real one."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from devcluster.waiting import wait_until
from tests.support.contracts import validator
from tests.support.fake_deribit.market import Market
from tests.support.fake_deribit.server import FakeDeribit, running
from tests.support.served import Served, resident_bytes
from tests.support.tls import Certificates

from feed_generator.live.deribit.exchange import Deribit
from feed_generator.live.inbox import Inbox
from feed_generator.live.session import Session
from feed_generator.live.source import LiveSource
from feed_generator.live.status import Status
from feed_generator.live.thread import SessionThread
from feed_generator.live.transport import websocket

SCALE = 20
"""Seconds of the session's clock in a real second."""
SHORT_WAIT_S = 0.1
"""The time between two looks of the session at its timers."""
START_NS = time.time_ns()


def now_ns() -> int:
    """The clock of session and exchange."""
    return START_NS + (time.time_ns() - START_NS) * SCALE


def now_ms() -> int:
    return now_ns() // 1_000_000


class PatientClock:
    """The time of one test, in ns. The session's pauses move it; its short waits and readings only a little.

    A starved machine therefore causes no timeout of the session, and no two tickers have the same time.
    """

    def __init__(self) -> None:
        self._ns, self._lock = time.time_ns(), threading.Lock()

    def _move(self, ns: int) -> int:
        with self._lock:
            self._ns += ns
            return self._ns

    def now_ns(self) -> int:
        return self._move(1_000_000)

    def now_ms(self) -> int:
        return self.now_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        self._move(int(seconds * 1e9) if seconds > SHORT_WAIT_S else 1_000_000)
        await asyncio.sleep(min(seconds, 0.005))


async def scaled_sleep(seconds: float) -> None:
    await asyncio.sleep(seconds / SCALE)


class Client:
    """A session in its thread, and the messages that its source makes."""

    def __init__(
        self,
        url: str,
        *,
        products: tuple[str, ...] = ("BTC",),
        currencies: tuple[str, ...] = (),
        expiries: int = 2,
        strikes: int = 3,
        clock: Callable[[], int] = now_ns,
        sleep: Callable[[float], Awaitable[None]] = scaled_sleep,
    ) -> None:
        self.status, self.inbox = Status(), Inbox()
        self.source = LiveSource("deribit-btc", self.inbox.take, chain_interval_millis=100)
        self.pauses: list[float] = []
        self._slept = sleep
        exchange = Deribit(products, currencies or products, expiries=expiries, strikes_per_side=strikes)
        session = Session(
            exchange, lambda: websocket(url), self.inbox.put, self.status, now_ns=clock, sleep=self._sleep
        )
        self._thread = SessionThread([session])
        self.messages: list[dict[str, Any]] = []

    async def _sleep(self, seconds: float) -> None:
        if seconds != SHORT_WAIT_S:
            self.pauses.append(seconds)
        await self._slept(seconds)

    def __enter__(self) -> Client:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.stop()
        assert self._thread.failure is None

    def drain(self) -> list[dict[str, Any]]:
        """Make messages of what has come, and return those."""
        made = [json.loads(message.body) for message in self.source.advance().messages]
        self.messages += made
        return made

    def quotes(self) -> list[dict[str, Any]]:
        """All quotes so far."""
        self.drain()
        return [message for message in self.messages if message["kind"] == "option_quote"]

    def wait_connected(self) -> None:
        wait_until(lambda: self.status.connected, self.status.reason)

    def wait_reason(self, reason: str) -> None:
        wait_until(lambda: self.status.reason == reason, self.status.reason)


@pytest.fixture
def exchange() -> Iterator[FakeDeribit]:
    """A running exchange with BTC and ETH."""
    with running(FakeDeribit(Market(now_ms(), strikes=6), now_ms=now_ms, scale=SCALE)) as fake:
        yield fake


Key = tuple[float, str, int, int]


def _keys(messages: Iterable[dict[str, Any]]) -> Counter[Key]:
    """Count the quotes of each contract and time."""
    quotes = (one for one in messages if one["kind"] == "option_quote")
    return Counter(
        (one["strike"], one["option_type"], one["expiry_ts"], one["ts"] // 1_000_000) for one in quotes
    )


def _received(client: Client) -> Counter[Key]:
    return _keys(client.quotes())


def _expected(exchange: FakeDeribit) -> set[Key]:
    """Return what a client must have: of each option every ticker that is newer than all before it."""
    newest: dict[str, int] = {}
    found = set()
    for sent in exchange.sent:
        for name, ms in sent:
            if ms > newest.get(name, 0):
                newest[name] = ms
                option = exchange.market.options[name]
                side = "CALL" if option.is_call else "PUT"
                found.add((option.strike, side, option.expiry_ms * 1_000_000, ms))
    return found


def test_it_subscribes_the_nearest_expiries_and_strikes_around_the_spot(exchange: FakeDeribit) -> None:
    """Two expiries with three strikes on each side, calls and puts, of BTC only."""
    with Client(exchange.url) as client:
        wait_until(lambda: len(client.quotes()) == 24, client.status.reason)
        quotes = client.quotes()
    assert {one["product"] for one in quotes} == {"BTC"}
    assert len({one["symbol"] for one in quotes}) == 2 * 6 * 2
    assert len({one["expiry_ts"] for one in quotes}) == 2
    assert {one["strike"] for one in quotes} == {57_000, 58_000, 59_000, 60_000, 61_000, 62_000}
    assert client.status.message == "24 contracts of BTC"


def test_its_messages_are_as_the_contracts_say(exchange: FakeDeribit) -> None:
    """Ticks, quotes and chains validate, name their units, and carry what the exchange says."""
    with Client(exchange.url) as client:
        client.wait_connected()
        exchange.tick()
        wait_until(lambda: _received(client).keys() == _expected(exchange), client.status.reason)
        for _ in range(6):
            client.drain()
    kinds: dict[str, dict[str, Any]] = {}
    for message in client.messages:
        stamped = {**message, "mid": "1:1", "sent_ts": message["ts"], "replay": 0}
        validator(f"market-{message['kind']}").validate(stamped)
        kinds[message["kind"]] = message
    chain, quote = kinds["option_chain"], kinds["option_quote"]
    assert kinds["underlying"]["price"] == exchange.market.spots["BTC"]
    assert (quote["price_unit"], quote["settlement_currency"], quote["multiplier"]) == ("USD", "BTC", 1)
    assert quote["vendor"].keys() == {"iv", "delta", "gamma", "vega", "theta", "forward"}
    assert chain["strikes"] == [57_000, 58_000, 59_000, 60_000, 61_000, 62_000]
    newest = (chain["expiry_ts"], chain["ts"])
    forwards = {
        one["vendor"]["forward"] for one in client.quotes() if (one["expiry_ts"], one["ts"]) == newest
    }
    assert chain["vendor_forward"] in forwards
    assert all(iv > 0.5 for iv in chain["calls"]["vendor_iv"])
    assert all(age >= 0 for age in chain["puts"]["quote_age_ms"])


def test_options_in_usdc_are_listed_under_it_and_keep_their_prices(exchange: FakeDeribit) -> None:
    """Their products are named like their instruments, their strikes may be fractional."""
    currencies = ("BTC", "USDC")
    with Client(exchange.url, products=("BTC", "SOL-USDC", "XRP-USDC"), currencies=currencies) as client:
        client.wait_connected()
        wait_until(lambda: len(client.quotes()) == 72, client.status.reason)
        for _ in range(6):
            client.drain()
    assert client.status.message == "72 contracts of BTC, SOL-USDC, XRP-USDC"
    asks = {}
    for one in client.messages:
        stamped = {**one, "mid": "1:1", "sent_ts": one["ts"], "replay": 0}
        validator(f"market-{one['kind']}").validate(stamped)
        if one["kind"] == "option_quote" and one["option_type"] == "CALL":
            asks[one["product"], one["strike"], one["expiry"]] = one["ask"] / one["spot_price"]
        if one["kind"] == "option_chain" and one["product"] == "XRP-USDC":
            assert one["strikes"] == [0.57, 0.58, 0.59, 0.6, 0.61, 0.62]
            assert (one["price_unit"], one["settlement_currency"]) == ("USDC", "USDC")
            assert (one["multiplier"], one["oi_unit"]) == (1000, "shares")
    expiry = min(expiry for _, _, expiry in asks)
    at_the_money = [asks["BTC", 60_000, expiry], asks["SOL-USDC", 150, expiry], asks["XRP-USDC", 0.6, expiry]]
    assert max(at_the_money) < 1.05 * min(at_the_money), "the fake market has the same smile for all"


def test_it_survives_a_thousand_disconnects_without_a_lost_or_doubled_tick() -> None:
    """Half of them cut a frame in the middle, while tickers are repeated and reordered.

    No number is served as fresher than it is, and memory stays flat.
    """
    clock = PatientClock()
    fake = FakeDeribit(Market(clock.now_ms(), strikes=1), now_ms=clock.now_ms, scale=SCALE, limited=False)
    fake.faults.repeated = fake.faults.reordered = 0.1

    received: Counter[Key] = Counter()
    served = Served()

    def take() -> None:
        messages = client.drain()
        client.messages.clear()
        received.update(_keys(messages))
        served.take(messages)

    def complete() -> bool:
        take()
        return received.keys() >= _expected(fake)

    with (
        running(fake),
        Client(fake.url, expiries=1, strikes=1, clock=clock.now_ns, sleep=clock.sleep) as client,
    ):
        client.wait_connected()
        for count in range(1, 1001):
            fake.tick()
            fake.disconnect("cut" if count % 2 else "close")
            wait_until(lambda count=count: client.status.gaps == count, client.status.reason)
            client.wait_connected()
            take()
            if count == 200:
                resident = resident_bytes()
        grown = resident_bytes() - resident
        fake.faults.reordered = 0
        fake.tick()
        wait_until(complete, client.status.reason)
    assert received.keys() == _expected(fake)
    assert set(received.values()) == {1}
    assert served.old_legs > 20
    assert client.status.reconnects >= client.status.gaps == 1000
    assert client.status.repeated > 100
    assert client.inbox.lost == 0
    assert max(client.pauses) <= 4
    assert grown < 8 * 1024 * 1024, "the test's own lists take about half of it"


def test_a_quote_that_did_not_come_again_says_its_age(exchange: FakeDeribit) -> None:
    """After an outage a chain has old quotes beside new ones: their age lets the enrichers refuse them."""
    with Client(exchange.url, expiries=1) as client:
        wait_until(lambda: len(client.quotes()) == 12, client.status.reason)
        before = now_ms()
        wait_until(lambda: now_ms() - before > 61_000, lambda: "clock")
        exchange.tick(count=1)
        wait_until(lambda: _received(client).keys() == _expected(exchange), client.status.reason)
        for _ in range(6):
            client.drain()
    chain = [message for message in client.messages if message["kind"] == "option_chain"][-1]
    ages = sorted(chain["calls"]["quote_age_ms"] + chain["puts"]["quote_age_ms"])
    assert ages[0] == 0
    assert all(age > 60_000 for age in ages[1:])


def test_it_answers_test_requests_and_stays_connected(exchange: FakeDeribit) -> None:
    """The exchange ends a connection whose test requests are not answered."""
    with Client(exchange.url) as client:
        client.wait_connected()
        wait_until(lambda: exchange.tests_answered >= 5, client.status.reason)
        assert client.status.gaps == 0


def test_it_ends_a_silent_connection_and_connects_again(exchange: FakeDeribit) -> None:
    """A dead peer behind a living TCP connection sends no heartbeat."""
    with Client(exchange.url) as client:
        client.wait_connected()
        exchange.faults.silent = True
        client.wait_reason("Silent")
        exchange.faults.silent = False
        client.wait_connected()


def test_it_stays_under_the_exchanges_credits(exchange: FakeDeribit) -> None:
    """Many channels go out in pieces of 100, and disconnects do not use up the credits."""
    with Client(exchange.url, products=("BTC", "ETH"), expiries=5, strikes=6) as client:
        for count in range(1, 6):
            client.wait_connected()
            exchange.disconnect()
            wait_until(lambda count=count: client.status.gaps == count, client.status.reason)
        client.wait_connected()
    assert client.status.gaps == client.status.reconnects == 5
    assert exchange.requests.count("public/subscribe") >= 6 * 3


def test_the_selection_follows_the_spot(exchange: FakeDeribit) -> None:
    """Strikes that the spot has come near are subscribed, those far away leave the chain."""
    with Client(exchange.url, expiries=1, strikes=2) as client:
        client.wait_connected()
        exchange.market.spots["BTC"] = 65_500.0
        exchange.tick()

        def last_strikes() -> list[float]:
            client.drain()
            chains = [message for message in client.messages if message["kind"] == "option_chain"]
            return chains[-1]["strikes"] if chains else []

        wait_until(lambda: last_strikes() == [64_000, 65_000, 66_000], client.status.reason)


@pytest.mark.parametrize("reason", ["NoInstruments", "ClockSkew", "NotJson"])
def test_what_a_person_must_mend_is_said_in_one_line(exchange: FakeDeribit, reason: str) -> None:
    """No options, a clock that is wrong by minutes, or text that is not JSON."""
    exchange.faults.no_instruments = reason == "NoInstruments"
    exchange.faults.ahead_ms = 300_000 if reason == "ClockSkew" else 0
    exchange.faults.garbled = 1.0 if reason == "NotJson" else 0
    with Client(exchange.url) as client:
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


def test_a_currency_that_nobody_trades_does_not_stop_the_others(exchange: FakeDeribit) -> None:
    """The exchange refuses an unknown currency; the rest is served, and the status says what is missing."""
    with Client(exchange.url, products=("BTC", "DOGE")) as client:
        client.wait_connected()
        assert client.status.message == "24 contracts of BTC; the exchange lists no options of DOGE"


def test_an_index_without_a_price_does_not_stop_the_other_products(exchange: FakeDeribit) -> None:
    """The exchange may lock one index; the status says which."""
    exchange.faults.unpriced = "eth_usd"
    with Client(exchange.url, products=("BTC", "ETH")) as client:
        client.wait_connected()
        assert client.status.message == "24 contracts of BTC; it gives no price of eth_usd"
        exchange.faults.unpriced = ""
        exchange.tick("ETH")
        wait_until(lambda: "ETH" in {one["product"] for one in client.quotes()}, client.status.reason)


def test_maintenance_is_named_and_the_session_connects_when_it_is_over(exchange: FakeDeribit) -> None:
    """While it lasts the exchange is called at most every 2 to 4 s."""
    exchange.faults.refuses = {"public/get_instruments": (11051, "system_maintenance")}
    with Client(exchange.url) as client:
        client.wait_reason("Unavailable")
        assert client.status.message == (
            "the exchange answered system_maintenance (11051): it is busy or in maintenance; "
            "see its status page"
        )
        wait_until(lambda: len(client.pauses) > 8, client.status.reason)
        assert client.pauses[-1] >= 2
        exchange.faults.refuses = {}
        client.wait_connected()


def test_a_delisted_instrument_is_named_and_the_others_are_served(exchange: FakeDeribit) -> None:
    """Its subscription is not confirmed, and its leg of the chain has no numbers."""
    exchange.faults.delisted = next(
        name for name, one in exchange.market.options.items() if (one.currency, one.strike) == ("BTC", 60_000)
    )
    with Client(exchange.url) as client:
        client.wait_connected()
        wait_until(lambda: len(client.quotes()) == 23, client.status.reason)
        message = client.status.message
    assert message == f"23 contracts of BTC; it lists but does not know 1, such as {exchange.faults.delisted}"


def test_bad_numbers_are_dropped_and_counted_one_by_one(exchange: FakeDeribit) -> None:
    """A price of -1 drops its quote; a price of 0 means that there is none."""

    def edit(data: dict[str, Any]) -> None:
        data["best_bid_price"] = -1 if data["instrument_name"].endswith("C") else 0

    exchange.faults.edit = edit
    with Client(exchange.url) as client:
        client.wait_connected()
        wait_until(lambda: client.status.refused == 12, client.status.reason)
        wait_until(lambda: len(client.quotes()) == 12, client.status.reason)
        assert client.status.refusal == (
            "a ticker's best_bid_price is negative or above 1e+09: the quote is dropped"
        )
    assert {(one["option_type"], one["bid"]) for one in client.messages if "bid" in one} == {("PUT", 0)}


def test_html_in_the_handshake_is_a_bad_answer_with_the_fix(exchange: FakeDeribit) -> None:
    """A proxy or a wrong url."""
    exchange.faults.handshake = 200
    with Client(exchange.url) as client:
        client.wait_reason("BadAnswer")
    assert client.status.message.endswith("answered 200 instead of a WebSocket: check the url")


def test_a_certificate_that_is_not_trusted_names_host_and_fix(tmp_path: Path) -> None:
    """The session does not fall back to an unverified connection."""
    files = Certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    with (
        running(FakeDeribit(Market(now_ms(), strikes=1), now_ms=now_ms, tls=context)) as fake,
        Client(fake.url) as client,
    ):
        client.wait_reason("BadCertificate")
    assert "check clock and url" in client.status.message


def test_an_address_where_nobody_listens_is_unreachable() -> None:
    """Connecting goes on with growing pauses of at most 4 s."""
    with Client("ws://localhost:1/") as client:
        client.wait_reason("Unreachable")
        wait_until(lambda: len(client.pauses) > 8, client.status.reason)
    assert client.pauses[0] < client.pauses[-1] <= 4
