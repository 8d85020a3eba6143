"""Replay a recording with its own event times, at a chosen speed, once or for ever."""

from __future__ import annotations

from collections.abc import Sequence

from feed_generator.domain.rulebook import ProductRules
from feed_generator.messages import (
    LEG_COLUMNS,
    Legs,
    Message,
    OptionChain,
    OptionQuote,
    Underlying,
    option_chain,
    option_quote,
    symbol,
    underlying,
)
from feed_generator.sources.base import Batch
from feed_generator.sources.recording import Leg, RecordedChain, Snapshot

QUOTED_STRIKES = 10
_UNIT = "shares"
_EMPTY_LEG: Leg = dict.fromkeys(LEG_COLUMNS, 0)
_QUOTED = ("bid", "ask", "last", "bid_size", "ask_size", "volume", "open_interest")


class Replay:
    """A `Source`. A snapshot becomes a tick, a chain per expiry, and quotes near the money."""

    def __init__(
        self,
        *,
        feed: str,
        rules: ProductRules,
        snapshots: Sequence[Snapshot],
        speed_percent: int,
        interval_ns: int,
        forever: bool,
    ) -> None:
        self._feed, self._rules, self._forever = feed, rules, forever
        first = snapshots[0].ts
        self._offsets = [(snapshot.ts - first) * 100 // speed_percent for snapshot in snapshots]
        self._pass_ns = self._offsets[-1] + interval_ns
        # The bodies are the same in every pass, so they are made once.
        self._batches = [self._messages(snapshot) for snapshot in snapshots]
        self._pass, self._at = 1, 0

    def due_ns(self) -> int | None:
        """Return the offset of the next snapshot, or None after the only pass."""
        if self._pass > 1 and not self._forever:
            return None
        return (self._pass - 1) * self._pass_ns + self._offsets[self._at]

    def advance(self) -> Batch:
        """Return the next snapshot's messages."""
        batch = Batch(self._batches[self._at], self._pass)
        self._at += 1
        if self._at == len(self._batches):
            self._pass, self._at = self._pass + 1, 0
        return batch

    def skip(self, gap_ns: int) -> None:
        """Do nothing: a recording keeps its own event times."""
        del gap_ns

    def _messages(self, snapshot: Snapshot) -> tuple[Message, ...]:
        name = self._rules.name
        tick = Underlying(feed=self._feed, product=name, ts=snapshot.ts, price=snapshot.spot, truth=None)
        chains = [chain for _, chain in sorted(snapshot.chains.items())]
        return (
            underlying(tick),
            *(self._chain(snapshot, chain) for chain in chains),
            *(quote for chain in chains for quote in self._quotes(snapshot, chain)),
        )

    def _lot_size(self, snapshot: Snapshot) -> int:
        return self._rules.contract(self._rules.local_date(snapshot.ts)).lot_size

    def _chain(self, snapshot: Snapshot, chain: RecordedChain) -> Message:
        strikes = chain.strikes

        def legs(is_call: bool) -> Legs:
            rows = [chain.legs.get((strike, is_call), _EMPTY_LEG) for strike in strikes]
            columns = {column: [row[column] for row in rows] for column in LEG_COLUMNS}
            return Legs(**columns)  # type: ignore[arg-type]

        return option_chain(
            OptionChain(
                feed=self._feed,
                product=self._rules.name,
                ts=snapshot.ts,
                expiry=chain.expiry.isoformat(),
                expiry_ts=self._rules.expiry_ns(chain.expiry),
                exercise=self._rules.exercise,
                spot_price=snapshot.spot,
                lot_size=self._lot_size(snapshot),
                oi_unit=_UNIT,
                strikes=strikes,
                calls=legs(True),
                puts=legs(False),
                truth=None,
            )
        )

    def _quotes(self, snapshot: Snapshot, chain: RecordedChain) -> list[Message]:
        near = sorted(chain.strikes, key=lambda strike: abs(strike - snapshot.spot))[:QUOTED_STRIKES]
        wanted = [(strike, is_call) for strike in sorted(near) for is_call in (True, False)]
        return [self._quote(snapshot, chain, *key) for key in wanted if key in chain.legs]

    def _quote(self, snapshot: Snapshot, chain: RecordedChain, strike: float, is_call: bool) -> Message:
        name, expiry = self._rules.name, chain.expiry.isoformat()
        side, leg = "CALL" if is_call else "PUT", chain.legs[strike, is_call]
        quoted: dict[str, float | int] = {column: leg[column] for column in _QUOTED}
        return option_quote(
            OptionQuote(
                feed=self._feed,
                product=name,
                ts=snapshot.ts,
                symbol=symbol(name, expiry, side, strike),
                expiry=expiry,
                expiry_ts=self._rules.expiry_ns(chain.expiry),
                exercise=self._rules.exercise,
                strike=strike,
                option_type=side,
                spot_price=snapshot.spot,
                lot_size=self._lot_size(snapshot),
                oi_unit=_UNIT,
                truth=None,
                **quoted,  # type: ignore[arg-type]
            )
        )
