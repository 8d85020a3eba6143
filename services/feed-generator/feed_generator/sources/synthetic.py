"""The schedule of the synthetic market: when each product emits which messages.

Time is divided into beats. In each beat every product has one instant, at which it emits one tick and two
quotes, and in every tenth beat also a chain: 10 ticks and 20 quotes for each chain. The length of a beat
follows from the rate of messages. The first beat takes at most 2 s and contains the chains of all expiries,
so every later quote has a forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from feed_generator.domain.gbm import YEAR_NS, CorrelatedPrices, factor_correlation
from feed_generator.domain.quotes import round_to_tick
from feed_generator.domain.rulebook import ProductRules
from feed_generator.messages import Message, Underlying, UnderlyingTruth, underlying
from feed_generator.sources.base import Batch
from feed_generator.sources.options import EXPIRIES, OptionMarket

BEATS_A_CHAIN = 10
QUOTES_A_BEAT = 2
_MESSAGES_A_BEAT = 1 + QUOTES_A_BEAT + 1 / BEATS_A_CHAIN
_OPENING_NS = 1_900_000_000


class SyntheticMarket:
    """A `Source`. The same seed, products, rate, speed and start time produce the same bytes."""

    def __init__(
        self,
        *,
        feed: str,
        rules: Sequence[ProductRules],
        seed: int,
        start_ns: int,
        messages_per_second: float,
        speed_percent: int,
    ) -> None:
        self._feed, self._rules, self._start_ns = feed, rules, start_ns
        self._beat_ns = max(1, round(1e9 * _MESSAGES_A_BEAT * len(rules) / messages_per_second))
        self._opening_ns = min(self._beat_ns, _OPENING_NS)
        self._years_a_beat = self._beat_ns / YEAR_NS * speed_percent / 100
        self._options = [
            OptionMarket(feed, one, seed, Random(f"{seed}/{one.name}/options"), start_ns) for one in rules
        ]
        self._prices = CorrelatedPrices(
            [one.market.price for one in rules],
            [one.market.dynamics for one in rules],
            factor_correlation([one.market.factors for one in rules]),
            [Random(f"{seed}/{one.name}/price") for one in rules],
        )
        self._beat = self._turn = 0

    def due_ns(self) -> int | None:
        """Return the offset of the next product's instant."""
        span = self._opening_ns if self._beat == 0 else self._beat_ns
        return self._beat * self._beat_ns + self._turn * span // len(self._rules)

    def skip(self, gap_ns: int) -> None:
        """Advance the event times by the gap. Prices do not move in it."""
        self._start_ns += gap_ns

    def advance(self) -> Batch:
        """Return one product's messages: its tick, its quotes and, in some beats, its chains."""
        ts = self._start_ns + (self.due_ns() or 0)
        which, beat = self._turn, self._beat
        if which == 0 and beat:
            self._prices.step(self._years_a_beat, [market.variance_factor for market in self._options])
        self._turn = (which + 1) % len(self._rules)
        self._beat += self._turn == 0
        return Batch(self._messages(which, beat, ts))

    def _messages(self, which: int, beat: int, ts: int) -> tuple[Message, ...]:
        rules, options = self._rules[which], self._options[which]
        options.at(ts)
        price, variance = self._prices.prices[which], self._prices.variances[which]
        spot = round_to_tick(price, options.ticks)
        dynamics = rules.market.dynamics
        truth = UnderlyingTruth((variance * options.variance_factor) ** 0.5, dynamics.drift)
        tick = underlying(Underlying(feed=self._feed, product=rules.name, ts=ts, price=spot, truth=truth))
        market_years = beat * self._years_a_beat
        chains = EXPIRIES if beat == 0 else int((beat + which) % BEATS_A_CHAIN == 0)
        return (
            tick,
            *(options.chain(ts, spot, variance, market_years) for _ in range(chains)),
            *options.quotes(QUOTES_A_BEAT, ts, spot, variance),
        )
