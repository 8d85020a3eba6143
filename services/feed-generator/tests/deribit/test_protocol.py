"""Deribit's protocol without a network: what it sends after which frame, at which time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.fake_deribit.market import DAY_MS, Market

from feed_generator.live.deribit.exchange import Deribit
from feed_generator.live.deribit.selection import select
from feed_generator.live.deribit.subscriptions import CHANNELS_A_PIECE, Subscriptions
from feed_generator.live.exchange import BadFrame, Dropped, Reaction
from feed_generator.live.ticks import Contract, Listing, Quote, Spot

MS = 1_000_000
NOW_MS = 1_795_600_000_000
SECOND_NS = 10**9


class Talk:
    """A protocol and the answers of an exchange, on a clock that only `pass_s` moves."""

    def __init__(self, *, expiries: int = 1, strikes_per_side: int = 1) -> None:
        self.market = Market(NOW_MS, strikes=3)
        self.now_ns = NOW_MS * MS
        self.protocol = Deribit(("BTC",), ("BTC",), expiries=expiries, strikes_per_side=strikes_per_side)
        self.asked: list[dict[str, Any]] = []
        self.ticks: list[object] = []

    def take(self, reaction: Reaction) -> Reaction:
        """Keep what the protocol sends and makes."""
        self.asked += [json.loads(frame) for frame in reaction.send]
        self.ticks += reaction.ticks
        return reaction

    def say(self, **frame: Any) -> Reaction:
        """Give the protocol a frame."""
        return self.take(
            self.protocol.received(json.dumps({"jsonrpc": "2.0", **frame}).encode(), self.now_ns)
        )

    def notify(self, channel: str, data: dict[str, Any]) -> Reaction:
        return self.say(method="subscription", params={"channel": channel, "data": data})

    def answer_all(self) -> None:
        """Answer every request that has no answer yet, as the exchange would."""
        while self.asked:
            request = self.asked.pop(0)
            method, params = request["method"], request["params"]
            result: object = "ok"
            if method == "public/get_instruments":
                result = self.market.instruments(params["currency"])
            elif method.endswith("subscribe"):
                result = params["channels"]
            self.say(id=request["id"], result=result)
            for channel in params.get("channels", ()) if method == "public/subscribe" else ():
                if channel.startswith("deribit_price_index"):
                    self.notify(channel, self.market.index("btc_usd", self.now_ns // MS))

    def pass_s(self, seconds: float) -> None:
        self.now_ns += int(seconds * SECOND_NS)
        self.take(self.protocol.waited(self.now_ns))


@pytest.fixture
def talk() -> Talk:
    """A protocol that is connected and subscribed."""
    made = Talk()
    made.take(made.protocol.opened(made.now_ns))
    made.answer_all()
    assert made.protocol.ready == "4 contracts of BTC"
    return made


def _listings(talk: Talk) -> list[Listing]:
    return [tick for tick in talk.ticks if isinstance(tick, Listing)]


def test_a_connection_begins_with_heartbeat_and_instruments() -> None:
    """The heartbeat comes first, so that a dead connection is seen from the start."""
    talk = Talk()
    talk.take(talk.protocol.opened(talk.now_ns))
    assert [request["method"] for request in talk.asked] == ["public/set_heartbeat", "public/get_instruments"]
    assert talk.asked[1]["params"] == {"currency": "BTC", "kind": "option", "expired": False}
    assert talk.protocol.ready is None


def test_a_connection_soon_after_the_last_one_uses_its_list(talk: Talk) -> None:
    """The exchange allows one list a second. The strikes of the last connection stay, too."""
    talk.market.spots["BTC"] = 60_001.0
    talk.take(talk.protocol.opened(talk.now_ns))
    assert [request["method"] for request in talk.asked] == ["public/set_heartbeat", "public/subscribe"]
    assert talk.protocol.ready is None
    talk.answer_all()
    assert talk.protocol.ready == "6 contracts of BTC"
    assert {one.strike for one in _listings(talk)[-1].contracts} == {59_000, 60_000, 61_000}


def test_a_connection_asks_again_for_a_list_that_did_not_come_or_is_old() -> None:
    """A list is used for five minutes."""
    talk = Talk()
    for pass_s in (0, 1, 301):
        talk.now_ns += pass_s * SECOND_NS
        talk.asked.clear()
        talk.take(talk.protocol.opened(talk.now_ns))
        assert talk.asked[1]["method"] == "public/get_instruments"
        if pass_s:
            talk.answer_all()
            assert talk.protocol.ready


def test_the_listing_comes_before_the_first_tick(talk: Talk) -> None:
    """The source knows a chain's contracts before a quote of them."""
    assert [type(tick) for tick in talk.ticks] == [Listing, Spot]
    assert {one.strike for one in _listings(talk)[0].contracts} == {59_000, 60_000}


def test_a_strike_that_is_listed_later_is_subscribed_within_five_minutes(talk: Talk) -> None:
    """The instruments are asked for again, and the new selection replaces the listing."""
    expiry_ms = min(option.expiry_ms for option in talk.market.options.values())
    talk.market.list_option("BTC", expiry_ms, 60_500, True, NOW_MS)
    talk.market.list_option("BTC", expiry_ms, 59_500, True, NOW_MS)
    talk.pass_s(301)
    talk.answer_all()
    talk.pass_s(6)
    assert {59_500, 60_500} & {one.strike for one in _listings(talk)[-1].contracts}
    assert "public/subscribe" in [request["method"] for request in talk.asked]


def test_an_expired_contract_leaves_and_the_next_expiry_takes_its_place(talk: Talk) -> None:
    """Eight o'clock passes: the chain of the day ends."""
    first = {one.expiry_ts for one in _listings(talk)[0].contracts}
    talk.pass_s(3 * DAY_MS / 1000)
    talk.answer_all()
    talk.pass_s(6)
    second = {one.expiry_ts for one in _listings(talk)[-1].contracts}
    assert max(first) < min(second)


def test_a_ticker_is_taken_once_and_never_out_of_order(talk: Talk) -> None:
    """Equal and older timestamps are repeats, also after a reconnect."""
    name = next(one for one in talk.market.options if one.endswith("-60000-C"))
    for ms, taken in ((5, 1), (5, 0), (4, 0), (6, 1)):
        reaction = talk.notify(f"ticker.{name}.100ms", talk.market.ticker(name, NOW_MS + ms))
        assert (len(reaction.ticks), reaction.repeated) == (taken, 1 - taken)
    talk.take(talk.protocol.opened(talk.now_ns))
    talk.answer_all()
    reaction = talk.notify(f"ticker.{name}.100ms", talk.market.ticker(name, NOW_MS + 6))
    assert reaction.repeated == 1


def test_a_price_of_an_index_is_taken_once(talk: Talk) -> None:
    """After a reconnect the exchange sends the last price again; the strikes are selected around it."""
    name = "deribit_price_index.btc_usd"
    for ms, taken in ((5, 1), (5, 0), (4, 0), (6, 1)):
        reaction = talk.notify(name, talk.market.index("btc_usd", NOW_MS + ms))
        assert (len(reaction.ticks), reaction.repeated) == (taken, 1 - taken)
    talk.take(talk.protocol.opened(talk.now_ns))
    reaction = talk.notify(name, talk.market.index("btc_usd", NOW_MS + 6))
    assert ([type(tick) for tick in reaction.ticks], reaction.repeated) == ([Listing], 1)


def test_a_ticker_of_an_instrument_that_was_not_asked_for_is_ignored(talk: Talk) -> None:
    """It may come before the exchange has read an unsubscribe request."""
    data = {**talk.market.ticker(next(iter(talk.market.options)), NOW_MS), "instrument_name": "BTC-X"}
    assert talk.notify("ticker.BTC-X.100ms", data) == Reaction()


def test_a_test_request_is_answered_at_once(talk: Talk) -> None:
    """Otherwise the exchange ends the connection."""
    reaction = talk.say(method="heartbeat", params={"type": "test_request"})
    assert [json.loads(frame)["method"] for frame in reaction.send] == ["public/test"]
    assert talk.say(method="heartbeat", params={"type": "heartbeat"}).send == ()


def test_a_request_without_an_answer_ends_the_connection(talk: Talk) -> None:
    """Ten seconds are enough for any answer."""
    talk.pass_s(301)
    with pytest.raises(Dropped, match="did not answer a request within 10 s"):
        talk.pass_s(11)


def test_an_index_without_a_price_ends_the_connection() -> None:
    """Without a spot no strike can be selected, and the source would wait for ever."""
    talk = Talk()
    talk.take(talk.protocol.opened(talk.now_ns))
    talk.say(id=talk.asked[1]["id"], result=talk.market.instruments("BTC"))
    talk.say(id=talk.asked[2]["id"], result=[])
    talk.pass_s(9)
    with pytest.raises(Dropped, match="gave no price of btc_usd within 10 s"):
        talk.pass_s(2)


def test_a_new_connection_has_its_own_time_for_a_price(talk: Talk) -> None:
    """An hour after the first one, too."""
    talk.pass_s(200)
    talk.take(talk.protocol.opened(talk.now_ns))
    talk.pass_s(1)
    talk.answer_all()
    assert talk.protocol.ready == "4 contracts of BTC"


@pytest.mark.parametrize(
    ("code", "said", "reason"),
    [
        (10028, "too_many_requests", "RateLimited"),
        (10066, "too_many_concurrent_requests", "RateLimited"),
        (11051, "system_maintenance", "Unavailable"),
        (13888, "timed_out", "Unavailable"),
        (-32600, "request entity too large", "BadAnswer"),
    ],
)
@pytest.mark.parametrize("number", [{"id": 99}, {}])
def test_an_error_ends_the_connection_with_the_exchanges_words(
    talk: Talk, number: dict[str, int], code: int, said: str, reason: str
) -> None:
    """At once, also if its answer has no id, as for a request that the exchange cannot read."""
    with pytest.raises(Dropped, match=rf"the exchange answered {said} \({code}\)") as caught:
        talk.say(**number, error={"code": code, "message": said})
    assert caught.value.reason == reason


def test_subscriptions_go_out_in_pieces_and_within_the_burst() -> None:
    """1,000 channels are ten requests: eight at once, the others three a second."""
    subscriptions = Subscriptions()
    subscriptions.want(f"ticker.{number}" for number in range(1000))
    pieces = []
    while piece := subscriptions.next(SECOND_NS * 1000):
        pieces.append(piece)
    assert [len(piece.channels) for piece in pieces] == [CHANNELS_A_PIECE] * 8
    assert subscriptions.next(SECOND_NS * 1000 + SECOND_NS // 10) is None
    pieces += [subscriptions.next(SECOND_NS * (1001 + number)) for number in range(2)]
    assert not subscriptions.complete
    for piece in pieces:
        assert piece is not None
        subscriptions.answered(piece, piece.channels)
    assert subscriptions.complete


def test_a_new_connection_does_not_bring_new_credits() -> None:
    """The exchange counts by address, so a burst is not repeated after each drop."""
    subscriptions = Subscriptions()
    for _ in range(2):
        subscriptions.reset()
        subscriptions.want(f"ticker.{number}" for number in range(800))
        while subscriptions.next(SECOND_NS * 1000):
            pass
        assert subscriptions.next(SECOND_NS * 1000) is None
    subscriptions.reset()
    subscriptions.want(["ticker.A"])
    assert subscriptions.next(SECOND_NS * 1000) is None
    assert subscriptions.next(SECOND_NS * 1001) is not None


def test_a_channel_that_is_not_wanted_any_more_is_unsubscribed() -> None:
    """Otherwise a spot that moves for days would leave more and more subscriptions."""
    subscriptions = Subscriptions()
    subscriptions.want(["ticker.A", "ticker.B"])
    piece = subscriptions.next(SECOND_NS * 1000)
    assert piece is not None
    subscriptions.answered(piece, piece.channels)
    subscriptions.want(["ticker.B"])
    assert subscriptions.next(SECOND_NS * 1001) == ("public/unsubscribe", ("ticker.A",))
    assert subscriptions.next(SECOND_NS * 1002) is None
    assert subscriptions.complete


def test_a_channel_that_the_exchange_does_not_have_is_not_asked_for_again() -> None:
    """A delisted instrument keeps nothing from being ready."""
    subscriptions = Subscriptions()
    subscriptions.want(["ticker.A", "ticker.B"])
    piece = subscriptions.next(SECOND_NS * 1000)
    assert piece is not None
    subscriptions.answered(piece, ["ticker.A"])
    assert subscriptions.complete
    subscriptions.want(["ticker.A", "ticker.B"])
    assert subscriptions.next(SECOND_NS * 2000) is None


def test_a_spot_between_two_strikes_does_not_change_the_selection_at_every_move() -> None:
    """A subscribed strike stays until it is two strikes too far away."""

    def contract(strike: float) -> Contract:
        return Contract("BTC", f"BTC{strike:g}", "2026-12-25", 2, strike, "CALL", "European", 1, "shares")

    listed = [contract(strike) for strike in range(10, 100, 10)]

    def selected(spot: float, kept: list[Contract]) -> list[Contract]:
        symbols = [one.symbol for one in kept]
        return select(listed, spot=spot, now_ns=1, expiries=1, strikes_per_side=2, kept=symbols)

    first = selected(49, [])
    assert [one.strike for one in first] == [30, 40, 50, 60]
    second = selected(51, first)
    assert [one.strike for one in second] == [30, 40, 50, 60, 70]
    assert selected(49, second) == second
    assert [one.strike for one in selected(85, second)] == [50, 60, 70, 80, 90]


def test_a_quote_names_its_contract(talk: Talk) -> None:
    """Its prices are in USD: the coin's price times the underlying of its expiry."""
    name = next(one for one in talk.market.options if one.endswith("-60000-P"))
    data = talk.market.ticker(name, NOW_MS + 1)
    (quote,) = talk.notify(f"ticker.{name}.100ms", data).ticks
    assert isinstance(quote, Quote)
    assert quote.ask == data["best_ask_price"] * data["underlying_price"]
    assert quote.contract.symbol.endswith("P60000")


@pytest.mark.parametrize("ahead_ms", [300_000, -300_000, 10**15])
def test_a_tick_whose_time_is_far_from_ours_is_dropped_and_the_next_one_counts(ahead_ms: int) -> None:
    """One far ahead would make every later tick of its contract look repeated."""
    talk = Talk()
    talk.take(talk.protocol.opened(talk.now_ns))
    talk.answer_all()
    name = next(iter(talk.protocol._contracts))
    for channel, data in (
        (f"ticker.{name}.100ms", talk.market.ticker(name, NOW_MS + ahead_ms)),
        ("deribit_price_index.btc_usd", talk.market.index("btc_usd", NOW_MS + ahead_ms)),
    ):
        with pytest.raises(BadFrame, match="is more than 240 s from ours"):
            talk.notify(channel, data)
    assert len(talk.notify(f"ticker.{name}.100ms", talk.market.ticker(name, NOW_MS + 1)).ticks) == 1


@pytest.mark.parametrize("method", ["public/get_instruments", "public/subscribe"])
@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"result": None}, "cannot be read"),
        ({"error": {"code": 11094, "message": "internal_server_error"}}, "internal_server_error"),
    ],
)
def test_an_answer_that_cannot_be_used_ends_only_the_connection(
    method: str, answer: dict[str, Any], problem: str
) -> None:
    """The session connects again. Only an unknown currency means that there are no instruments."""
    talk = Talk()
    talk.take(talk.protocol.opened(talk.now_ns))
    if method == "public/subscribe":
        listing = next(one for one in talk.asked if one["method"] == "public/get_instruments")
        talk.say(id=listing["id"], result=talk.market.instruments("BTC"))
    request = next(one for one in talk.asked if one["method"] == method)
    with pytest.raises(Dropped, match=problem):
        talk.say(id=request["id"], **answer)
