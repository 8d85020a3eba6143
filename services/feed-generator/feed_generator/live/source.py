"""The `Source` of a live market: it turns the ticks of its sessions into messages for the publisher.

The sessions run in another thread and fill the inbox. The publisher's thread empties it every 20 ms, so one
round trip to Redis carries many quotes. The inbox is bounded: while the publisher waits for a full Redis, the
oldest ticks are lost and counted, because a newer quote of a contract replaces an older one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from threading import Lock

from feed_generator.live.chains import Chains
from feed_generator.live.ticks import Listing, Quote, Spot, Tick
from feed_generator.messages import Message, OptionQuote, Underlying, option_quote, underlying
from feed_generator.sources.base import Batch

POLL_NS = 20_000_000
INBOX_TICKS = 50_000


class Inbox:
    """Ticks on their way from the sessions' thread to the publisher's, in their order."""

    def __init__(self, limit: int = INBOX_TICKS) -> None:
        self._limit, self._lock = limit, Lock()
        self._listings: dict[str, Listing] = {}  # by product: beyond the limit, and older than all ticks
        self._ticks: deque[Tick] = deque()
        self.lost = 0

    def put(self, ticks: Sequence[Tick]) -> None:
        """Add ticks. Beyond the limit the oldest are lost, but never a product's last listing."""
        with self._lock:
            self._ticks.extend(ticks)
            while len(self._ticks) > self._limit:
                oldest = self._ticks.popleft()
                if isinstance(oldest, Listing):
                    self._listings[oldest.product] = oldest
                else:
                    self.lost += 1

    def take(self) -> Sequence[Tick]:
        """Remove and return what is there now."""
        with self._lock:
            taken = [*self._listings.values(), *self._ticks]
            self._listings.clear()
            self._ticks.clear()
        return taken


class LiveSource:
    """A `Source`. `chain_interval_millis`: time between two chains of an expiry, at most one in 20 ms."""

    def __init__(self, feed: str, inbox: Inbox, *, chain_interval_millis: int) -> None:
        self._feed, self._inbox, self._chains = feed, inbox, Chains(feed)
        self._polls_a_chain = max(1, round(chain_interval_millis * 1_000_000 / POLL_NS))
        self._polls = 0

    def due_ns(self) -> int | None:
        """Return the offset of the next look into the inbox."""
        return self._polls * POLL_NS

    def advance(self) -> Batch:
        """Return a message for each tick and, once an interval, the chains that changed."""
        self._polls += 1
        messages = [message for tick in self._inbox.take() if (message := self._message(tick))]
        if self._polls % self._polls_a_chain == 0:
            messages.extend(self._chains.changed())
        return Batch(tuple(messages))

    def skip(self, gap_ns: int) -> None:
        """Do nothing: the exchange sets the event times."""
        del gap_ns

    def _message(self, tick: Tick) -> Message | None:
        if isinstance(tick, Quote):
            return _quote(self._feed, tick) if self._chains.quote(tick) else None
        if isinstance(tick, Listing):
            self._chains.list(tick)
            return None
        return _spot(self._feed, tick)


def _spot(feed: str, spot: Spot) -> Message:
    return underlying(Underlying(feed=feed, product=spot.product, ts=spot.ts, price=spot.price, truth=None))


def _quote(feed: str, quote: Quote) -> Message:
    contract = quote.contract
    return option_quote(
        OptionQuote(
            feed=feed,
            product=contract.product,
            ts=quote.ts,
            symbol=contract.symbol,
            expiry=contract.expiry,
            expiry_ts=contract.expiry_ts,
            exercise=contract.exercise,
            strike=contract.strike,
            option_type=contract.option_type,
            spot_price=quote.spot,
            lot_size=contract.lot_size,
            oi_unit=contract.oi_unit,
            bid=quote.bid,
            ask=quote.ask,
            last=quote.last,
            bid_size=quote.bid_size,
            ask_size=quote.ask_size,
            volume=quote.volume,
            open_interest=quote.open_interest,
            truth=None,
            price_unit=contract.price_unit,
            settlement_currency=contract.settlement_currency,
            settlement_session=contract.settlement_session,
            multiplier=contract.multiplier,
            vendor=quote.vendor,
        )
    )
