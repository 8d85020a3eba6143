"""One connection to Kite's ticker, without I/O: subscribe its instruments and decode what comes."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from feed_generator.live.exchange import NOTHING, Dropped, Reaction
from feed_generator.live.kite import frames, texts
from feed_generator.live.kite.market import Market
from feed_generator.live.ticks import Listing, Tick

_log = structlog.get_logger("kite")

_FIRST_OF_TEXT = 0x20
"""A binary message starts with the number of its packets, far below 0x2000. A text starts with "{"."""

_QUIET_NS = 5_000_000_000
_DELIVERS_NS = 5_000_000_000  # Kite sends at least a heartbeat every second
_CONFIRM_EVERY_NS = 1_000_000_000


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
        self._ready = self._said_old = False
        self._opened_ns = self._received_ns = self._confirmed_ns = 0

    @property
    def ready(self) -> str | None:
        """What is subscribed, once this connection delivers."""
        return self._subscribed if self._ready else None

    def opened(self, now_ns: int) -> Reaction:
        """Subscribe every instrument with its order book."""
        self._ready, self._said_old, self._opened_ns = False, False, now_ns
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
        repeated, old = self._market.discarded.repeated, self._market.discarded.old
        found: list[Tick] = []
        for tick in decoded.ticks:
            found += self._market.received(tick, now_ns)
        if self._market.discarded.old > old and not self._said_old:
            self._said_old = True
            behind_s = now_ns // 10**9 - self._market.discarded.old_s
            _log.warning(
                "kite_states_are_old", behind_s=behind_s, hint="no session now, or a wrong clock here"
            )
        return Reaction(ticks=found, repeated=self._market.discarded.repeated - repeated)

    def waited(self, now_ns: int) -> Reaction:
        """Pass the standing quotes on again, once a second, while the connection delivers."""
        delivers = now_ns - self._received_ns < _DELIVERS_NS
        if not delivers or now_ns - self._confirmed_ns < _CONFIRM_EVERY_NS:
            return NOTHING
        self._confirmed_ns = now_ns
        return Reaction(ticks=self._market.standing(self._tokens, now_ns))

    def _said(self, notice: texts.Notice) -> Reaction:
        if notice.kind == "error" and not self._ready:
            raise Dropped("SubscriptionRefused", f"Kite's ticker refuses the subscription: {notice.text}")
        if notice.kind in ("error", "message", "unreadable"):
            _log.warning("kite_says", kind=notice.kind, text=notice.text)
        return NOTHING
