"""One connection to Kite's ticker, without I/O: subscribe its instruments and decode what comes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from feed_generator.live.exchange import NOTHING, BadFrame, Dropped, Reaction
from feed_generator.live.kite import frames, texts
from feed_generator.live.kite.market import Market
from feed_generator.live.kite.schedule import ZONE
from feed_generator.live.ticks import Listing, Tick

_log = structlog.get_logger("kite")

_FIRST_OF_TEXT = 0x20
"""A binary message starts with the number of its packets, far below 0x2000. A text starts with "{"."""

_QUIET_NS = 5_000_000_000
_SILENCE_NS = 5_000_000_000
"""Kite sends at least a heartbeat every two seconds. Its own clients also give a connection up after 5 s."""
_CONFIRM_EVERY_NS = 1_000_000_000
_LOGGED_TEXTS = 20


class Ticker:
    """An `Exchange`: the instruments `tokens` of one connection, of a `market` that connections share.

    The ticker does not confirm a subscription. It sends each instrument's state after it, so the connection
    is ready with the first order book, or with a heartbeat 5 s later, should nothing have a state.
    `subscribed` says in one line what is subscribed. The first connection hands on the market's `listings`.
    """

    def __init__(
        self, market: Market, tokens: Sequence[int], subscribed: str, listings: Sequence[Listing] = ()
    ) -> None:
        self._market, self._tokens, self._subscribed = market, frozenset(tokens), subscribed
        self._requests = texts.subscribe(tokens, "full")
        self._listings = listings
        self._ready, self._open = False, True
        self._opened_ns = self._received_ns = self._confirmed_ns = 0
        self._logged: set[str] = set()

    @property
    def ready(self) -> str | None:
        """What is subscribed, once this connection delivers. While nothing is passed on, also the reason."""
        if not self._ready:
            return None
        return self._subscribed if self._open else f"{self._subscribed}; {self._closed()}"

    def opened(self, now_ns: int) -> Reaction:
        """Subscribe every instrument with its order book."""
        self._ready = False
        self._opened_ns = self._received_ns = now_ns
        self._market.forget(self._tokens)
        return Reaction(send=self._requests, ticks=self._listings)

    def received(self, frame: bytes, now_ns: int) -> Reaction:
        """Decode one message. Raises BadFrame, and Dropped if it refuses the subscription."""
        if frame and frame[0] >= _FIRST_OF_TEXT:
            return self._said(texts.decode(frame))
        decoded = frames.decode(frame)
        self._received_ns = now_ns
        if now_ns - self._opened_ns >= _QUIET_NS or any(tick.mode == "full" for tick in decoded.ticks):
            self._ready = True
        discarded = self._market.discarded
        repeated, unknown = discarded.repeated, discarded.unknown
        found: list[Tick] = []
        for tick in decoded.ticks:
            found += self._market.received(tick, now_ns)
        self._open = self._market.is_open(now_ns)
        refusal = "Kite's ticker sends packets of a length that is not documented" if decoded.unknown else ""
        if discarded.unknown > unknown:
            refusal = "Kite's ticker sends instruments that were not subscribed"
        return Reaction(ticks=found, repeated=discarded.repeated - repeated, refusal=refusal)

    def waited(self, now_ns: int) -> Reaction:
        """Pass the standing quotes on again, once a second. Raises Dropped if the connection is silent."""
        if now_ns - self._received_ns >= _SILENCE_NS:
            raise Dropped("Silent", "no market data and no heartbeat from Kite's ticker for 5 s")
        if now_ns - self._confirmed_ns < _CONFIRM_EVERY_NS:
            return NOTHING
        self._confirmed_ns, self._open = now_ns, self._market.is_open(now_ns)
        return Reaction(ticks=self._market.standing(self._tokens, now_ns))

    def _closed(self) -> str:
        newest_s = self._market.clock_ns // 10**9
        if not newest_s:
            return "Kite sends no state of them"
        at = datetime.fromtimestamp(newest_s, ZONE)
        return (
            f"their newest state is of {at:%Y-%m-%d %H:%M} in India, so nothing is passed on: the session is "
            "over, or this machine's clock is wrong"
        )

    def _said(self, notice: texts.Notice) -> Reaction:
        if notice.kind == "error" and not self._ready:
            raise Dropped("SubscriptionRefused", f"Kite's ticker refuses the subscription: {notice.text}")
        if notice.kind == "unreadable":
            raise BadFrame("a text message of Kite's ticker is not JSON with a type")
        if notice.text and notice.text not in self._logged and len(self._logged) < _LOGGED_TEXTS:
            self._logged.add(notice.text)
            _log.warning("kite_says", kind=notice.kind, text=notice.text)
        return NOTHING
