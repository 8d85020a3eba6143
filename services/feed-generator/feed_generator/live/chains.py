"""The newest quote of every listed contract, and the chains that they make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import UNSET

from feed_generator.live.ticks import Contract, Listing, Quote
from feed_generator.messages import Legs, Message, OptionChain, Vendor, option_chain

_NS_PER_MS = 1_000_000
_Key = tuple[str, int, str]  # product, instant of expiry, session that settles


class Chains:
    """The listed contracts by chain. A chain is identified by product, instant of expiry and settlement."""

    def __init__(self, feed: str) -> None:
        self._feed = feed
        self._listed: dict[_Key, dict[str, Contract]] = {}  # by symbol
        self._quotes: dict[str, Quote] = {}
        self._changed: set[_Key] = set()

    def list(self, listing: Listing) -> None:
        """Replace a product's contracts. Contracts that are no longer listed leave their chains."""
        kept = {contract.symbol for contract in listing.contracts}
        for key in [key for key in self._listed if key[0] == listing.product]:
            for symbol in self._listed.pop(key).keys() - kept:
                self._quotes.pop(symbol, None)
        for contract in listing.contracts:
            self._listed.setdefault(_key(contract), {})[contract.symbol] = contract
        self._changed &= self._listed.keys()

    def quote(self, quote: Quote) -> bool:
        """Take a quote. Returns False if its contract is not listed or the quote is older than the last."""
        symbol, key = quote.contract.symbol, _key(quote.contract)
        last = self._quotes.get(symbol)
        if symbol not in self._listed.get(key, ()) or (last is not None and quote.ts < last.ts):
            return False
        self._quotes[symbol] = quote
        self._changed.add(key)
        return True

    def changed(self) -> Iterator[Message]:
        """Yield the chain of every expiry that has had a quote since the last call."""
        for key in sorted(self._changed):
            yield self._chain(tuple(self._listed[key].values()))
        self._changed.clear()

    def _chain(self, contracts: Sequence[Contract]) -> Message:
        quotes = [quote for one in contracts if (quote := self._quotes.get(one.symbol))]
        newest, one = max(quotes, key=lambda quote: quote.ts), contracts[0]
        strikes = sorted({contract.strike for contract in contracts})
        by_leg = {(quote.contract.strike, quote.contract.option_type): quote for quote in quotes}
        return option_chain(
            OptionChain(
                feed=self._feed,
                product=one.product,
                ts=newest.ts,
                expiry=one.expiry,
                expiry_ts=one.expiry_ts,
                exercise=one.exercise,
                spot_price=newest.spot,
                lot_size=one.lot_size,
                oi_unit=one.oi_unit,
                strikes=strikes,
                calls=_legs([by_leg.get((strike, "CALL")) for strike in strikes], newest.ts),
                puts=_legs([by_leg.get((strike, "PUT")) for strike in strikes], newest.ts),
                truth=None,
                price_unit=one.price_unit,
                settlement_currency=one.settlement_currency,
                settlement_session=one.settlement_session,
                multiplier=one.multiplier,
                vendor_forward=newest.vendor.forward if newest.vendor else UNSET,
            )
        )


def _key(contract: Contract) -> _Key:
    return contract.product, contract.expiry_ts, contract.settlement_session or "close"


def _legs(quotes: Sequence[Quote | None], ts: int) -> Legs:
    """Return one side's columns. Without a quote they have 0, or null where the contract allows it."""
    vendors = [(quote.vendor if quote else UNSET) or Vendor() for quote in quotes]
    return Legs(
        bid=[quote.bid if quote else 0 for quote in quotes],
        ask=[quote.ask if quote else 0 for quote in quotes],
        last=[quote.last if quote else 0 for quote in quotes],
        bid_size=[quote.bid_size if quote else 0 for quote in quotes],
        ask_size=[quote.ask_size if quote else 0 for quote in quotes],
        volume=[quote.volume if quote else 0 for quote in quotes],
        open_interest=[quote.open_interest if quote else 0 for quote in quotes],
        previous_close=[quote.previous_close if quote else 0 for quote in quotes],
        previous_open_interest=[quote.previous_open_interest if quote else None for quote in quotes],
        vendor_iv=[vendor.iv or None for vendor in vendors],
        vendor_delta=[None if vendor.delta is UNSET else vendor.delta for vendor in vendors],
        quote_age_ms=[(ts - quote.ts) // _NS_PER_MS if quote else None for quote in quotes],
    )
