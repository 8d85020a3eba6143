"""Our synthetic market as Kite shows it: an instrument list, and the binary packet of each instrument.

The packets are built from Kite's documentation, independently of the decoder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from struct import pack
from typing import Any

from feed_generator.domain.rulebook import rules
from feed_generator.sources.synthetic import SyntheticMarket

HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
    "instrument_type,segment,exchange"
)
_SPOTS = {
    "NIFTY": (256265, "NIFTY 50", "NSE", "NFO"),
    "BANKNIFTY": (260105, "NIFTY BANK", "NSE", "NFO"),
    "FINNIFTY": (257801, "NIFTY FIN SERVICE", "NSE", "NFO"),
    "SENSEX": (265, "SENSEX", "BSE", "BFO"),
}
_SEGMENTS = {"NFO": 2, "BFO": 5}
_QUOTED = ("bid", "ask", "last", "bid_size", "ask_size", "volume", "open_interest", "previous_close")
Record = dict[str, Any]
Key = tuple[str, str, float, str]  # product, expiry, strike, CALL or PUT


@dataclass
class State:
    """An instrument's newest state. Prices in rupees. `time_s`: its own exchange time, or None for now."""

    last: float = 0.0
    bid: float = 0.0
    ask: float = 0.0
    bid_size: int = 0
    ask_size: int = 0
    volume: int = 0
    open_interest: int = 0
    previous_close: float = 0.0
    time_s: int | None = None


@dataclass
class KiteMarket:
    """The instruments of `products`, as many strikes on each side of the spot as `wing`."""

    products: Sequence[str]
    start_ns: int
    wing: int = 30
    states: dict[int, State] = field(default_factory=dict)
    keys: dict[Key, int] = field(default_factory=dict)
    messages: list[Record] = field(default_factory=list)
    """What the synthetic market said, in order."""

    def __post_init__(self) -> None:
        self._market = SyntheticMarket(
            feed="fake",
            rules=[rules(name) for name in self.products],
            seed=7,
            start_ns=self.start_ns,
            messages_per_second=60,
            speed_percent=100,
        )
        opening = [self._take() for _ in self.products]
        for batch in opening:
            for one in batch:
                if one["kind"] == "option_chain":
                    self._list(one)
        for batch in opening:
            list(self._apply(batch))

    @property
    def tokens(self) -> list[int]:
        """All instruments, the spots first."""
        return [*(_SPOTS[name][0] for name in self.products), *self.keys.values()]

    def advance(self, batches: int) -> list[int]:
        """Move the market on. Returns the instruments that changed, in order, each once."""
        return list(dict.fromkeys(t for _ in range(batches) for t in self._apply(self._take())))

    def list_strike(self, product: str, expiry: str, strike: float) -> None:
        """List one more strike, as the exchange does when the price has moved far."""
        segment = _SEGMENTS[_SPOTS[product][3]]
        for side in ("CALL", "PUT"):
            token = (40_000 + len(self.keys)) * 256 + segment
            self.states[token] = State(bid=1.0, ask=1.1, bid_size=75, ask_size=75)
            self.keys[product, expiry, strike, side] = token

    def instruments(self) -> bytes:
        """Return the instrument list, with rows of other instruments and a quoted name."""
        rows = [HEADER, '738561,2885,RELIANCE,"RELIANCE INDUSTRIES, LTD",0,,0,0.05,1,EQ,NSE,NSE']
        for name in self.products:
            token, symbol, exchange, _ = _SPOTS[name]
            rows.append(f"{token},{token >> 8},{symbol},{symbol},0,,0,0,0,EQ,INDICES,{exchange}")
        for (name, expiry, strike, side), token in list(self.keys.items()):  # a test lists strikes meanwhile
            segment, kind = _SPOTS[name][3], f"{side[0]}E"
            terms = rules(name)
            lot = terms.lot_size(date.fromisoformat(expiry), terms.local_date(self.start_ns))
            symbol = f"{name}{expiry[2:].replace('-', '')}{strike:g}{kind}"
            rows.append(
                f"{token},{token >> 8},{symbol},{name},0,{expiry},{strike:g},0.05,{lot},{kind},"
                f"{segment}-OPT,{segment}"
            )
        return "\n".join([*rows, ""]).encode()

    def packet(self, token: int, mode: str, now_s: int) -> bytes:
        """Return the packet of an instrument in a mode, without its length."""
        state = self.states.get(token, State())
        time_s = now_s if state.time_s is None else state.time_s
        last, close = _paise(state.last), _paise(state.previous_close)
        if mode == "ltp":
            return pack(">Ii", token, last)
        if token & 0xFF == 9:
            quote = pack(">I6i", token, last, last, last, last, close, last - close)
            return quote if mode == "quote" else quote + pack(">I", time_s)
        quote = pack(">IiIi3I4i", token, last, 1, last, state.volume, 0, 0, last, last, last, close)
        if mode == "quote":
            return quote
        depth = b"".join(
            pack(">IiHxx", *level)
            for level in (
                *_levels(state.bid, state.bid_size, -1),
                *_levels(state.ask, state.ask_size, 1),
            )
        )
        interest = state.open_interest
        return quote + pack(">5I", time_s, interest, interest, interest, time_s) + depth

    def _take(self) -> list[Record]:
        taken = [json.loads(one.body) for one in self._market.advance().messages]
        self.messages += taken
        return taken

    def _list(self, chain: Record) -> None:
        """List the chain's strikes and `wing` more on each side, on its own grid."""
        strikes = chain["strikes"]
        step, segment = strikes[1] - strikes[0], _SEGMENTS[_SPOTS[chain["product"]][3]]
        extra = self.wing - len(strikes) // 2
        lowest = max(strikes[0] - extra * step, step)
        count = round((strikes[-1] + extra * step - lowest) / step) + 1
        for index in range(count):
            for side in ("CALL", "PUT"):
                key = (chain["product"], chain["expiry"], lowest + index * step, side)
                self.keys.setdefault(key, (40_000 + len(self.keys)) * 256 + segment)

    def _apply(self, batch: Iterable[Record]) -> Iterable[int]:
        for one in batch:
            name = one["product"]
            if one["kind"] == "underlying":
                token = _SPOTS[name][0]
                self.states[token] = State(last=one["price"], previous_close=one["price"])
                yield token
            elif one["kind"] == "option_quote":
                key = (name, one["expiry"], one["strike"], one["option_type"])
                yield from self._quoted(key, {field: one.get(field, 0) for field in _QUOTED})
            else:
                for side, legs in (("CALL", one["calls"]), ("PUT", one["puts"])):
                    for index, strike in enumerate(one["strikes"]):
                        leg = {field: legs[field][index] for field in _QUOTED}
                        yield from self._quoted((name, one["expiry"], strike, side), leg)

    def _quoted(self, key: Key, leg: Record) -> Iterable[int]:
        token = self.keys.get(key)
        if token is not None:
            before = self.states.get(token, State())
            close = leg["previous_close"] or before.previous_close
            self.states[token] = State(**leg | {"previous_close": close})
            yield token


def message(*packets: bytes) -> bytes:
    """Return a binary message of packets."""
    return pack(">H", len(packets)) + b"".join(pack(">H", len(one)) + one for one in packets)


def _paise(price: float) -> int:
    return round(price * 100)


def _levels(price: float, quantity: int, towards: int) -> list[tuple[int, int, int]]:
    """Return five levels of 5 paise each from the best one, as (quantity, price, orders)."""
    if not price:
        return [(0, 0, 0)] * 5
    return [(quantity + 75 * depth, _paise(price) + towards * 5 * depth, 1 + depth) for depth in range(5)]
