"""Deribit's protocol for one connection: instruments, subscriptions, heartbeat, tickers. It does no I/O.

Order on a connection: set the heartbeat; ask for the instruments of each currency; subscribe the price
indices; once an index has a price, select the contracts around it and subscribe their tickers. Every five
minutes it asks for the instruments again, and every five seconds the selection follows the spot.
"""

from __future__ import annotations

from collections.abc import Sequence

from feed_generator.live.deribit import market
from feed_generator.live.deribit.frames import (
    Data,
    Error,
    Frame,
    Instrument,
    channels,
    decode,
    instruments,
    request,
)
from feed_generator.live.deribit.selection import select
from feed_generator.live.deribit.subscriptions import Piece, Subscriptions
from feed_generator.live.exchange import NOTHING, BadFrame, Dropped, Misconfigured, Reaction
from feed_generator.live.ticks import Contract, Listing, Spot, Tick

HEARTBEAT_S = 10
_REFRESH_NS = 300 * 10**9
_SELECT_EVERY_NS = 5 * 10**9
_ANSWER_WITHIN_S = 10
_ANSWER_WITHIN_NS = _ANSWER_WITHIN_S * 10**9
# The enrichers refuse a message whose event time is 300 s from their clock.
_MAX_SKEW_NS = 120 * 10**9
_MAX_AGE_NS = 240 * 10**9
_TOO_MANY_REQUESTS = 10028
_INVALID_PARAMS = -32602
_NS_PER_MS = 1_000_000


class Deribit:
    """An `Exchange`. `products`: those of this shard. `currencies`: what to ask instruments for."""

    def __init__(
        self, products: Sequence[str], currencies: Sequence[str], *, expiries: int, strikes_per_side: int
    ) -> None:
        self._products, self._currencies = tuple(products), tuple(currencies)
        self._expiries, self._strikes_per_side = expiries, strikes_per_side
        self._number = 0
        self._asked: dict[int, str | Piece] = {}  # by id: the currency or the piece, for an answer
        self._asked_at: dict[int, int] = {}
        self._subscriptions = Subscriptions()
        self._listed: dict[str, dict[str, Contract]] = {}  # by product: by the exchange's name
        self._index: dict[str, str] = {}  # by product: the name of its price index
        self._in_coin: dict[str, bool] = {}
        self._spot: dict[str, float] = {}
        self._selected: dict[str, dict[str, Contract]] = {}
        self._contracts: dict[str, Contract] = {}  # by the exchange's name: all that are selected
        self._newest: dict[str, int] = {}  # by the exchange's name or index: time of the newest tick, ms
        self._answered: set[str] = set()
        self._priced_by = self._refresh_at = self._select_at = 0

    @property
    def ready(self) -> str | None:
        """One line that says what is subscribed, or None while anything asked for is not."""
        if len(self._selected) < len(self._index) or not self._subscriptions.complete:
            return None
        missing = [name for name in self._products if name not in self._index]
        unknown = sorted(name for name in self._contracts if _ticker_of(name) in self._subscriptions.unknown)
        line = f"{len(self._contracts) - len(unknown)} contracts of {', '.join(sorted(self._index))}"
        if missing:
            line += f"; the exchange lists no options of {', '.join(missing)}"
        if unknown:
            line += f"; it lists but does not know {len(unknown)}, such as {unknown[0]}"
        return line

    def opened(self, now_ns: int) -> Reaction:
        """Begin a new connection: forget what the last one had subscribed."""
        self._asked.clear()
        self._asked_at.clear()
        self._answered.clear()
        self._subscriptions.reset()
        self._spot.clear()
        self._selected.clear()
        self._contracts.clear()
        self._priced_by = now_ns + _ANSWER_WITHIN_NS
        heartbeat = self._request("public/set_heartbeat", {"interval": HEARTBEAT_S})
        return Reaction([heartbeat, *self._ask_instruments(now_ns)])

    def received(self, frame: bytes, now_ns: int) -> Reaction:
        """Decode a frame. Raises BadFrame and LiveError."""
        decoded = decode(frame)
        params = decoded.params
        if decoded.method == "subscription" and params is not None and params.data is not None:
            return self._notified(params.channel, params.data, now_ns)
        if decoded.method == "heartbeat" and params is not None:
            answer = params.type == "test_request"
            return Reaction([self._request("public/test", {})]) if answer else NOTHING
        if decoded.id is not None:
            return self._answer(decoded, now_ns)
        return NOTHING

    def waited(self, now_ns: int) -> Reaction:
        """Refresh the instruments, follow the spot, and send the subscriptions that are allowed now."""
        late = [number for number, at in self._asked_at.items() if now_ns - at > _ANSWER_WITHIN_NS]
        if late:
            raise Dropped("NoAnswer", f"the exchange did not answer a request within {_ANSWER_WITHIN_S} s")
        if now_ns > self._priced_by:
            self._check_prices()
        send = self._ask_instruments(now_ns) if now_ns >= self._refresh_at else []
        ticks: list[Tick] = []
        if now_ns >= self._select_at:
            self._select_at = now_ns + _SELECT_EVERY_NS
            ticks = [listing for name in self._spot for listing in self._select(name, now_ns)]
        return Reaction([*send, *self._subscribe(now_ns)], ticks)

    def _check_prices(self) -> None:
        """Raise Dropped if a product has no spot: its contracts cannot be selected."""
        missing = [index for name, index in self._index.items() if name not in self._spot]
        if missing:
            raise Dropped(
                "NoAnswer", f"the exchange gave no price of {missing[0]} within {_ANSWER_WITHIN_S} s"
            )

    def _request(self, method: str, params: dict[str, object]) -> str:
        self._number += 1
        return request(self._number, method, params)

    def _ask_instruments(self, now_ns: int) -> list[str]:
        self._refresh_at = now_ns + _REFRESH_NS
        frames = []
        for currency in self._currencies:
            params = {"currency": currency, "kind": "option", "expired": False}
            frames.append(self._request("public/get_instruments", params))
            self._asked[self._number], self._asked_at[self._number] = currency, now_ns
        return frames

    def _subscribe(self, now_ns: int) -> list[str]:
        frames = []
        while piece := self._subscriptions.next(now_ns):
            frames.append(self._request(piece.method, {"channels": piece.channels}))
            self._asked[self._number], self._asked_at[self._number] = piece, now_ns
        return frames

    def _answer(self, frame: Frame, now_ns: int) -> Reaction:
        asked = self._asked.pop(frame.id or 0, None)
        self._asked_at.pop(frame.id or 0, None)
        if frame.error is not None:
            _check_error(frame.error, asked)
        if frame.usOut is not None:
            _check_clock(frame.usOut * 1000, now_ns)
        if isinstance(asked, str):
            self._list(asked, [] if frame.error else instruments(frame.result), now_ns)
        elif isinstance(asked, Piece):
            self._subscriptions.answered(asked, channels(frame.result))
        return Reaction(self._subscribe(now_ns))

    def _list(self, currency: str, listed: Sequence[Instrument], now_ns: int) -> None:
        """Take the instruments of a currency. Raises Misconfigured if no product has any."""
        found: dict[str, dict[str, Contract]] = {}
        for instrument in listed:
            name = market.product(instrument)
            contract = market.contract(instrument) if name in self._products else None
            if contract is not None:
                found.setdefault(name, {})[instrument.instrument_name] = contract
                self._index[name] = market.index_name(instrument)
                self._in_coin[name] = market.inverse(instrument)
        for name in self._products:
            if name not in found and market.belongs(name, currency):
                for known in (self._listed, self._index, self._spot, self._selected):
                    known.pop(name, None)
        self._contracts = {name: one for each in self._selected.values() for name, one in each.items()}
        self._listed.update(found)
        known_names = {name for contracts in self._listed.values() for name in contracts}
        known_names.update(self._index.values())
        self._newest = {name: ms for name, ms in self._newest.items() if name in known_names}
        self._answered.add(currency)
        if not self._listed and self._answered.issuperset(self._currencies):
            raise Misconfigured(
                "NoInstruments",
                f"the exchange lists no options of {', '.join(self._products)}: "
                "check products and source.deribit.currencies",
            )
        self._select_at = now_ns
        self._priced_by = now_ns + _ANSWER_WITHIN_NS
        self._want()

    def _want(self) -> None:
        indices = [f"deribit_price_index.{name}" for name in self._index.values()]
        tickers = [_ticker_of(name) for name in self._contracts]
        self._subscriptions.want([*indices, *tickers])

    def _select(self, product: str, now_ns: int) -> list[Listing]:
        """Return the product's new listing, or an empty list if its selection stays the same."""
        names = {contract.symbol: name for name, contract in self._listed[product].items()}
        before = self._selected.get(product, {})
        chosen = select(
            self._listed[product].values(),
            spot=self._spot[product],
            now_ns=now_ns,
            expiries=self._expiries,
            strikes_per_side=self._strikes_per_side,
            kept={contract.symbol for contract in before.values()},
        )
        selected = {names[contract.symbol]: contract for contract in chosen}
        if product in self._selected and selected.keys() == before.keys():
            return []
        self._selected[product] = selected
        self._contracts = {name: one for each in self._selected.values() for name, one in each.items()}
        self._want()
        return [Listing(product, tuple(chosen))]

    def _notified(self, channel: str, data: Data, now_ns: int) -> Reaction:
        if channel.startswith("ticker."):
            return self._ticker(data, now_ns)
        if channel.startswith("deribit_price_index."):
            return self._price(data, now_ns)
        return NOTHING

    def _ticker(self, data: Data, now_ns: int) -> Reaction:
        name = data.instrument_name
        contract = self._contracts.get(name)
        if contract is None:  # it came before the exchange had read our unsubscribe request
            return NOTHING
        if data.timestamp <= self._newest.get(name, 0):
            return Reaction(repeated=1)
        _check_time("ticker", data, now_ns)
        quote = market.quote(contract, data, in_coin=self._in_coin[contract.product])
        self._newest[name] = data.timestamp
        return Reaction(ticks=(quote,))

    def _price(self, data: Data, now_ns: int) -> Reaction:
        products = [name for name, index in self._index.items() if index == data.index_name]
        price = data.price or 0
        if not 0 < price <= market.MAX_PRICE:
            raise BadFrame("a price index is not positive: it is dropped")
        _check_time("price index", data, now_ns)
        ticks: list[Tick] = []
        for name in products:
            first = name not in self._spot
            self._spot[name] = price
            ticks += self._select(name, now_ns) if first else []
        if data.timestamp <= self._newest.get(data.index_name, 0):
            return Reaction(self._subscribe(now_ns), ticks, repeated=1)
        self._newest[data.index_name] = data.timestamp
        ticks += [Spot(name, data.timestamp * _NS_PER_MS, price) for name in products]
        return Reaction(self._subscribe(now_ns), ticks)


def _ticker_of(name: str) -> str:
    return f"ticker.{name}.100ms"


def _check_error(error: Error, asked: str | Piece | None) -> None:
    """Raise Dropped unless the session can go on without what was asked for."""
    said = f"{error.message or 'an error'} ({error.code})"
    if error.code == _TOO_MANY_REQUESTS:
        raise Dropped("RateLimited", f"the exchange answered {said}: too many clients share this address")
    if isinstance(asked, Piece):
        raise Dropped("BadAnswer", f"the exchange answered {said} to {asked.method}")
    if error.code != _INVALID_PARAMS:  # which means that it does not know the currency
        raise Dropped("BadAnswer", f"the exchange answered {said}")


def _check_time(what: str, data: Data, now_ns: int) -> None:
    """Raise BadFrame for a time that is far from ours. One far ahead would make all that follow look old."""
    if abs(now_ns - data.timestamp * _NS_PER_MS) > _MAX_AGE_NS:
        raise BadFrame(f"the time of a {what} is more than {_MAX_AGE_NS // 10**9} s from ours: it is dropped")


def _check_clock(exchange_ns: int, now_ns: int) -> None:
    skew_s = (now_ns - exchange_ns) / 1e9
    if abs(now_ns - exchange_ns) > _MAX_SKEW_NS:
        side = "ahead of" if skew_s > 0 else "behind"
        raise Misconfigured(
            "ClockSkew", f"this machine's clock is {abs(skew_s):.0f} s {side} the exchange's: synchronise it"
        )
