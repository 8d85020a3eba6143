"""A generator's part of Kite against the fake one: numbers, drops, half frames, and lists that grow."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from struct import pack

import pytest
from tests.support import fake_kite
from tests.support.kite_desk import PRODUCTS, Runner, running
from tests.support.kite_market import KiteMarket, State, message
from tests.support.served import Served, resident_bytes

from feed_generator.live.kite import schedule
from feed_generator.live.report import total

LEGS = ("bid", "ask", "last", "bid_size", "ask_size", "volume", "open_interest", "previous_close")


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
    (status,) = desk.statuses
    # Kite answers each request with what it sent before, so nothing is repeated only after the last answer.
    desk.until(lambda: set(desk.kite.subscribed.values()) == {"full"})
    desk.kite.advance(20)
    desk.until(desk.received_everything)
    desk.kite.say("<html>")
    desk.until(lambda: status.refused == 1)
    repeated, status.refused = status.repeated, 0
    count, market = len(desk.of_kind("option_quote")), desk.kite.market
    token = next(token for token in desk.kite.subscribed if token in market.states and token & 255 == 2)
    desk.kite.say(b"\0\1\0\xb8short", '{"type": "order", "data": {"user_id": "AB1234"}}', "<html>")
    desk.kite.say(fake_kite.message(market.packet(token, "full", 1)))
    desk.kite.say(message(market.packet(token, "full", 1), bytes(200)), message(pack(">Ii", 258, 100)))
    desk.until(lambda: status.refused == 4 and status.repeated == repeated + 2)
    desk.take()
    assert len(desk.of_kind("option_quote")) == count
    assert status.connected
    assert status.gaps == 0


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
        assert (served.doubled, status.gaps, kite.connections) == (0, 1, 2)
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
        kite.listing.clear()  # the list of the day does not come
        desk.until(lambda: total(desk.desk.statuses).reason == "Connecting")
        assert not any(status.connected for status in desk.desk.statuses)
        kite.listing.set()
        desk.until(lambda: total(desk.desk.statuses).reason == "BadInstrumentList")
        desk.until(lambda: not kite.clients)
        assert len(desk.statuses) == 1
        after = total(desk.desk.statuses)
        assert (after.gaps, after.frames >= before.frames > 0) == (2, True)
        kite.list_body = None
        desk.until(lambda: len(desk.statuses) == 2 and desk.connected())


def test_more_than_3000_instruments_use_a_second_connection(tmp_path: Path) -> None:
    market = KiteMarket(PRODUCTS, time.time_ns(), wing=200)
    with fake_kite.running(market) as kite, running(kite, tmp_path) as runner:
        runner.until(lambda: len(runner.statuses) == 2 and runner.connected())
        assert kite.connections == 2
        assert max(len(client.modes) for client in kite.clients) == 3000
        kite.advance(60)
        runner.until(runner.received_everything)
