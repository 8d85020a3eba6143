"""The Deribit session against a fake exchange: a real WebSocket server with every fault of a real one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from devcluster.waiting import wait_until
from tests.support.contracts import validator
from tests.support.deribit_session import SCALE, Client, PatientClock
from tests.support.fake_deribit.market import Market
from tests.support.fake_deribit.server import FakeDeribit, running
from tests.support.served import Served, resident_bytes

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


def test_it_subscribes_the_nearest_expiries_and_strikes_around_the_spot(
    exchange: FakeDeribit, clock: PatientClock
) -> None:
    """Two expiries with three strikes on each side, calls and puts, of BTC only."""
    with Client(exchange.url, clock) as client:
        wait_until(lambda: len(client.quotes()) == 24, client.status.reason)
        quotes = client.quotes()
    assert {one["product"] for one in quotes} == {"BTC"}
    assert len({one["symbol"] for one in quotes}) == 2 * 6 * 2
    assert len({one["expiry_ts"] for one in quotes}) == 2
    assert {one["strike"] for one in quotes} == {57_000, 58_000, 59_000, 60_000, 61_000, 62_000}
    assert client.status.message == "24 contracts of BTC"


def test_its_messages_are_as_the_contracts_say(exchange: FakeDeribit, clock: PatientClock) -> None:
    """Ticks, quotes and chains validate, name their units, and carry what the exchange says."""
    with Client(exchange.url, clock) as client:
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


def test_options_in_usdc_are_listed_under_it_and_keep_their_prices(
    exchange: FakeDeribit, clock: PatientClock
) -> None:
    """Their products are named like their instruments, their strikes may be fractional."""
    currencies = ("BTC", "USDC")
    with Client(
        exchange.url, clock, products=("BTC", "SOL-USDC", "XRP-USDC"), currencies=currencies
    ) as client:
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
        Client(fake.url, clock, expiries=1, strikes=1) as client,
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


def test_a_quote_that_did_not_come_again_says_its_age(exchange: FakeDeribit, clock: PatientClock) -> None:
    """After an outage a chain has old quotes beside new ones: their age lets the enrichers refuse them."""
    with Client(exchange.url, clock, expiries=1) as client:
        wait_until(lambda: len(client.quotes()) == 12, client.status.reason)
        for _ in range(4):  # a silence of 25 s would end the connection
            clock.advance(16)
            frames = client.status.frames
            wait_until(lambda frames=frames: client.status.frames > frames, "a heartbeat")
        exchange.tick(count=1)
        wait_until(lambda: _received(client).keys() == _expected(exchange), client.status.reason)
        for _ in range(6):
            client.drain()
    chain = [message for message in client.messages if message["kind"] == "option_chain"][-1]
    ages = sorted(chain["calls"]["quote_age_ms"] + chain["puts"]["quote_age_ms"])
    assert ages[0] == 0
    assert all(age > 60_000 for age in ages[1:])


def test_it_answers_test_requests_and_stays_connected(exchange: FakeDeribit, clock: PatientClock) -> None:
    """The exchange ends a connection whose test requests are not answered."""
    with Client(exchange.url, clock) as client:
        client.wait_connected()
        wait_until(lambda: exchange.tests_answered >= 5, client.status.reason)
        assert client.status.gaps == 0


def test_it_ends_a_silent_connection_and_connects_again(exchange: FakeDeribit, clock: PatientClock) -> None:
    """A dead peer behind a living TCP connection sends no heartbeat."""
    with Client(exchange.url, clock) as client:
        client.wait_connected()
        exchange.faults.silent = True  # a frame may still be on its way

        def is_silent() -> bool:
            clock.advance(1)
            return client.status.reason == "Silent"

        wait_until(is_silent, client.status.reason)
        exchange.faults.silent = False
        client.wait_connected()


def test_it_stays_under_the_exchanges_credits(exchange: FakeDeribit, clock: PatientClock) -> None:
    """Many channels go out in pieces of 100, and disconnects do not use up the credits."""
    with Client(exchange.url, clock, products=("BTC", "ETH"), expiries=5, strikes=6) as client:
        for count in range(1, 6):
            client.wait_connected()
            exchange.disconnect()
            wait_until(lambda count=count: client.status.gaps == count, client.status.reason)
        client.wait_connected()
    assert client.status.gaps == client.status.reconnects == 5
    assert exchange.requests.count("public/subscribe") >= 6 * 3


def test_the_selection_follows_the_spot(exchange: FakeDeribit, clock: PatientClock) -> None:
    """Strikes that the spot has come near are subscribed, those far away leave the chain."""
    with Client(exchange.url, clock, expiries=1, strikes=2) as client:
        client.wait_connected()
        exchange.market.spots["BTC"] = 65_500.0
        exchange.tick()
        clock.advance(5)

        def last_strikes() -> list[float]:
            client.drain()
            chains = [message for message in client.messages if message["kind"] == "option_chain"]
            return chains[-1]["strikes"] if chains else []

        wait_until(lambda: last_strikes() == [64_000, 65_000, 66_000], client.status.reason)
