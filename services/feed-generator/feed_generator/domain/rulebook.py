"""Contract rules by date: lot, tick, strike step, expiries and sessions of each product.

The facts are in rulebook.json, and this module looks them up. A replay of June 2024 finds NIFTY's lot of 25
and its expiries on Thursdays; a live feed of 2026 finds 65 and Tuesdays. A lot belongs to a contract's
series, not to the day: see module lots.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast, get_args
from zoneinfo import ZoneInfo

from feed_generator.domain import lots
from feed_generator.domain.gbm import Dynamics
from feed_generator.domain.ssvi import Ssvi
from feed_generator.domain.terms import Session
from feed_generator.errors import BadRulebook, UnknownProduct

_DATA = Path(__file__).with_name("rulebook.json")
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_SCAN_DAYS = 400


@dataclass(frozen=True, slots=True)
class ExpiryRule:
    """Weekdays (0 = Monday) of weekly expiries, and the nth weekday of the month (-1 = the last).

    `apart`: a week with a monthly expiry has no weekly expiry.
    """

    since: date
    weekly: frozenset[int]
    apart: bool
    monthly_nth: int
    monthly_weekday: int

    def nominal(self, day: date) -> bool:
        """Return whether `day` is an expiry, without regard to holidays."""
        if self.monthly(day):
            return True
        if day.weekday() not in self.weekly:
            return False
        in_its_week = timedelta(days=self.monthly_weekday - day.weekday())
        return not (self.apart and self.monthly(day + in_its_week))

    def monthly(self, day: date) -> bool:
        """Return whether `day` is the month's monthly expiry, without regard to holidays."""
        if day.weekday() != self.monthly_weekday:
            return False
        if self.monthly_nth < 0:
            return (day + timedelta(days=7 * -self.monthly_nth)).month != day.month
        return (day.day - 1) // 7 + 1 == self.monthly_nth


@dataclass(frozen=True, slots=True)
class Market:
    """Parameters of a product's synthetic market (see rulebook.json)."""

    price: float
    dividend_yield: float
    dynamics: Dynamics
    factors: dict[str, float]
    smile: Ssvi
    open_interest: int
    spread_vol: float


@dataclass(frozen=True, slots=True)
class Contract:
    """What a product's contracts have in common on one trading day. Ticks: (from price, tick), ascending."""

    strike_step: float
    ticks: tuple[tuple[float, float], ...]


class ProductRules:
    """The rules of one product, past and present."""

    def __init__(self, name: str, data: dict[str, Any], exchange: dict[str, Any], rate: float) -> None:
        self.name = name
        self._dated = {what: _dated(data[what]) for what in ("strike_step", "tick")}
        self._lots = lots.revisions(data["lot_size"])
        self.exchange: str = data["exchange"]
        self.currency: str = data["currency"]
        self.exercise: str = data["exercise"]
        self.oi_unit: str = data["oi_unit"]
        self.settlement_session: Session = _session(data.get("settlement", "close"))
        self.multiplier: float | None = None
        self.tick: float | None = None  # those of `contract` depend on the day and the price
        self.rate = rate
        self.zone = ZoneInfo(exchange["timezone"])
        self._opens = time.fromisoformat(exchange["open"])
        self._closes = time.fromisoformat(exchange["close"])
        self._early_closes = {
            date.fromisoformat(day): time.fromisoformat(at)
            for day, at in exchange.get("early_closes", {}).items()
        }
        self.holidays = frozenset(map(date.fromisoformat, exchange["holidays"]))
        self.holidays_known_until = date.fromisoformat(exchange["holidays_known_until"])
        self._expiry_rules = [
            ExpiryRule(
                since=date.fromisoformat(rule["from"]),
                weekly=frozenset(map(_WEEKDAYS.index, rule["weekly"])),
                apart=rule.get("not_in_monthly_week", False),
                monthly_nth=rule["monthly"]["nth"],
                monthly_weekday=_WEEKDAYS.index(rule["monthly"]["weekday"]),
            )
            for rule in data["expiries"]
        ]
        self.market = _market(data["market"])

    def contract(self, day: date) -> Contract:
        """Return the contract terms on a trading day. Raises UnknownProduct before the first rule."""
        return Contract(
            strike_step=float(self._at("strike_step", day)),
            ticks=tuple((float(start), float(tick)) for start, tick in self._at("tick", day)),
        )

    def _at(self, what: str, day: date) -> Any:
        found = [value for since, value in self._dated[what] if since <= day]
        if not found:
            raise UnknownProduct(f"{self.name}: the rulebook has no {what} for {day}")
        return found[-1]

    def lot_size(self, expiry: date, day: date) -> int:
        """Return the lot of the contracts that expire on `expiry`, on the trading day `day`.

        Raises UnknownProduct before the first rule.
        """
        found = lots.lot(self._lots, expiry, self._kind(expiry), day)
        if found is None:
            raise UnknownProduct(
                f"{self.name}: the rulebook has no lot_size for {day}; define the product in the feed "
                "(DEFINITIONS)"
            )
        return found

    def _kind(self, expiry: date) -> lots.Kind:
        nominal = expiry  # a holiday moves the expiry to an earlier day
        while _trading_day_until(nominal, self.holidays) == expiry:
            if self._rule(nominal).monthly(nominal):
                return "quarterly" if nominal.month % 3 == 0 else "monthly"
            nominal += timedelta(days=1)
        return "weekly"

    def _rule(self, day: date) -> ExpiryRule:
        return next((r for r in reversed(self._expiry_rules) if r.since <= day), self._expiry_rules[0])

    def expiries(
        self, since: date, count: int, *, holidays: Collection[date] | None = None, monthly_only: bool = False
    ) -> list[date]:
        """Return the next `count` expiry dates from `since` on (inclusive), ascending.

        The rule in force on the nominal date applies. If the nominal date is no trading day, the expiry is on
        the trading day before. `holidays` replaces the exchange's known holidays.
        """
        closed = self.holidays if holidays is None else holidays
        found: list[date] = []
        for ahead in range(_SCAN_DAYS):
            nominal = since + timedelta(days=ahead)
            rule = self._rule(nominal)
            if not (rule.monthly(nominal) if monthly_only else rule.nominal(nominal)):
                continue
            day = _trading_day_until(nominal, closed)
            if day >= since and day not in found:
                found.append(day)
            if len(found) == count:
                break
        return found

    def expiry_ns(self, expiry: date) -> int:
        """Return the instant of expiry in ns since the epoch: the open or the close of the session."""
        opens, closes = self.session_ns(expiry)
        return opens if self.settlement_session == "open" else closes

    def session_ns(self, day: date) -> tuple[int, int]:
        """Return open and close of the session of `day`, in ns since the epoch."""
        closes = self._early_closes.get(day, self._closes)
        return self._instant(day, self._opens), self._instant(day, closes)

    def midnight_ns(self, day: date) -> int:
        """Return the start of `day` in the exchange's time zone, in ns since the epoch."""
        return self._instant(day, time())

    def is_trading_day(self, day: date) -> bool:
        """Return whether the exchange has a session on `day`, as far as its holidays are known."""
        return day.weekday() < 5 and day not in self.holidays

    def local_date(self, ts_ns: int) -> date:
        """Return the exchange's calendar date at `ts_ns`."""
        return datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC).astimezone(self.zone).date()

    def _instant(self, day: date, at: time) -> int:
        return int(datetime.combine(day, at, self.zone).timestamp()) * 1_000_000_000


def _trading_day_until(day: date, holidays: Collection[date]) -> date:
    while day.weekday() >= 5 or day in holidays:
        day -= timedelta(days=1)
    return day


def _session(word: str) -> Session:
    if word not in get_args(Session):
        raise ValueError(f"settlement: must be open or close: {word!r}")
    return cast("Session", word)


def _dated(rules: list[dict[str, Any]]) -> list[tuple[date, Any]]:
    found = [(date.fromisoformat(rule["from"]), rule["value"]) for rule in rules]
    if found != sorted(found, key=lambda one: one[0]):
        raise ValueError("dates must ascend")
    return found


def _market(data: dict[str, Any]) -> Market:
    if sum(loading**2 for loading in data["factors"].values()) >= 1:
        raise ValueError("the squares of the factors must sum to less than 1")
    return Market(
        price=float(data["price"]),
        dividend_yield=float(data["dividend_yield"]),
        dynamics=Dynamics(
            drift=data["drift"],
            volatility=data["volatility"],
            jump_rate=data["jumps"]["rate"],
            jump_mean=data["jumps"]["mean"],
            jump_sd=data["jumps"]["sd"],
            variance_reversion=data["variance_reversion"],
            variance_vol=data["variance_vol"],
            leverage=data["leverage"],
        ),
        factors=dict(data["factors"]),
        smile=Ssvi(**data["smile"]),
        open_interest=data["open_interest"],
        spread_vol=data["spread_vol"],
    )


@cache
def _data() -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = json.loads(_DATA.read_text())
    except ValueError as error:
        raise BadRulebook(f"{_DATA.name}: is not JSON: {error}") from None
    return loaded


def products() -> list[str]:
    """Return all products of the rulebook, sorted."""
    return sorted(_data()["products"])


def rules(product: str) -> ProductRules:
    """Return the rules of one product. Raises UnknownProduct or BadRulebook, as `all_rules` does."""
    return all_rules([product])[product]


def known_rules(names: Iterable[str]) -> dict[str, ProductRules]:
    """Return the rules of those products that the rulebook has, by name. Raises BadRulebook."""
    return all_rules([name for name in names if name in _data()["products"]])


def all_rules(names: Sequence[str]) -> dict[str, ProductRules]:
    """Return the rules of each product, by name.

    Raises UnknownProduct, which lists every name that the rulebook lacks and the names that it has, and
    BadRulebook if the rulebook's data are wrong.
    """
    known = _data()["products"]
    if unknown := [name for name in names if name not in known]:
        listed = ", ".join(map(repr, unknown))
        raise UnknownProduct(f"PRODUCTS: the rulebook has no {listed}; it knows {', '.join(products())}")
    return {name: _rules(name, known[name]) for name in names}


def _rules(product: str, found: dict[str, Any]) -> ProductRules:
    data = _data()
    try:
        return ProductRules(
            product, found, data["exchanges"][found["exchange"]], data["rates"][found["currency"]]
        )
    except KeyError as error:
        raise BadRulebook(f"{_DATA.name}: {product}: {error} is missing or unknown") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise BadRulebook(f"{_DATA.name}: {product}: {error}") from None
