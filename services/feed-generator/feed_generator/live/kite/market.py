"""Turn Kite's ticks into quotes and spot prices. All connections of a generator share one market.

Kite sends an instrument's newest state when it is subscribed, even of yesterday, and then each change.
A state of today stands until the next tick, so event times are the market's clock: the newest time in any
tick. A contract that seldom changes has an old time of its own although its order book stands. So that it
does not look stale, its quote is passed on again every 30 s while its connection delivers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from feed_generator.live.kite import frames, instruments
from feed_generator.live.ticks import Contract, Listing, Quote, Spot, Tick
from feed_generator.messages import symbol

_NS = 1_000_000_000
_DAY_S = 86_400
_INDIA_S = 19_800  # India is 5 h 30 min before UTC and has no summer time
_OLD_NS = 240 * _NS
"""A live message that is older than 300 s is refused, so the market's clock has to be nearer than that."""
_CONFIRM_NS = 30 * _NS
"""Half the age from which on a quote counts as stale."""


@dataclass(slots=True)
class Discarded:
    """Ticks that made no message, by reason.

    `old`: of another day, or the market's clock is more than 240 s from ours. `repeated`: the same state
    again, or an earlier one. `partial`: an option without its order book, which Kite sends until the mode is
    set. `unknown`: of an instrument that nobody subscribed.
    """

    old: int = 0
    repeated: int = 0
    partial: int = 0
    unknown: int = 0


class Market:
    """The newest spot price of each product, and which instrument is which contract."""

    def __init__(
        self,
        chosen: Mapping[str, tuple[int, Sequence[instruments.Contract]]],
        before: Market | None = None,
    ) -> None:
        """`chosen`: for each product the token of its spot and the contracts to receive.

        `before`: the market that this one replaces; what it has passed on is not passed on again.
        """
        self._spot_products = {token: product for product, (token, _) in chosen.items()}
        self._contracts = {one.token: _contract(one) for _, contracts in chosen.values() for one in contracts}
        self._spots: dict[str, float] = {}
        self._spot_stood_ns: dict[str, int] = {}  # by product, on the market's clock
        self._waiting: dict[str, dict[int, None]] = {}  # by product: tokens of options, in their order
        self._last: dict[int, frames.Tick] = {}
        self._passed_on: dict[int, int] = {}  # token -> event time of its last quote, oldest first
        # By token, also across connections.
        self._given: dict[int, Quote | Spot] = dict(before._given) if before else {}
        self._clock_s = 0
        self.discarded = Discarded()

    @property
    def tokens(self) -> list[int]:
        """All instruments to subscribe, the spots first."""
        return [*self._spot_products, *self._contracts]

    @property
    def contracts(self) -> Mapping[int, Contract]:
        """The contracts to receive, by token."""
        return self._contracts

    @property
    def clock_ns(self) -> int:
        """The newest time in any tick, in ns since the epoch; 0 before the first."""
        return self._clock_s * _NS

    def is_open(self, now_ns: int) -> bool:
        """Return whether the market's clock is near ours. Else there is no session, or a clock is wrong."""
        return abs(now_ns - self.clock_ns) <= _OLD_NS

    def listings(self) -> list[Listing]:
        """Return the contracts of every product."""
        found: dict[str, list[Contract]] = {product: [] for product in self._spot_products.values()}
        for contract in self._contracts.values():
            found[contract.product].append(contract)
        return [Listing(product, contracts) for product, contracts in found.items()]

    def forget(self, tokens: Iterable[int]) -> None:
        """Expect these instruments' newest states again, because their connection is new.

        Options wait until the spot of their product comes again: it shows the time of the market, and so
        whether their states are of today.
        """
        for token in tokens:
            self._last.pop(token, None)
            self._passed_on.pop(token, None)
            for waiting in self._waiting.values():
                waiting.pop(token, None)
            if product := self._spot_products.get(token):
                self._spots.pop(product, None)

    def received(self, tick: frames.Tick, now_ns: int) -> list[Tick]:
        """Return the quotes and spot prices that follow from one tick."""
        last = self._last.get(tick.token)
        if last is not None and (tick.time < last.time or tick == last):
            self.discarded.repeated += 1
            return []
        product = self._spot_products.get(tick.token)
        contract = self._contracts.get(tick.token)
        if product is None and contract is None:
            self.discarded.unknown += 1
            return []
        if tick.mode != "full":
            self.discarded.partial += 1
            return []
        if tick.time * _NS > now_ns + _OLD_NS:  # it would move the market's clock, and nothing could follow
            self.discarded.old += 1
            return []
        self._last[tick.token] = tick
        self._clock_s = max(self._clock_s, tick.time)
        if product is not None:
            return self._spot(product, tick, now_ns)
        assert contract is not None  # noqa: S101
        if not self._has_spot(contract.product):
            self._waiting.setdefault(contract.product, {})[tick.token] = None
            return []
        return self._quote(contract, tick, now_ns)

    def standing(self, tokens: Collection[int], now_ns: int) -> list[Tick]:
        """Return again the quotes of those `tokens` that have not changed for 30 s of the market's clock.

        The connection of `tokens` delivers, so their spots stand too.
        """
        for token, product in self._spot_products.items():
            if token in tokens:
                self._spot_stood_ns[product] = self.clock_ns
        found: list[Tick] = []
        for token, at_ns in list(self._passed_on.items()):
            if self.clock_ns - at_ns < _CONFIRM_NS:
                break
            if token in tokens and self._has_spot(self._contracts[token].product):
                del self._passed_on[token]
                found += self._quote(self._contracts[token], self._last[token], now_ns)
        return found

    def _spot(self, product: str, tick: frames.Tick, now_ns: int) -> list[Tick]:
        if tick.last_price <= 0 or not self._is_new(tick, now_ns):
            return []
        self._spots[product], self._spot_stood_ns[product] = tick.last_price, self.clock_ns
        found: list[Tick] = self._new(tick.token, Spot(product, self.clock_ns, tick.last_price))
        for token in self._waiting.pop(product, {}):
            found += self._quote(self._contracts[token], self._last[token], now_ns)
        return found

    def _has_spot(self, product: str) -> bool:
        """Return whether a product's spot is known and its connection delivers, so that it is not old."""
        return product in self._spots and self.clock_ns - self._spot_stood_ns[product] <= _CONFIRM_NS

    def _is_new(self, tick: frames.Tick, now_ns: int) -> bool:
        new = self.is_open(now_ns) and _day(tick.time) == _day(self._clock_s)
        self.discarded.old += not new
        return new

    def _quote(self, contract: Contract, tick: frames.Tick, now_ns: int) -> list[Tick]:
        if not self._is_new(tick, now_ns):
            return []
        self._passed_on.pop(tick.token, None)
        self._passed_on[tick.token] = self.clock_ns
        (bid, bid_size), (ask, ask_size) = _best(tick.bids), _best(tick.asks)
        quote = Quote(
            contract=contract,
            ts=self.clock_ns,
            spot=self._spots[contract.product],
            bid=bid,
            ask=ask,
            last=max(0.0, tick.last_price),
            bid_size=bid_size,
            ask_size=ask_size,
            volume=tick.volume,
            open_interest=tick.open_interest,
            previous_close=max(0.0, tick.close),
        )
        return self._new(tick.token, quote)

    def _new(self, token: int, given: Quote | Spot) -> list[Tick]:
        """Return the tick unless it was the instrument's last: a new connection sends every state again."""
        if self._given.get(token) == given:
            self.discarded.repeated += 1
            return []
        self._given[token] = given
        return [given]


def _best(levels: tuple[frames.Level, ...]) -> tuple[float, int]:
    """Return price and quantity of the best level, or zeros if nobody quotes."""
    best = levels[0] if levels else None
    return (best.price, best.quantity) if best and best.price > 0 and best.quantity else (0.0, 0)


def _day(time_s: int) -> int:
    return (time_s + _INDIA_S) // _DAY_S


def _contract(one: instruments.Contract) -> Contract:
    expiry = one.expiry.isoformat()
    side: Literal["CALL", "PUT"] = "CALL" if one.is_call else "PUT"
    return Contract(
        product=one.product,
        symbol=symbol(one.product, expiry, side, one.strike),
        expiry=expiry,
        expiry_ts=one.expiry_ns,
        strike=one.strike,
        option_type=side,
        exercise="European",
        lot_size=one.lot_size,
        oi_unit="shares",
    )
