"""Deribit's protocol for one connection: instruments, subscriptions, heartbeat, tickers. It does no I/O.

Order on a connection: set the heartbeat; ask for the instruments of each currency; subscribe the price
indices; once an index has a price, select the contracts around it and subscribe their tickers. Every five
minutes it asks for the instruments again, and every five seconds the selection follows the spot.

A new connection uses a list that is younger than five minutes: the exchange allows one `get_instruments` a
second, and a list of 1 MB would delay the first ticker after a drop.
"""

from __future__ import annotations

from collections.abc import Sequence

from feed_generator.live.deribit import checks, market
from feed_generator.live.deribit.frames import (
    Data,
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
        self._kept: dict[str, set[str]] = {}  # by product: symbols of the last selection, on any connection
        self._contracts: dict[str, Contract] = {}  # by the exchange's name: all that are selected
        self._newest: dict[str, int] = {}  # by the exchange's name or index: time of the newest tick, ms
        self._unpriced: list[str] = []  # products without a price in time: the others go on
        self._answered: set[str] = set()
        self._priced_by = self._refresh_at = self._select_at = 0

    @property
    def ready(self) -> str | None:
        """One line that says what is subscribed, or None while anything asked for is not."""
        waits = self._index.keys() - self._selected.keys() - set(self._unpriced)
        if waits or not self._subscriptions.complete:
            return None
        missing = [name for name in self._products if name not in self._index]
        unknown = sorted(name for name in self._contracts if _ticker_of(name) in self._subscriptions.unknown)
        line = f"{len(self._contracts) - len(unknown)} contracts of {', '.join(sorted(self._selected))}"
        if missing:
            line += f"; the exchange lists no options of {', '.join(missing)}"
        if self._unpriced:
            line += f"; it gives no price of {', '.join(self._index[name] for name in self._unpriced)}"
        if unknown:
            line += f"; it lists but does not know {len(unknown)}, such as {unknown[0]}"
        return line

    def opened(self, now_ns: int) -> Reaction:
        """Begin a new connection: forget what the last one had subscribed."""
        if not self._answered.issuperset(self._currencies):
            self._refresh_at = 0  # the last connection ended before its list came
        self._asked.clear()
        self._asked_at.clear()
        self._subscriptions.reset()
        self._spot.clear()
        self._selected.clear()
        self._contracts.clear()
        self._await_prices(now_ns)
        heartbeat = self._request("public/set_heartbeat", {"interval": HEARTBEAT_S})
        if now_ns >= self._refresh_at:
            return Reaction([heartbeat, *self._ask_instruments(now_ns)])
        self._want()
        return Reaction([heartbeat, *self._subscribe(now_ns)])

    def received(self, frame: bytes, now_ns: int) -> Reaction:
        """Decode a frame. Raises BadFrame and LiveError."""
        decoded = decode(frame)
        params = decoded.params
        if decoded.method == "subscription" and params is not None and params.data is not None:
            return self._notified(params.channel, params.data, now_ns)
        if decoded.method == "heartbeat" and params is not None:
            answer = params.type == "test_request"
            return Reaction([self._request("public/test", {})]) if answer else NOTHING
        if decoded.id is not None or decoded.error is not None:  # an unreadable request has no id
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

    def _await_prices(self, now_ns: int) -> None:
        self._unpriced, self._priced_by = [], now_ns + _ANSWER_WITHIN_NS

    def _check_prices(self) -> None:
        """Note the products that have no spot, so that their contracts cannot be selected.

        Raises Dropped if no product has one.
        """
        self._unpriced = [name for name in self._index if name not in self._spot]
        if self._unpriced and not self._spot:
            index = self._index[self._unpriced[0]]
            raise Dropped("NoAnswer", f"the exchange gave no price of {index} within {_ANSWER_WITHIN_S} s")

    def _request(self, method: str, params: dict[str, object]) -> str:
        self._number += 1
        return request(self._number, method, params)

    def _ask_instruments(self, now_ns: int) -> list[str]:
        self._refresh_at = now_ns + _REFRESH_NS
        self._answered.clear()
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
            checks.check_error(frame.error, asked)
        if frame.usOut is not None:
            checks.check_clock(frame.usOut * 1000, now_ns)
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
                for known in (self._listed, self._index, self._spot, self._selected, self._kept):
                    known.pop(name, None)
        self._contracts = {name: one for each in self._selected.values() for name, one in each.items()}
        self._listed.update(found)
        known_names = {name for contracts in self._listed.values() for name in contracts}
        known_names.update(self._index.values())
        self._newest = {name: ms for name, ms in self._newest.items() if name in known_names}
        self._answered.add(currency)
        if not self._listed and self._answered.issuperset(self._currencies):
            self._refresh_at = 0
            raise Misconfigured(
                "NoInstruments",
                f"the exchange lists no options of {', '.join(self._products)}: "
                "check products and source.deribit.currencies; options on other coins than BTC and ETH are "
                "named like SOL-USDC, under the currency USDC",
            )
        self._select_at = now_ns
        self._await_prices(now_ns)
        self._want()

    def _want(self) -> None:
        indices = [f"deribit_price_index.{name}" for name in self._index.values()]
        tickers = [_ticker_of(name) for name in self._contracts]
        self._subscriptions.want([*indices, *tickers])

    def _select(self, product: str, now_ns: int) -> list[Listing]:
        """Return the product's new listing, or an empty list if its selection stays the same."""
        names = {contract.symbol: name for name, contract in self._listed[product].items()}
        chosen = select(
            self._listed[product].values(),
            spot=self._spot[product],
            now_ns=now_ns,
            expiries=self._expiries,
            strikes_per_side=self._strikes_per_side,
            kept=self._kept.get(product, ()),
        )
        selected = {names[contract.symbol]: contract for contract in chosen}
        if product in self._selected and selected.keys() == self._selected[product].keys():
            return []
        self._selected[product] = selected
        self._kept[product] = {contract.symbol for contract in chosen}
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
        checks.check_time("ticker", data, now_ns)
        quote = market.quote(contract, data, in_coin=self._in_coin[contract.product])
        self._newest[name] = data.timestamp
        return Reaction(ticks=(quote,))

    def _price(self, data: Data, now_ns: int) -> Reaction:
        products = [name for name, index in self._index.items() if index == data.index_name]
        price = data.price or 0
        if not 0 < price <= market.MAX_PRICE:
            raise BadFrame("a price index is not positive: it is dropped")
        checks.check_time("price index", data, now_ns)
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
