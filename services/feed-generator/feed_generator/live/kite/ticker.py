"""One connection to Kite's ticker, without I/O: subscribe its instruments and decode what comes."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from feed_generator.live import exchange
from feed_generator.live.exchange import NOTHING, Frame, Reaction
from feed_generator.live.kite import frames, texts
from feed_generator.live.kite.errors import BadFrame
from feed_generator.live.kite.market import Market
from feed_generator.live.ticks import Listing, Tick

_log = structlog.get_logger("kite")

_FIRST_OF_TEXT = 0x20
"""A binary message starts with the number of its packets, far below 0x2000. A text starts with "{"."""


class Ticker:
    """An `Exchange`: the instruments `tokens` of one connection. The ticker does not confirm a subscription,
    so the connection counts as ready with the first binary message after it. `listings` are handed on with
    that message.
    """

    def __init__(self, market: Market, tokens: Sequence[int], listings: Sequence[Listing] = ()) -> None:
        self._market, self._tokens = market, tokens
        self._listings: list[Tick] = list(listings)
        self._ready = False

    @property
    def ready(self) -> bool:
        """True after the first binary message of this connection."""
        return self._ready

    def opened(self, now_ns: int) -> Sequence[Frame]:
        """Return the requests that subscribe every instrument with its order book."""
        self._ready = False
        self._market.forget(self._tokens)
        return texts.subscribe(self._tokens, "full")

    def received(self, frame: bytes, now_ns: int) -> Reaction:
        """Decode one message. Raises Dropped if it is damaged or refuses the subscription."""
        if frame and frame[0] >= _FIRST_OF_TEXT:
            return self._said(texts.decode(frame))
        try:
            decoded = frames.decode(frame)
        except BadFrame as bad:
            raise exchange.Dropped("BadFrame", f"Kite's ticker sent a damaged message: {bad}") from None
        self._ready = True
        found, self._listings = self._listings, []
        for tick in decoded.ticks:
            found += self._market.received(tick, now_ns)
        return Reaction(ticks=found)

    def waited(self, now_ns: int) -> Sequence[Frame]:
        """Return nothing: the ticker needs no request but the subscription."""
        return ()

    def _said(self, notice: texts.Notice) -> Reaction:
        if notice.kind == "error" and not self._ready:
            raise exchange.Dropped("SubscriptionRefused", f"Kite's ticker refuses: {notice.text}")
        if notice.kind in ("error", "message", "unreadable"):
            _log.warning("kite_says", kind=notice.kind, text=notice.text)
        return NOTHING
