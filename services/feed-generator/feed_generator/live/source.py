"""The `Source` of a live market: it turns the ticks of its sessions into messages for the publisher.

It takes the ticks from the inbox every 20 ms, so one round trip to Redis carries many quotes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from feed_generator.live.chains import Chains
from feed_generator.live.ticks import Listing, Quote, Spot, Tick
from feed_generator.messages import Message, OptionQuote, Underlying, option_quote, underlying
from feed_generator.sources.base import Batch

POLL_NS = 20_000_000


class LiveSource:
    """A `Source`. `take` removes and returns the ticks that have come.

    `chain_interval_millis`: time between two chains of an expiry, at most one in 20 ms.
    """

    def __init__(self, feed: str, take: Callable[[], Sequence[Tick]], *, chain_interval_millis: int) -> None:
        self._feed, self._take, self._chains = feed, take, Chains(feed)
        self._polls_a_chain = max(1, round(chain_interval_millis * 1_000_000 / POLL_NS))
        self._polls = 0

    def due_ns(self) -> int | None:
        """Return the offset of the next look into the inbox."""
        return self._polls * POLL_NS

    def advance(self) -> Batch:
        """Return a message for each tick and, once an interval, the chains that changed."""
        self._polls += 1
        messages = [message for tick in self._take() if (message := self._message(tick))]
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
