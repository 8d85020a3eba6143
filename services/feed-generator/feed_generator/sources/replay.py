"""Replay a recording with its own event times, at a chosen speed, once or for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import UNSET

from feed_generator.domain.terms import Terms
from feed_generator.messages import (
    LEG_COLUMNS,
    Legs,
    Message,
    OptionChain,
    OptionQuote,
    Underlying,
    Vendor,
    option_chain,
    option_quote,
    stated_terms,
    symbol,
    underlying,
)
from feed_generator.sources.formats.row import NO_LEG
from feed_generator.sources.player import Instant, Player
from feed_generator.sources.recording import Key, RecordedChain, Snapshot

QUOTED_STRIKES = 10
_LOOKED_AT = 50
"""Snapshots that one step reads at most, so that a search and the products of others block nothing."""
_UNIT = "shares"
_QUOTED = ("bid", "ask", "last", "bid_size", "ask_size", "volume", "open_interest")
_STATED = {
    "oi_unit": "oi_unit",
    "expiry_ns": "expiry_ts",
    "exercise": "exercise",
    "settlement_session": "settlement_session",
    "settlement_currency": "settlement_currency",
    "price_unit": "price_unit",
    "lot_size": "lot_size",
    "multiplier": "multiplier",
}
"""What a file may state of its contracts, and the member of the messages for it."""


class Replay(Player):
    """The `Player` of snapshots. A snapshot becomes a tick, a chain per expiry, and quotes near the money.

    `terms` has the products whose files do not state all about their contracts. Each pass iterates over
    `snapshots`, and `wanted` chooses among them. `span` has the first and last event time of the whole feed;
    default: those of a list.
    """

    def __init__(
        self,
        *,
        feed: str,
        terms: Mapping[str, Terms],
        snapshots: Iterable[Snapshot],
        wanted: Callable[[Snapshot], bool] = lambda _: True,
        speed_percent: int,
        interval_ns: int,
        forever: bool,
        span: tuple[int, int] | None = None,
    ) -> None:
        self._feed, self._terms, self._snapshots, self._wanted = feed, terms, snapshots, wanted
        # The bodies are the same in every pass, so those of a list are made once.
        kept = list(map(self._instant, filter(wanted, snapshots))) if isinstance(snapshots, list) else []
        first_ts, last_ts = span or (kept[0].ts, kept[-1].ts)
        super().__init__(
            (lambda from_ns: (one for one in kept if one.ts >= from_ns)) if kept else self._read_again,
            first_ts=first_ts,
            last_ts=last_ts,
            speed_percent=speed_percent,
            interval_ns=interval_ns,
            forever=forever,
        )

    def _read_again(self, from_ns: int) -> Iterator[Instant]:
        for passed, snapshot in enumerate(self._snapshots, start=1):
            if snapshot.ts >= from_ns and self._wanted(snapshot):
                yield self._instant(snapshot)
            elif passed % _LOOKED_AT == 0:
                yield Instant(snapshot.ts, ())

    def _instant(self, snapshot: Snapshot) -> Instant:
        return Instant(snapshot.ts, self._messages(snapshot))

    def _messages(self, snapshot: Snapshot) -> tuple[Message, ...]:
        name = snapshot.product
        tick = Underlying(feed=self._feed, product=name, ts=snapshot.ts, price=snapshot.spot, truth=None)
        chains = [chain for _, chain in sorted(snapshot.chains.items())]
        return (
            underlying(tick),
            *(self._chain(snapshot, chain) for chain in chains),
            *(quote for chain in chains for quote in self._quotes(snapshot, chain)),
        )

    def _contract(self, snapshot: Snapshot, chain: RecordedChain) -> dict[str, Any]:
        """Return the members that chain and quotes share. What the file does not state, the terms do."""
        known, expiry = self._terms.get(snapshot.product), chain.expiry
        found = stated_terms(known) if known else {}
        if known is not None:
            found["expiry_ts"] = known.expiry_ns(expiry)
            found["exercise"] = known.exercise
            found["lot_size"] = known.lot_size(expiry, known.local_date(snapshot.ts))
        for name, member in _STATED.items():
            if (value := getattr(chain.stated, name)) is not None:
                found[member] = value
        return {
            "oi_unit": _UNIT,
            **found,
            "feed": self._feed,
            "product": snapshot.product,
            "ts": snapshot.ts,
            "expiry": expiry.isoformat(),
            "spot_price": snapshot.spot,
            "truth": None,
        }

    def _chain(self, snapshot: Snapshot, chain: RecordedChain) -> Message:
        strikes = chain.strikes
        return option_chain(
            OptionChain(
                **self._contract(snapshot, chain),
                strikes=strikes,
                calls=_legs(snapshot, chain, [(strike, True) for strike in strikes]),
                puts=_legs(snapshot, chain, [(strike, False) for strike in strikes]),
                vendor_forward=_forward(chain) or UNSET,
            )
        )

    def _quotes(self, snapshot: Snapshot, chain: RecordedChain) -> list[Message]:
        near = sorted(chain.strikes, key=lambda strike: abs(strike - snapshot.spot))[:QUOTED_STRIKES]
        wanted = [(strike, is_call) for strike in sorted(near) for is_call in (True, False)]
        shared = self._contract(snapshot, chain)
        return [_quote(snapshot, chain, key, shared) for key in wanted if key in chain.legs]


def _forward(chain: RecordedChain) -> float | None:
    """Return the source's forward of the chain's newest quote, or None if it states none."""
    stated = [key for key, vendor in chain.vendor.items() if "forward" in vendor]
    newest = max(stated, key=lambda key: (chain.times.get(key, 0), key), default=None)
    return None if newest is None else chain.vendor[newest]["forward"]


def _legs(snapshot: Snapshot, chain: RecordedChain, keys: Sequence[Key]) -> Legs:
    rows = [chain.legs.get(key, NO_LEG) for key in keys]
    # A leg may lack only the previous open interest: null says that it is unknown.
    columns: dict[str, Any] = {column: [row.get(column) for row in rows] for column in LEG_COLUMNS}
    for name in ("iv", "delta"):
        values = [chain.vendor.get(key, {}).get(name) for key in keys]
        if any(value is not None for value in values):
            columns[f"vendor_{name}"] = values
    ages = [_age_ms(snapshot, chain, key) for key in keys]
    if any(ages):
        columns["quote_age_ms"] = ages
    return Legs(**columns)


def _age_ms(snapshot: Snapshot, chain: RecordedChain, key: Key) -> float | None:
    """Return how much older a contract's row is than its snapshot; None if there is no row."""
    time = chain.times.get(key)
    return None if time is None else (snapshot.ts - time) / 1_000_000


def _quote(snapshot: Snapshot, chain: RecordedChain, key: Key, shared: dict[str, Any]) -> Message:
    strike, is_call = key
    side, leg, vendor = "CALL" if is_call else "PUT", chain.legs[key], chain.vendor.get(key)
    quoted: dict[str, Any] = {column: leg[column] for column in _QUOTED}
    return option_quote(
        OptionQuote(
            **shared,
            symbol=symbol(snapshot.product, shared["expiry"], side, strike),
            strike=strike,
            option_type=side,
            **quoted,
            quote_age_ms=_age_ms(snapshot, chain, key) or UNSET,
            vendor=Vendor(**vendor) if vendor else UNSET,
        )
    )
