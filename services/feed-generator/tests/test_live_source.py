"""From ticks to messages: the inbox, the chains of the newest quotes, and the publisher's grid."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import UNSET

from feed_generator.live.inbox import Inbox
from feed_generator.live.source import POLL_NS, LiveSource
from feed_generator.live.ticks import Contract, Listing, Quote, Spot, Tick

MS = 1_000_000
NOW_NS = 1_795_600_000 * 10**9
EXPIRY_NS = NOW_NS + 86_400 * 10**9


def contract(strike: float = 100, *, call: bool = True, expiry_ts: int = EXPIRY_NS, **more: Any) -> Contract:
    return Contract(
        product="BTC",
        symbol=f"BTC20261124{'C' if call else 'P'}{strike:g}" + ("" if expiry_ts == EXPIRY_NS else "x"),
        expiry="2026-11-24",
        expiry_ts=expiry_ts,
        strike=strike,
        option_type="CALL" if call else "PUT",
        exercise="European",
        lot_size=1,
        oi_unit="shares",
        **more,
    )


def quote(of: Contract, ms: int = 0, **more: Any) -> Quote:
    values = {
        "bid": 1,
        "ask": 2,
        "last": 0,
        "bid_size": 0.5,
        "ask_size": 0.5,
        "volume": 3,
        "open_interest": 7,
    }
    return Quote(contract=of, ts=NOW_NS + ms * MS, spot=100, **{**values, **more})


class Market:
    """A source with an interval of two polls, and the messages of each poll."""

    def __init__(self, limit: int = 1000) -> None:
        self.inbox = Inbox(limit)
        self.source = LiveSource("mine", self.inbox.take, chain_interval_millis=40)

    def poll(self, *ticks: Tick) -> list[dict[str, Any]]:
        self.inbox.put(ticks)
        return [json.loads(message.body) for message in self.source.advance().messages]

    def chains(self, *ticks: Tick) -> list[dict[str, Any]]:
        """Poll until the interval is over, and return its chains."""
        messages = self.poll(*ticks) + (self.poll() if self.source._polls % 2 else [])
        return [message for message in messages if message["kind"] == "option_chain"]


def kinds(messages: Sequence[dict[str, Any]]) -> list[str]:
    return [message["kind"] for message in messages]


def test_each_tick_is_a_message_and_each_interval_has_a_chain() -> None:
    """The publisher looks every 20 ms; the interval is a multiple of that."""
    market, one = Market(), contract()
    first = market.poll(Listing("BTC", [one]), quote(one), Spot("BTC", NOW_NS, 100.5))
    assert kinds(first) == ["option_quote", "underlying"]
    assert kinds(market.poll(quote(one, 1))) == ["option_quote", "option_chain"]
    assert market.source.due_ns() == 2 * POLL_NS
    assert market.poll() + market.poll() == []


def test_a_chain_has_the_time_of_its_newest_quote_and_the_age_of_the_others() -> None:
    """A contract without a quote has zeros, and null where the exchange would speak."""
    market, call, put, far = Market(), contract(), contract(call=False), contract(110)
    listing = Listing("BTC", [call, put, far])
    (chain,) = market.chains(listing, quote(call, 250), quote(put))
    assert (chain["ts"], chain["strikes"]) == (NOW_NS + 250 * MS, [100, 110])
    assert chain["calls"]["quote_age_ms"] == [0, None]
    assert chain["puts"]["quote_age_ms"] == [250, None]
    assert chain["calls"]["bid"] == [1, 0]
    assert chain["puts"]["vendor_iv"] == [None, None]


def test_an_unknown_open_interest_of_the_day_before_is_null() -> None:
    """0 would show the whole open interest as new, and the present one that nothing has changed."""
    market, one, two = Market(), contract(), contract(110)
    (chain,) = market.chains(Listing("BTC", [one, two]), quote(one), quote(two, previous_open_interest=5))
    assert chain["calls"]["previous_open_interest"] == [None, 5]
    assert chain["puts"]["previous_open_interest"] == [None, None]


def test_only_an_expiry_with_a_new_quote_gets_a_chain() -> None:
    """A silent exchange makes no chains that look fresh."""
    market, near, later = Market(), contract(), contract(expiry_ts=2 * EXPIRY_NS)
    assert len(market.chains(Listing("BTC", [near, later]), quote(near), quote(later))) == 2
    (chain,) = market.chains(quote(later, 1))
    assert chain["expiry_ts"] == 2 * EXPIRY_NS
    assert market.chains() == []


def test_contracts_with_another_settlement_are_a_chain_of_their_own() -> None:
    """A chain is identified by product, instant of expiry and settlement."""
    market = Market()
    close, morning = contract(), contract(110, settlement_session="open")
    chains = market.chains(Listing("BTC", [close, morning]), quote(close), quote(morning))
    assert [(one["strikes"], one.get("settlement_session")) for one in chains] == [
        ([100], None),
        ([110], "open"),
    ]
    assert close.settlement_session is UNSET


def test_a_new_listing_removes_what_it_does_not_name() -> None:
    """A quote of such a contract that is still on its way is dropped."""
    market, one, two = Market(), contract(), contract(110)
    market.chains(Listing("BTC", [one, two]), quote(one), quote(two))
    (chain,) = market.chains(Listing("BTC", [two]), quote(two, 1))
    assert chain["strikes"] == [110]
    assert market.poll(Listing("BTC", []), quote(one, 2)) == []


def test_a_quote_belongs_to_the_listing_before_it() -> None:
    """A new listing does not overtake quotes: those of the old one are messages, later ones are dropped."""
    market, one, two = Market(), contract(), contract(110)
    messages = market.poll(
        Listing("BTC", [one, two]),
        quote(one),
        quote(two),
        Listing("BTC", [two]),
        quote(one, 1),
        quote(two, 1),
    )
    assert [(message["strike"], message["ts"] - NOW_NS) for message in messages] == [
        (100, 0),
        (110, 0),
        (110, MS),
    ]
    (chain,) = market.chains(Listing("BTC", [one, two]), quote(two, 2))
    assert chain["calls"]["bid"] == [0, 1]


def test_an_older_quote_does_not_replace_a_newer_one() -> None:
    """Two connections may deliver in any order."""
    market, one = Market(), contract()
    messages = market.poll(Listing("BTC", [one]), quote(one, 5, bid=1.5), quote(one, 4, bid=9))
    assert [message["bid"] for message in messages] == [1.5]


@pytest.mark.parametrize("count", [10, 25])
def test_the_inbox_is_bounded_and_never_loses_a_listing(count: int) -> None:
    """While Redis takes nothing the oldest ticks are lost, and counted."""
    market, one = Market(limit=10), contract()
    market.inbox.put([Listing("BTC", [one])])
    market.inbox.put([quote(one, ms) for ms in range(count)])
    messages = market.poll()
    assert len(messages) == 10
    assert market.inbox.lost == count - 10
    assert market.inbox.take() == []
    assert messages[-1]["ts"] == NOW_NS + (count - 1) * MS
