"""Kite's ticks become quotes and spot prices: what waits, what is dropped, and on which clock."""

from __future__ import annotations

from datetime import date, datetime
from struct import pack
from typing import Any

import pytest
from tests.support.kite_market import message
from tests.support.logs import logged_by

from feed_generator.live.exchange import BadFrame, Dropped
from feed_generator.live.kite import ticker as kite_ticker
from feed_generator.live.kite.frames import Level, Tick
from feed_generator.live.kite.instruments import ZONE, Contract
from feed_generator.live.kite.market import Market
from feed_generator.live.kite.ticker import Ticker
from feed_generator.live.ticks import Quote, Spot

SPOT, CALL, PUT = 256265, 10244610, 10244866
NOW_S = int(datetime(2025, 11, 24, 10, 0, tzinfo=ZONE).timestamp())
NOW_NS = NOW_S * 10**9
LEVELS = (Level(118.0, 75, 1), Level(117.95, 150, 2))
ASKS = (Level(118.3, 225, 3),)


@pytest.fixture
def market() -> Market:
    call, put = (
        Contract(token, "NIFTY", date(2025, 11, 25), 26000.0, token == CALL, 75, 0.05)
        for token in (CALL, PUT)
    )
    return Market({"NIFTY": (SPOT, [call, put])})


def spot(price: float = 26010.05, *, time: int = NOW_S) -> Tick:
    return Tick("full", SPOT, price, time=time)


def option(token: int = CALL, **fields: Any) -> Tick:
    given = {"last_price": 118.2, "close": 101.0, "volume": 7500, "open_interest": 900, "time": NOW_S}
    return Tick(mode="full", token=token, bids=LEVELS, asks=ASKS, **given | fields)  # type: ignore[arg-type]


def test_an_option_tick_is_a_quote_with_the_best_prices_and_the_spot(market: Market) -> None:
    market.received(spot(), NOW_NS)
    (quote,) = market.received(option(), NOW_NS)
    assert isinstance(quote, Quote)
    assert quote.contract.symbol == "NIFTY20251125C26000"
    assert (quote.contract.lot_size, quote.contract.oi_unit, quote.contract.exercise) == (
        75,
        "shares",
        "European",
    )
    assert (quote.spot, quote.bid, quote.ask, quote.last) == (26010.05, 118.0, 118.3, 118.2)
    assert (quote.bid_size, quote.ask_size, quote.volume, quote.open_interest) == (75, 225, 7500, 900)
    assert (quote.previous_close, quote.ts) == (101.0, NOW_NS)


def test_options_wait_for_the_first_price_of_their_spot(market: Market) -> None:
    """A contract that nobody trades sends its state only once, possibly before the spot's."""
    assert market.received(option(time=NOW_S - 1800), NOW_NS) == []
    first, second = market.received(spot(), NOW_NS)
    assert isinstance(first, Spot)
    assert isinstance(second, Quote)
    assert (second.spot, second.ts) == (26010.05, NOW_NS)


def test_a_state_of_another_day_is_not_passed_on(market: Market) -> None:
    """After the night Kite sends yesterday's order book until the contract changes."""
    yesterday = option(time=NOW_S - 18 * 3600)
    assert market.received(yesterday, NOW_NS) == []
    assert [type(one) for one in market.received(spot(), NOW_NS)] == [Spot]
    assert market.received(option(PUT, time=NOW_S - 86400), NOW_NS) == []
    assert market.discarded.old == 2


@pytest.mark.parametrize("off_s", [-3600, 3600])
def test_nothing_is_passed_on_while_the_markets_clock_is_far_from_ours(market: Market, off_s: int) -> None:
    """The market is closed, or this machine's clock is wrong. A worker would refuse the messages."""
    assert market.received(spot(time=NOW_S + off_s), NOW_NS) == []
    assert market.received(option(time=NOW_S + off_s), NOW_NS) == []
    assert market.discarded.old == (1 if off_s < 0 else 2)
    assert len(market.received(spot(), NOW_NS)) == (1 if off_s > 0 else 2)


def test_the_same_state_and_an_earlier_one_are_dropped_and_counted(market: Market) -> None:
    market.received(spot(), NOW_NS)
    assert len(market.received(option(), NOW_NS)) == 1
    assert market.received(option(), NOW_NS) == []
    assert market.received(option(last_price=1.0, time=NOW_S - 1), NOW_NS) == []
    market.received(spot(time=NOW_S + 1), NOW_NS)
    assert market.received(option(), NOW_NS) == [], "the clock has gone on, but the state is the same"
    assert market.discarded.repeated == 3


def test_a_new_connection_gets_every_state_again(market: Market) -> None:
    """Options wait for the spot again: it shows how late the market is after the gap."""
    market.received(spot(), NOW_NS)
    market.received(option(), NOW_NS)
    market.forget([SPOT, CALL])
    later = NOW_S + 3600
    assert market.received(option(), later * 10**9) == []
    assert len(market.received(spot(time=later), later * 10**9)) == 2


def test_a_new_connection_doubles_no_state_and_passes_none_of_the_old_one_on(market: Market) -> None:
    """Within one second the state that comes again is the one that was passed on."""
    market.received(spot(), NOW_NS)
    market.received(option(), NOW_NS)
    market.forget([SPOT, CALL, PUT])
    assert market.received(option(PUT, last_price=7.0), NOW_NS) == []
    market.forget([SPOT, CALL, PUT])
    assert market.received(spot(), NOW_NS) == []
    assert market.received(option(), NOW_NS) == []
    (quote,) = market.received(option(PUT), NOW_NS)
    assert isinstance(quote, Quote)
    assert quote.last == 118.2
    assert market.discarded.repeated == 2


def test_a_market_that_replaces_another_doubles_no_state(market: Market) -> None:
    """A list with more strikes makes a new market, and every connection begins again."""
    market.received(spot(), NOW_NS)
    market.received(option(), NOW_NS)
    call = Contract(CALL, "NIFTY", date(2025, 11, 25), 26000.0, True, 75, 0.05)
    following = Market({"NIFTY": (SPOT, [call])}, market)
    assert following.received(spot(), NOW_NS) == []
    assert following.received(option(), NOW_NS) == []
    assert len(following.received(option(last_price=2.0), NOW_NS)) == 1


def test_a_quote_that_stands_is_passed_on_again_every_30_s(market: Market) -> None:
    """Its order book is still valid, so it must not become stale. A quote that changed needs no repeat."""
    market.received(spot(), NOW_NS)
    market.received(option(), NOW_NS)
    market.received(option(PUT), NOW_NS)
    later = NOW_S + 30
    assert market.standing([CALL, PUT], NOW_NS) == []
    market.received(option(PUT, time=later), later * 10**9)
    (quote,) = market.standing([CALL, PUT], later * 10**9)
    assert isinstance(quote, Quote)
    assert (quote.contract.option_type, quote.ts) == ("CALL", later * 10**9)
    assert market.standing([CALL, PUT], later * 10**9) == []


def test_only_a_connection_that_delivers_says_that_its_quotes_stand(market: Market) -> None:
    """A connection that is silent for 5 s ends: its network may have failed without closing it."""
    ticker = Ticker(market, [CALL], "1 instrument")
    ticker.opened(NOW_NS)
    market.received(spot(), NOW_NS)
    market.received(option(), NOW_NS)
    later = NOW_NS + 30 * 10**9
    market.received(spot(time=NOW_S + 30), later)
    with pytest.raises(Dropped, match="no market data and no heartbeat") as error:
        ticker.waited(NOW_NS + 5 * 10**9)
    assert error.value.reason == "Silent"
    ticker.received(b"\0", later)
    assert len(ticker.waited(later + 4 * 10**9).ticks) == 1
    other = Ticker(market, [PUT], "1 instrument")
    other.received(b"\0", later + 30 * 10**9)
    market.received(spot(time=NOW_S + 60), later + 30 * 10**9)
    assert list(other.waited(later + 30 * 10**9).ticks) == []


def test_options_wait_while_the_connection_of_their_spot_does_not_deliver(market: Market) -> None:
    """Another connection delivers, so the market's clock goes on. An old spot is not served as new."""
    market.received(spot(), NOW_NS)
    market.received(option(), NOW_NS)
    market.standing([SPOT], NOW_NS)
    later, much_later = NOW_S + 30, NOW_S + 31
    assert len(market.received(option(last_price=2.0, time=later), later * 10**9)) == 1
    assert market.received(option(last_price=3.0, time=much_later), much_later * 10**9) == []
    assert market.standing([CALL, PUT], (NOW_S + 90) * 10**9) == []
    _, quote = market.received(spot(26020.0, time=much_later + 1), (much_later + 1) * 10**9)
    assert isinstance(quote, Quote)
    assert (quote.last, quote.spot) == (3.0, 26020.0)


def test_a_spot_that_does_not_change_stands_while_its_connection_delivers(market: Market) -> None:
    market.received(spot(), NOW_NS)
    later = NOW_S + 45
    market.received(option(time=later - 15), (later - 15) * 10**9)
    market.standing([SPOT], (later - 15) * 10**9)
    assert len(market.received(option(last_price=2.0, time=later), later * 10**9)) == 1


def test_the_newest_state_leaves_when_the_spot_comes_not_the_one_that_began_to_wait(market: Market) -> None:
    market.received(spot(), NOW_NS)
    late = NOW_S + 31
    assert market.received(option(last_price=2.0, time=late), late * 10**9) == []
    market.standing([SPOT], late * 10**9)
    assert len(market.received(option(last_price=3.0, time=late), late * 10**9)) == 1
    passed_on = market.received(spot(26020.0, time=late + 1), (late + 1) * 10**9)
    assert [one.last for one in passed_on if isinstance(one, Quote)] == [3.0]


def test_an_option_without_its_order_book_makes_no_quote(market: Market) -> None:
    """Until the mode is set Kite sends mode quote, which has neither bids nor open interest."""
    market.received(spot(), NOW_NS)
    assert market.received(Tick("quote", CALL, 118.2), NOW_NS) == []
    assert market.discarded.partial == 1


def test_an_instrument_that_nobody_subscribed_is_counted(market: Market) -> None:
    assert market.received(Tick("full", 1, 1.0, time=NOW_S), NOW_NS) == []
    assert market.discarded.unknown == 1


@pytest.mark.parametrize("price", [0.0, -1.0])
def test_a_price_that_is_not_positive_is_no_price(market: Market, price: float) -> None:
    assert market.received(spot(price), NOW_NS) == []
    market.received(spot(time=NOW_S + 1), NOW_NS)
    (quote,) = market.received(
        option(last_price=price, close=price, time=NOW_S + 1) if price else option(last_price=0.0), NOW_NS
    )
    assert isinstance(quote, Quote)
    assert quote.last == 0.0


def test_a_side_without_a_quote_has_zeros(market: Market) -> None:
    market.received(spot(), NOW_NS)
    empty = (Level(0.0, 0, 0),) * 5
    tick = Tick("full", CALL, 118.2, time=NOW_S, bids=empty, asks=(Level(-0.05, 75, 1),))
    (quote,) = market.received(tick, NOW_NS)
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (0.0, 0, 0.0, 0)


def test_a_connection_subscribes_its_instruments_and_hands_on_the_listing(market: Market) -> None:
    ticker = Ticker(market, market.tokens, "3 instruments", market.listings())
    opened = ticker.opened(NOW_NS)
    assert '"subscribe"' in opened.send[0]
    assert [len(one.contracts) for one in market.listings()] == [2]
    assert list(opened.ticks) == market.listings()
    assert ticker.ready is None
    ticker.received(b"\0", NOW_NS)
    assert ticker.ready is None
    ticker.received(message(pack(">I6iI", SPOT, *[2600000] * 6, NOW_S)), NOW_NS)
    assert ticker.ready == "3 instruments"


def test_a_connection_without_any_state_is_ready_with_a_heartbeat_after_5_s(market: Market) -> None:
    ticker = Ticker(market, market.tokens, "3 instruments")
    ticker.opened(NOW_NS)
    ticker.received(b"\0", NOW_NS + 4 * 10**9)
    assert ticker.ready is None
    ticker.received(b"\0", NOW_NS + 5 * 10**9)
    assert ticker.ready == "3 instruments; Kite sends no state of them"


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (NOW_S, "3 instruments"),
        (NOW_S - 3600, "of 2025-11-24 09:00 in India, so nothing is passed on: the session is over, or "),
        (0, "3 instruments; Kite sends no state of them"),
    ],
)
def test_a_connection_without_a_session_says_why_nothing_comes(market: Market, time: int, said: str) -> None:
    """Somebody who tries it in the evening must not look for a fault. The line goes with the next session."""
    ticker = Ticker(market, market.tokens, "3 instruments")
    ticker.opened(NOW_NS)
    if time:
        ticker.received(message(pack(">I6iI", SPOT, *[2600000] * 6, time)), NOW_NS)
    ticker.received(b"\0", NOW_NS + 5 * 10**9)
    ticker.waited(NOW_NS + 5 * 10**9)
    assert said in str(ticker.ready)
    ticker.received(message(pack(">I6iI", SPOT, *[2600000] * 6, NOW_S + 6)), NOW_NS + 6 * 10**9)
    assert ticker.ready == "3 instruments"


def test_an_error_before_the_first_data_ends_the_connection_and_later_it_is_only_logged(
    market: Market,
) -> None:
    ticker = Ticker(market, market.tokens, "3 instruments")
    ticker.opened(NOW_NS)
    error = b'{"type": "error", "data": "Subscription limit exceeded"}'
    with pytest.raises(Dropped, match="refuses the subscription: Subscription limit exceeded"):
        ticker.received(error, NOW_NS)
    ticker.received(message(pack(">I6iI", SPOT, *[2600000] * 6, NOW_S)), NOW_NS)
    assert ticker.received(error, NOW_NS).ticks == ()


def test_what_the_ticker_says_is_logged_once_and_not_without_end(market: Market) -> None:
    """A server that repeats itself, or never stops, must not fill the disk."""
    ticker = Ticker(market, market.tokens, "3 instruments")
    ticker.opened(NOW_NS)
    with logged_by(kite_ticker, "_log") as logs:
        for count in range(100):
            for _ in range(2):
                ticker.received(b'{"type": "message", "data": "news %d"}' % count, NOW_NS)
    assert [log["text"] for log in logs] == [f"news {count}" for count in range(20)]


@pytest.mark.parametrize(
    ("frame", "refusal"),
    [
        (
            message(pack(">I6iI", SPOT, *[2600000] * 6, NOW_S), bytes(200)),
            "of a length that is not documented",
        ),
        (message(pack(">Ii", 258, 100)), "instruments that were not subscribed"),
        (b"\0", ""),
    ],
)
def test_what_cannot_be_used_of_a_message_is_said_and_the_rest_is_used(
    market: Market, frame: bytes, refusal: str
) -> None:
    ticker = Ticker(market, market.tokens, "3 instruments")
    ticker.opened(NOW_NS)
    reaction = ticker.received(frame, NOW_NS)
    assert reaction.refusal.endswith(refusal)
    assert bool(reaction.refusal) == bool(refusal)
    assert len(reaction.ticks) == (len(frame) > 200)


def test_a_text_that_is_no_message_of_kite_is_refused(market: Market) -> None:
    with pytest.raises(BadFrame, match="not JSON with a type"):
        Ticker(market, market.tokens, "3 instruments").received(b"<html>", NOW_NS)
