"""One product's synthetic options: make chains and quotes from its surface, expiries and contracts.

All products are priced and marked as European, American listings too. The implied volatility of a European
price is exact, so the enricher's results can be compared with the truth in the message.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt
from random import Random

from feed_generator.domain.black import black
from feed_generator.domain.book import Contract, new_contract
from feed_generator.domain.gbm import YEAR_NS, u_shape
from feed_generator.domain.quotes import Ticks, bid_ask, l_shape, round_to_tick, size
from feed_generator.domain.rulebook import ProductRules
from feed_generator.domain.sessions import SessionClock
from feed_generator.domain.ssvi import atm_total_variance
from feed_generator.messages import (
    ChainTruth,
    Legs,
    Message,
    OptionChain,
    OptionQuote,
    QuoteTruth,
    option_chain,
    option_quote,
    stated_terms,
    symbol,
)

EXPIRIES = 3
WING = 10  # strikes on each side of the money
EXERCISE = "European"
_TRADES_A_YEAR = 0.4 * 365 * 86_400  # of a contract at the money: one trade in 2.5 s
_TYPICAL_LOTS = 8


@dataclass(frozen=True, slots=True)
class Slice:
    """One expiry at one instant; `sd` = at-the-money volatility * sqrt(years).

    `unit`: what one lot counts in the unit of open interest.
    """

    expiry: str
    expiry_ns: int
    lot: int
    unit: int
    years: float
    forward: float
    discount: float
    theta: float
    sd: float
    atm_vega: float


@dataclass(frozen=True, slots=True)
class Priced:
    """One strike of a slice, both sides: (price, bid, ask) of call and put."""

    strike: float
    iv: float
    call: tuple[float, float, float]
    put: tuple[float, float, float]
    depth_sd: float  # how far the call is in the money


class OptionMarket:
    """Chains and quotes of one product. The times of calls must not decrease."""

    def __init__(self, feed: str, rules: ProductRules, seed: int, rng: Random, start_ns: int) -> None:
        self._feed, self._rules, self._seed, self._rng = feed, rules, seed, rng
        self._market = rules.market
        self.clock = SessionClock(rules)
        self._books: dict[str, dict[tuple[int, bool], Contract]] = {}
        self._traded_until: dict[str, float] = {}
        self._expiries: list[tuple[str, int, int]] = []
        self._stated = stated_terms(rules)
        self._turn = 0
        self._fraction: float | None = None
        self._new_day(start_ns)

    def _new_day(self, ts: int) -> None:
        self._fraction = self.clock.fraction(ts)
        self._day = self.clock.day
        self._contract = self._rules.contract(self._day)
        self._relist(ts)
        for book in self._books.values():
            for contract in book.values():
                contract.new_session()

    def _relist(self, ts: int) -> None:
        rules = self._rules
        dates = rules.expiries(self._day, EXPIRIES + 1)
        alive = [day for day in dates if rules.expiry_ns(day) > ts][:EXPIRIES]
        self._expiries = [
            (day.isoformat(), rules.expiry_ns(day), rules.lot_size(day, self._day)) for day in alive
        ]
        self._books = {name: self._books.get(name, {}) for name, *_ in self._expiries}

    def at(self, ts: int) -> None:
        """Advance the calendar to `ts`. A new session resets volumes; a past expiry is delisted."""
        self._fraction = self.clock.fraction(ts)
        if self.clock.day != self._day:
            self._new_day(ts)
        elif self._expiries[0][1] <= ts:
            self._relist(ts)

    @property
    def variance_factor(self) -> float:
        """The variance factor of the time of day that `at` was last called with."""
        return u_shape(self._fraction)

    @property
    def ticks(self) -> Ticks:
        """Today's price grid."""
        return self._contract.ticks

    def slice(self, which: int, ts: int, spot: float, variance: float) -> Slice:
        """Return expiry number `which` (0 = the nearest) at `ts`, in ns since the epoch."""
        expiry, expiry_ns, lot = self._expiries[which]
        unit = lot if self._rules.oi_unit == "shares" else 1
        market, rate = self._market, self._rules.rate
        years = (expiry_ns - ts) / YEAR_NS
        forward = spot * exp((rate - market.dividend_yield) * years)
        discount = exp(-rate * years)
        long_run = market.dynamics.volatility**2
        theta = atm_total_variance(years, variance, long_run, market.dynamics.variance_reversion)
        sd = sqrt(theta)
        atm_vega = black(forward, forward, discount, sd)[2] * sqrt(years)
        return Slice(expiry, expiry_ns, lot, unit, years, forward, discount, theta, sd, atm_vega)

    def _price(self, s: Slice, index: int) -> Priced:
        contract, market = self._contract, self._market
        strike = index * contract.strike_step
        total = market.smile.total_variance(log(strike / s.forward), s.theta)
        sd, root_years = sqrt(total), sqrt(s.years)
        call, put, vega = black(s.forward, strike, s.discount, sd)
        depth = log(s.forward / strike) / s.sd
        width = market.spread_vol * l_shape(self._fraction)
        vega *= root_years
        ticks = contract.ticks
        return Priced(
            strike,
            sd / root_years,
            (call, *bid_ask(call, vega, s.atm_vega, depth, width, ticks)),
            (put, *bid_ask(put, vega, s.atm_vega, -depth, width, ticks)),
            depth,
        )

    def _book(self, s: Slice, index: int, is_call: bool, priced: Priced) -> Contract:
        found = self._books[s.expiry].get((index, is_call))
        if found is None:
            price = (priced.call if is_call else priced.put)[0]
            found = new_contract(
                f"{self._seed}/{self._rules.name}/{s.expiry}/{index}/{is_call}",
                median=self._market.open_interest,
                unit=s.unit,
                index=index,
                depth_sd=priced.depth_sd if is_call else -priced.depth_sd,
                close=round_to_tick(price, self._contract.ticks),
            )
            self._books[s.expiry][index, is_call] = found
        return found

    def _traded(self, s: Slice) -> int:
        return s.unit * (1 + int(self._rng.expovariate(1 / _TYPICAL_LOTS)))

    def _window(self, s: Slice) -> range:
        middle = max(round(s.forward / self._contract.strike_step), WING + 1)
        return range(middle - WING, middle + WING + 1)

    def chain(self, ts: int, spot: float, variance: float, market_years: float) -> Message:
        """Return the next expiry's chain. `market_years`: market time since the start, for trades."""
        which, self._turn = self._turn, (self._turn + 1) % len(self._expiries)
        s = self.slice(which % len(self._expiries), ts, spot, variance)
        elapsed = market_years - self._traded_until.get(s.expiry, market_years)
        self._traded_until[s.expiry] = market_years
        busy = -_TRADES_A_YEAR * elapsed * self.variance_factor
        priced = [(index, self._price(s, index)) for index in self._window(s)]
        chain = OptionChain(
            feed=self._feed,
            product=self._rules.name,
            ts=ts,
            expiry=s.expiry,
            expiry_ts=s.expiry_ns,
            exercise=EXERCISE,
            spot_price=spot,
            lot_size=s.lot,
            oi_unit=self._rules.oi_unit,
            strikes=[p.strike for _, p in priced],
            calls=Legs(),
            puts=Legs(),
            truth=ChainTruth(s.forward, s.discount, [p.iv for _, p in priced]),
            **self._stated,
        )
        for index, p in priced:
            likely = 1 - exp(busy * exp(-0.5 * p.depth_sd * p.depth_sd))
            for is_call, legs, (_, bid, ask) in ((True, chain.calls, p.call), (False, chain.puts, p.put)):
                contract = self._book(s, index, is_call, p)
                if self._rng.random() < likely:
                    contract.trade(self._rng, self._traded(s), s.unit, bid or ask)
                self._append(legs, contract, s.unit, bid, ask)
        return option_chain(chain)

    def _append(self, legs: Legs, contract: Contract, unit: int, bid: float, ask: float) -> None:
        legs.bid.append(bid)
        legs.ask.append(ask)
        legs.last.append(contract.last)
        legs.bid_size.append(size(self._rng, unit) if bid else 0)
        legs.ask_size.append(size(self._rng, unit))
        legs.volume.append(contract.volume)
        legs.open_interest.append(contract.open_interest)
        legs.previous_close.append(contract.previous_close)
        legs.previous_open_interest.append(contract.previous_open_interest)

    def quotes(self, count: int, ts: int, spot: float, variance: float) -> list[Message]:
        """Return `count` quotes of contracts near the money of one expiry, most often the nearest one."""
        rng = self._rng
        which = min(int(rng.expovariate(1.2)), len(self._expiries) - 1)
        s = self.slice(which, ts, spot, variance)
        window = self._window(s)
        found = []
        for _ in range(count):
            index = min(max(window[WING] + round(rng.gauss(0, 3)), window[0]), window[-1])
            found.append(self._quote(s, index, rng.random() < 0.5, ts, spot))
        return found

    def _quote(self, s: Slice, index: int, is_call: bool, ts: int, spot: float) -> Message:
        p, rng = self._price(s, index), self._rng
        price, bid, ask = p.call if is_call else p.put
        contract = self._book(s, index, is_call, p)
        if rng.random() < 0.5:
            contract.trade(rng, self._traded(s), s.unit, ask if rng.random() < 0.5 else bid or ask)
        side = "CALL" if is_call else "PUT"
        return option_quote(
            OptionQuote(
                feed=self._feed,
                product=self._rules.name,
                ts=ts,
                symbol=symbol(self._rules.name, s.expiry, side, p.strike),
                expiry=s.expiry,
                expiry_ts=s.expiry_ns,
                exercise=EXERCISE,
                strike=p.strike,
                option_type=side,
                spot_price=spot,
                lot_size=s.lot,
                oi_unit=self._rules.oi_unit,
                bid=bid,
                ask=ask,
                last=contract.last,
                bid_size=size(rng, s.unit) if bid else 0,
                ask_size=size(rng, s.unit),
                volume=contract.volume,
                open_interest=contract.open_interest,
                truth=QuoteTruth(s.forward, s.discount, p.iv, price),
                **self._stated,
            )
        )
