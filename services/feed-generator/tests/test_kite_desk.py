"""A generator's part of Kite against the fake one: numbers, drops, half frames, and tokens that end."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from http import HTTPStatus
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from tests.support import fake_kite
from tests.support.fake_kite import API_KEY, FakeKite
from tests.support.kite_market import HEADER, KiteMarket, State, message
from tests.support.served import Served, resident_bytes
from tests.support.tls import Certificates

from feed_generator.live.inbox import Inbox
from feed_generator.live.kite import account, schedule
from feed_generator.live.kite.desk import Desk, Wanted
from feed_generator.live.report import total
from feed_generator.live.source import LiveSource
from feed_generator.live.status import Status

PRODUCTS = ("NIFTY", "SENSEX")
LEGS = ("bid", "ask", "last", "bid_size", "ask_size", "volume", "open_interest", "previous_close")


@pytest.fixture
def kite() -> Iterator[FakeKite]:
    with fake_kite.running(KiteMarket(PRODUCTS, time.time_ns())) as fake:
        yield fake


class Runner:
    """A desk in a thread of its own, and what its source has sent so far."""

    def __init__(
        self,
        kite: FakeKite,
        folder: Path,
        products: tuple[str, ...],
        longest_sleep_s: float = 0.05,
        reading_s: float = 3600,
    ) -> None:
        self.kite, self.files = kite, (folder / "api-key", folder / "access-token")
        self.files[0].write_text(f"{API_KEY}\n")
        self.write_token(kite.token)
        self.inbox = Inbox()
        self.source = LiveSource("nse", self.inbox.take, chain_interval_millis=20)
        self.sent: list[dict[str, Any]] = []
        self.desk = Desk(
            Wanted(products=products, expiries=2, connections=3, url=kite.url, api_url=kite.api_url),
            lambda: account.read(*map(str, self.files)),
            self.inbox.put,
            sleep=lambda seconds: asyncio.sleep(min(seconds, longest_sleep_s)),
            seconds_to_reading=lambda now_ns: reading_s,
        )

    @property
    def statuses(self) -> list[Status]:
        """The states of the connections that are needed."""
        return [status for status in self.desk.statuses if not status.spare]

    def write_token(self, token: str) -> None:
        self.files[1].write_text(token)

    def take(self) -> None:
        self.sent += [json.loads(one.body) for one in self.source.advance().messages]

    def until(self, condition: Callable[[], object]) -> None:
        """Take messages until the condition holds. Fails after 20 s."""
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, [status.message for status in self.statuses]
            self.take()
            threading.Event().wait(0.005)

    def connected(self) -> bool:
        return all(status.connected for status in self.statuses)

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.sent if one["kind"] == kind]

    def received_everything(self) -> bool:
        """Return whether the newest quote of every subscribed contract is what the market says."""
        market = self.kite.market
        quotes = {
            (q["product"], q["expiry"], q["strike"], q["option_type"]): q
            for q in self.of_kind("option_quote")
        }
        wanted = [key for key, token in market.keys.items() if token in self.kite.subscribed]
        return bool(wanted) and all(
            key in quotes and quotes[key]["bid"] == market.states[market.keys[key]].bid
            for key in wanted
            if market.keys[key] in market.states
        )


@contextmanager
def running(
    kite: FakeKite, folder: Path, products: tuple[str, ...] = PRODUCTS, **seconds: float
) -> Iterator[Runner]:
    runner = Runner(kite, folder, products, **seconds)
    loop = asyncio.new_event_loop()
    task = loop.create_task(runner.desk.run())

    def run() -> None:
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)

    thread = threading.Thread(target=run, name="desk", daemon=True)
    thread.start()
    try:
        yield runner
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(timeout=20)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@pytest.fixture
def desk(kite: FakeKite, tmp_path: Path) -> Iterator[Runner]:
    with running(kite, tmp_path) as runner:
        runner.until(runner.connected)
        yield runner


def test_quotes_and_chains_have_the_numbers_of_the_market(desk: Runner) -> None:
    """A chain has every listed strike of an expiry; each leg is the newest state, sizes in shares."""
    desk.kite.advance(60)
    desk.until(desk.received_everything)
    newest = {(one["product"], one["expiry"]): one for one in desk.of_kind("option_chain")}
    market, seen = desk.kite.market, 0
    assert {product for product, _ in newest} == set(PRODUCTS)
    for (product, expiry), chain in newest.items():
        for side, legs in (("CALL", chain["calls"]), ("PUT", chain["puts"])):
            for index, strike in enumerate(chain["strikes"]):
                state = market.states.get(market.keys[product, expiry, strike, side])
                if state is not None:
                    seen += 1
                    assert {name: legs[name][index] for name in LEGS} == {
                        name: pytest.approx(getattr(state, name), abs=1e-9) for name in LEGS
                    }
    assert seen > 100
    spots = {one["product"]: one["price"] for one in desk.of_kind("underlying")}
    said = {one["product"]: one["price"] for one in market.messages if one["kind"] == "underlying"}
    assert spots == said


def test_every_instrument_of_the_nearest_expiries_is_subscribed_with_its_order_book(desk: Runner) -> None:
    subscribed, market = desk.kite.subscribed, desk.kite.market
    expiries = {
        product: sorted({e for p, e, _, _ in market.keys if p == product})[:2] for product in PRODUCTS
    }
    wanted = [token for (product, expiry, _, _), token in market.keys.items() if expiry in expiries[product]]
    assert subscribed == dict.fromkeys([256265, 265, *wanted], "full")
    assert desk.kite.connections == 1
    assert len(desk.statuses) == 1
    assert total(desk.desk.statuses).connected, "connections that are not needed do not count"
    assert desk.statuses[0].message == f"{len(subscribed)} instruments on 1 connection"


def test_after_drops_and_half_frames_everything_is_subscribed_again_and_current(desk: Runner) -> None:
    """The market moves while the connection is down. Afterwards each number is the newest one."""
    for round_ in range(10):
        (desk.kite.cut if round_ % 2 else desk.kite.drop)()
        desk.kite.advance(5)
        desk.until(lambda opened=round_ + 2: desk.kite.connections == opened and desk.connected())
    desk.sent.clear()
    desk.kite.drop()
    desk.until(desk.received_everything)
    (status,) = desk.statuses
    assert (status.gaps, status.reconnects) == (11, 11)


def test_it_survives_a_thousand_drops_without_a_lost_or_doubled_state(tmp_path: Path) -> None:
    """Half of them cut a frame in the middle, and states are repeated and reordered before each.

    After each drop every contract's newest state comes, no state comes twice, no number is served as fresher
    than it is, and memory stays flat.
    """
    market, served, overtaken = KiteMarket(("NIFTY",), time.time_ns(), wing=2), Served(), 77_777.05
    with (
        fake_kite.running(market) as kite,
        running(kite, tmp_path, ("NIFTY",), longest_sleep_s=0.005) as desk,
    ):

        def current() -> bool:
            served.take(desk.sent)
            assert not [one for one in desk.sent if one.get("bid") == overtaken], "an earlier state is served"
            desk.sent.clear()
            wanted = {key: token for key, token in market.keys.items() if token in kite.subscribed}
            return len(wanted) == 20 and all(
                key in served.newest and served.newest[key]["bid"] == market.states[token].bid
                for key, token in wanted.items()
            )

        desk.until(desk.connected)
        (status,) = desk.statuses
        for count in range(1, 1001):
            desk.until(current)
            token, repeated, now_s = market.tokens[1 + count % 20], status.repeated, int(time.time())
            newest = message(market.packet(token, "full", now_s))
            state, market.states[token] = market.states[token], State(bid=overtaken, bid_size=75)
            earlier, market.states[token] = message(market.packet(token, "full", now_s - 9)), state
            kite.say(newest, newest, earlier)
            desk.until(lambda repeated=repeated: status.repeated >= repeated + 2)
            (kite.cut if count % 2 else kite.drop)()
            kite.advance(3)
            market.messages.clear()
            kite.requests.clear()
            desk.until(lambda count=count: status.gaps == count and desk.connected())
            if count == 200:
                resident = resident_bytes()
        grown = resident_bytes() - resident
        desk.until(current)
    assert (status.gaps, status.refused) == (1000, 0)
    assert status.reconnects >= 1000, "a handshake may fail as well on a busy machine"
    assert (served.doubled, desk.inbox.lost) == (0, 0)
    assert served.old_legs > 20
    assert grown < 8 * 1024 * 1024


def test_repeated_damaged_and_foreign_messages_change_nothing(desk: Runner) -> None:
    desk.kite.advance(20)
    desk.until(desk.received_everything)
    count, market = len(desk.of_kind("option_quote")), desk.kite.market
    token = next(token for token in desk.kite.subscribed if token in market.states and token & 255 == 2)
    (status,) = desk.statuses
    desk.kite.say(b"\0\1\0\xb8short", '{"type": "order", "data": {"user_id": "AB1234"}}', "<html>")
    desk.kite.say(fake_kite.message(market.packet(token, "full", 1)))
    desk.kite.say(message(market.packet(token, "full", 1), bytes(200)), message(pack(">Ii", 258, 100)))
    desk.until(lambda: status.refused == 4 and status.repeated == 2)
    desk.take()
    assert len(desk.of_kind("option_quote")) == count
    assert status.connected
    assert status.gaps == 0


def test_an_expired_token_is_unauthorized_until_a_new_one_is_in_the_file(desk: Runner) -> None:
    (status,) = desk.statuses
    desk.kite.expire("token2")
    desk.until(lambda: not status.authorized and desk.kite.refusals >= 3)
    assert status.reason == "TokenExpired"
    assert "log in at Kite" in status.message
    desk.write_token("token2")
    desk.until(lambda: status.connected and status.authorized)


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        (1, None, "KITE_ACCESS_TOKEN_FILE: .* cannot be read"),
        (1, "", "KITE_ACCESS_TOKEN_FILE: .* must contain one word"),
        (0, "two words", "KITE_API_KEY_FILE: .* must contain one word"),
        (0, "ключ", "KITE_API_KEY_FILE: .* must contain one word"),
    ],
)
def test_a_missing_credential_is_unauthorized_and_names_the_file(
    kite: FakeKite, tmp_path: Path, file: int, content: str | None, problem: str
) -> None:
    runner = Runner(kite, tmp_path, PRODUCTS)
    runner.files[file].unlink() if content is None else runner.files[file].write_text(content)
    with pytest.raises(account.Unauthorized, match=problem) as error:
        account.read(*map(str, runner.files))
    assert content is None or not content or content not in str(error.value)
    assert kite.downloads == 0


@pytest.mark.parametrize(
    ("body", "reason", "problem"),
    [
        (b"<!DOCTYPE html><html>maintenance</html>", "BadInstrumentList", "not Kite's instrument list"),
        (f"{HEADER}\n".encode(), "BadInstrumentList", "is empty"),
        (f"{HEADER}\n".encode("utf-16"), "BadAnswer", "is not UTF-8"),
        (f"{HEADER}\n".encode() + b"x" * (1 << 20), "BadInstrumentList", "it is far too long: check apiUrl"),
        (
            f"{HEADER}\n1,1,A,A,0,,0,0,0,EQ,NSE,NSE\n".encode(),
            "UnknownProducts",
            "NIFTY: the instrument list",
        ),
    ],
)
def test_a_list_that_cannot_be_used_is_said_and_asked_for_again(
    kite: FakeKite, tmp_path: Path, body: bytes, reason: str, problem: str
) -> None:
    kite.list_body = body
    with running(kite, tmp_path) as runner:
        (status,) = runner.statuses
        runner.until(lambda: status.reason == reason and kite.downloads >= 2)
        assert problem in status.message
        assert not status.connected
        assert status.authorized
        kite.list_body = None
        runner.until(runner.connected)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (HTTPStatus.TOO_MANY_REQUESTS, "RateLimited"),
        (HTTPStatus.BAD_GATEWAY, "Unavailable"),
        (HTTPStatus.NOT_FOUND, "BadAnswer"),
    ],
)
def test_an_answer_without_a_list_is_said_by_its_kind(
    kite: FakeKite, tmp_path: Path, answer: HTTPStatus, reason: str
) -> None:
    """Neither a limit nor an outage of Kite is a reason to change apiUrl."""
    kite.status = answer
    with running(kite, tmp_path) as runner:
        (status,) = runner.statuses
        runner.until(lambda: status.reason == reason and kite.refusals >= 2)
        assert ("check apiUrl" in status.message) == (reason == "BadAnswer")
        assert f"127.0.0.1:{kite.port} answered {answer.value}" in status.message
        kite.status = HTTPStatus.OK
        runner.until(runner.connected)


def test_a_connection_too_many_names_the_limit_and_comes_when_one_is_free(
    kite: FakeKite, tmp_path: Path
) -> None:
    """Another program or feed has the connections of this API key."""
    kite.most_connections = 0
    with running(kite, tmp_path) as runner:
        (status,) = runner.statuses
        runner.until(lambda: status.reason == "TooManyConnections" and kite.refusals >= 3)
        assert "allows an API key 3 connections" in status.message
        assert status.authorized
        kite.most_connections = 3
        runner.until(runner.connected)


def test_strikes_that_are_listed_during_the_session_are_received(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NSE lists more strikes when the price has moved far. What came before is not sent again.

    A list that lacks contracts counts only before the exchange opens.
    """
    monkeypatch.setattr(schedule, "is_before_open", lambda now_ns: False)
    market, served = KiteMarket(("NIFTY",), time.time_ns(), wing=2), Served()
    with fake_kite.running(market) as kite, running(kite, tmp_path, ("NIFTY",), reading_s=0.1) as desk:
        desk.until(lambda: desk.received_everything() and kite.downloads >= 3)
        assert kite.connections == 1
        (status,) = desk.statuses
        count, expiry = len(kite.subscribed), min(expiry for _, expiry, _, _ in market.keys)
        market.list_strike("NIFTY", expiry, 12_345.0)
        desk.until(lambda: desk.connected() and len(kite.subscribed) == count + 2)
        desk.until(lambda: any(12_345.0 in one["strikes"] for one in desk.of_kind("option_chain")))
        desk.until(desk.received_everything)
        desk.until(lambda: status.message == f"{count + 2} instruments on 1 connection")
        served.take(desk.sent)
        assert (served.doubled, status.gaps, kite.connections) == (0, 0, 2)
        kite.list_body = market.instruments()[: -len("x,NFO-OPT,NFO") * 5]
        downloads = kite.downloads
        desk.until(lambda: kite.downloads >= downloads + 2)
        assert len(kite.subscribed) == count + 2, "a list that lacks contracts is not trusted"
        monkeypatch.setattr(schedule, "is_before_open", lambda now_ns: True)
        desk.until(lambda: desk.connected() and 2 < len(kite.subscribed) < count + 2)


def test_a_new_day_ends_the_connections_until_its_list_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the list of the day before a token may be another instrument's. No counter falls."""
    market = KiteMarket(PRODUCTS, time.time_ns(), wing=200)
    with fake_kite.running(market) as kite, running(kite, tmp_path, reading_s=0.1) as desk:
        desk.until(lambda: len(desk.statuses) == 2 and desk.connected())
        before = total(desk.desk.statuses)
        kite.list_body = b"<html>"
        monkeypatch.setattr(schedule, "day_of_list", lambda now_ns: date(2030, 1, 1))
        desk.until(lambda: total(desk.desk.statuses).reason == "BadInstrumentList")
        desk.until(lambda: not kite.clients)
        assert len(desk.statuses) == 1
        after = total(desk.desk.statuses)
        assert (after.gaps, after.frames >= before.frames > 0) == (1, True)
        kite.list_body = None
        desk.until(lambda: len(desk.statuses) == 2 and desk.connected())


@pytest.mark.parametrize(("ahead_s", "side"), [(300, "behind"), (-300, "ahead of")])
def test_a_clock_that_is_wrong_by_minutes_is_said(
    kite: FakeKite, tmp_path: Path, ahead_s: int, side: str
) -> None:
    """Otherwise the source would look connected and every tick would look old."""
    kite.ahead_s = ahead_s
    with running(kite, tmp_path) as runner:
        (status,) = runner.statuses
        runner.until(lambda: status.reason == "ClockSkew")
        assert f" s {side} that of 127.0.0.1" in status.message
        kite.ahead_s = 0
        runner.until(runner.connected)


def test_a_certificate_that_is_not_trusted_is_said_until_its_authority_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE names the authority for the list and for the ticker."""
    files = Certificates(tmp_path / "tls")
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(files.both)
    market = KiteMarket(PRODUCTS, time.time_ns())
    with fake_kite.running(market, served) as kite, running(kite, tmp_path) as runner:
        (status,) = runner.statuses
        runner.until(lambda: status.reason == "BadCertificate")
        assert "check clock and apiUrl" in status.message
        monkeypatch.setenv("SSL_CERT_FILE", str(files.ca))
        runner.until(runner.connected)


def test_a_product_that_kite_does_not_list_is_named_and_the_others_run(
    kite: FakeKite, tmp_path: Path
) -> None:
    """A feed may have 500 products, so only the first missing ones are named."""
    with running(kite, tmp_path, ("NIFTY", *(f"NOSUCH{number}" for number in range(9)))) as runner:
        runner.until(runner.connected)
        message = runner.statuses[0].message
    assert "not received: NOSUCH0: the instrument list has no options" in message
    assert message.endswith("NFO or BFO; and 7 more")


def test_more_than_3000_instruments_use_a_second_connection(tmp_path: Path) -> None:
    market = KiteMarket(PRODUCTS, time.time_ns(), wing=200)
    with fake_kite.running(market) as kite, running(kite, tmp_path) as runner:
        runner.until(lambda: len(runner.statuses) == 2 and runner.connected())
        assert kite.connections == 2
        assert max(len(client.modes) for client in kite.clients) == 3000
        kite.advance(60)
        runner.until(runner.received_everything)


def test_key_and_token_are_in_no_log_and_no_status(
    kite: FakeKite, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even at level DEBUG, at which the WebSocket library logs requests and the URL has both."""
    caplog.set_level(logging.DEBUG)
    with running(kite, tmp_path) as runner:
        runner.until(runner.connected)
        kite.expire("token2")
        (status,) = runner.statuses
        runner.until(lambda: not status.authorized)
    ours = [record.getMessage() for record in caplog.records if "server" not in record.name]
    assert ours
    assert not [line for line in (*ours, status.message) if API_KEY in line or "token1" in line]
