"""The fake exchange's market: options whose tickers follow from a moving spot and a smile.

Those on BTC and ETH are inverse: quoted and settled in the coin. Those on SOL and XRP are linear: quoted and
settled in USDC, and listed under that currency.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import erf, exp, log, sqrt
from random import Random
from typing import Any

DAY_MS = 86_400_000
YEAR_MS = 365 * DAY_MS
_DAYS = (2, 9, 30, 91, 182)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_TICK = 0.0001


_SPOTS = {"BTC": 60_000.0, "ETH": 3_000.0, "SOL_USDC": 150.0, "XRP_USDC": 0.6}
_CONTRACT_SIZES = {"SOL_USDC": 10.0, "XRP_USDC": 1000.0}


def index_name(product: str) -> str:
    """Return the name of a product's price index: btc_usd, sol_usdc."""
    return product.lower() if "_" in product else f"{product.lower()}_usd"


@dataclass(frozen=True)
class Option:
    """A listed option. `currency`: what its name begins with. Times are in ms since the epoch."""

    name: str
    currency: str
    expiry_ms: int
    strike: float
    is_call: bool
    created_ms: int


def black76(
    forward: float, strike: float, years: float, iv: float, is_call: bool
) -> tuple[float, float, float]:
    """Return price, delta and vega per percentage point, with a rate of 0."""
    sd = iv * sqrt(years)
    d1 = log(forward / strike) / sd + sd / 2
    normal = [(1 + erf(x / sqrt(2))) / 2 for x in (d1, d1 - sd)]
    call = forward * normal[0] - strike * normal[1]
    vega = forward * exp(-d1 * d1 / 2) / sqrt(2 * 3.141592653589793) * sqrt(years) / 100
    return (call, normal[0], vega) if is_call else (call - forward + strike, normal[0] - 1, vega)


class Market:
    """All listed options and the spot of each currency. The same seed and calls give the same tickers.

    `strikes`: number of strikes on each side of the first spot.
    """

    def __init__(self, now_ms: int, *, seed: int = 7, strikes: int = 20) -> None:
        self._random = Random(seed)
        self.spots = dict(_SPOTS)
        self.options: dict[str, Option] = {}
        for currency, spot in self.spots.items():
            step = spot / 60
            for days in _DAYS:
                expiry_ms = (now_ms // DAY_MS + days) * DAY_MS + 8 * 3_600_000
                for index in range(-strikes, strikes + 1):
                    for is_call in (True, False):
                        strike = round(spot + index * step, 4)
                        self.list_option(currency, expiry_ms, strike, is_call, now_ms)

    def list_option(self, currency: str, expiry_ms: int, strike: float, is_call: bool, now_ms: int) -> Option:
        """List an option and return it."""
        day = datetime.fromtimestamp(expiry_ms / 1000, UTC)
        date = f"{day.day}{_MONTHS[day.month - 1]}{day.year % 100:02}"
        number = f"{strike:g}".replace(".", "d")  # as in XRP_USDC-30JUN23-0d625-C
        name = f"{currency}-{date}-{number}-{'C' if is_call else 'P'}"
        option = Option(name, currency, expiry_ms, strike, is_call, now_ms)
        self.options[name] = option
        return option

    def move(self, currency: str) -> None:
        """Move a spot by a hundredth of a percent or so."""
        self.spots[currency] = round(self.spots[currency] * exp(self._random.gauss(0, 1e-4)), 4)

    def instruments(self, currency: str, kind: str | None = "option") -> list[dict[str, Any]]:
        """Return the result of public/get_instruments: options, and without a kind also perpetuals."""
        products = [one for one in self.spots if _settlement(one) == currency]
        listed = [self._instrument(one) for one in self.options.values() if one.currency in products]
        perpetuals = [{**_terms(one), "instrument_name": f"{one}-PERPETUAL"} for one in products]
        return (listed if kind in ("option", None) else []) + (perpetuals if kind in ("future", None) else [])

    def index(self, name: str, now_ms: int) -> dict[str, Any]:
        """Return the data of deribit_price_index.{name}."""
        price = next(spot for product, spot in self.spots.items() if index_name(product) == name)
        return {"index_name": name, "price": price, "timestamp": now_ms}

    def ticker(self, name: str, now_ms: int) -> dict[str, Any]:
        """Return the data of ticker.{name}.100ms. Prices are in the quote currency."""
        option = self.options[name]
        spot = self.spots[option.currency]
        years = max(1, option.expiry_ms - now_ms) / YEAR_MS
        forward = round(spot * exp(0.05 * years), 4)
        unit = 1.0 if "_" in option.currency else forward
        iv = round(60 + 25 * log(option.strike / forward) ** 2, 2)
        price, delta, vega = black76(forward, option.strike, years, iv / 100, option.is_call)
        mark = price / unit
        bid = max(0.0, round((mark * 0.99) // _TICK * _TICK, 4))
        size = round(self._random.uniform(0.1, 50), 1)
        greeks = {"delta": round(delta, 5), "gamma": 0.0, "vega": round(vega, 5), "theta": 0.0, "rho": 0.0}
        return {
            "instrument_name": name,
            "timestamp": now_ms,
            "state": "open",
            "underlying_price": forward,
            "underlying_index": name.rpartition("-")[0].rpartition("-")[0],
            "index_price": spot,
            "estimated_delivery_price": spot,
            "interest_rate": 0.0,
            "mark_price": round(mark, 8),
            "mark_iv": iv,
            "bid_iv": iv,
            "ask_iv": iv,
            "best_bid_price": bid,
            "best_bid_amount": size if bid else 0.0,
            "best_ask_price": round(mark * 1.01 // _TICK * _TICK + _TICK, 4),
            "best_ask_amount": size,
            "last_price": round(mark, 4),
            "open_interest": round(100 + option.strike % 977, 1),
            "settlement_price": round(mark, 4),
            "min_price": 0.0001,
            "max_price": 1.0,
            "greeks": greeks,
            "stats": {"volume": size, "price_change": None, "low": None, "high": None, "volume_usd": 0.0},
        }

    def _instrument(self, option: Option) -> dict[str, Any]:
        return {
            **_terms(option.currency),
            "instrument_name": option.name,
            "kind": "option",
            "settlement_period": "week",
            "option_type": "call" if option.is_call else "put",
            "strike": option.strike,
            "expiration_timestamp": option.expiry_ms,
            "creation_timestamp": option.created_ms,
        }


def _settlement(product: str) -> str:
    return product.partition("_")[2] or product


def _terms(product: str) -> dict[str, Any]:
    """Return the members that all instruments of a product share; those of a perpetual."""
    base, _, quote = product.partition("_")
    return {
        "kind": "future",
        "instrument_type": "linear" if quote else "reversed",
        "state": "open",
        "is_active": True,
        "base_currency": base,
        "quote_currency": quote or base,
        "counter_currency": quote or "USD",
        "settlement_currency": quote or base,
        "price_index": index_name(product),
        "settlement_period": "perpetual",
        "contract_size": _CONTRACT_SIZES.get(product, 1.0),
        "tick_size": _TICK,
        "tick_size_steps": [{"above_price": 0.005, "tick_size": 0.0005}],
        "min_trade_amount": 0.1,
        "expiration_timestamp": 32_503_708_800_000,
        "taker_commission": 0.0003,
        "maker_commission": 0.0003,
        "rfq": False,
    }
