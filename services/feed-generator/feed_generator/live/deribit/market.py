"""Turn Deribit's instruments and tickers into contracts and quotes in the units of the messages.

An inverse contract is quoted in its coin. Its price in USD is the price in coin times the ticker's own
`underlying_price`, the future of the same expiry: so the exchange defines `mark_iv` (Black-76, r = 0). Sizes,
volume and open interest of options are in units of the coin.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import isfinite

from msgspec import UNSET, UnsetType

from feed_generator.live.deribit.frames import Data, Greeks, Instrument
from feed_generator.live.exchange import BadFrame
from feed_generator.live.ticks import Contract, Quote
from feed_generator.messages import Vendor, symbol

_NS_PER_MS = 1_000_000
MAX_PRICE = 1e9
_LAST_MS = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000)
_MAX_SIZE = 1e15
_MAX_GREEK = 1e9


def product(instrument: Instrument) -> str:
    """Return the product of an instrument: "BTC" for BTC-31DEC21-34000-P, "SOL-USDC" for a linear one."""
    return instrument.instrument_name.partition("-")[0].replace("_", "-")


def belongs(name: str, currency: str) -> bool:
    """Return True if the exchange lists the product under the currency: BTC, and SOL-USDC under USDC."""
    return name == currency or name.endswith(f"-{currency}")


def index_name(instrument: Instrument) -> str:
    """Return the name of the instrument's price index, such as "btc_usd"."""
    return instrument.price_index or f"{instrument.base_currency}_{_price_unit(instrument)}".lower()


def inverse(instrument: Instrument) -> bool:
    """Return True if the instrument is quoted in its coin."""
    return instrument.quote_currency == instrument.base_currency


def contract(instrument: Instrument) -> Contract | None:
    """Return the contract of an option, or None for anything else, an inactive one and impossible terms."""
    if instrument.kind != "option" or not instrument.is_active:
        return None
    if instrument.strike is None or instrument.option_type is None:
        return None
    terms = instrument.strike, instrument.contract_size
    if not (min(terms) > 0 and max(terms) <= MAX_PRICE and 0 < instrument.expiration_timestamp < _LAST_MS):
        return None
    expiry = datetime.fromtimestamp(instrument.expiration_timestamp / 1000, UTC).date().isoformat()
    side: str = "CALL" if instrument.option_type == "call" else "PUT"
    name = product(instrument)
    return Contract(
        product=name,
        symbol=symbol(name, expiry, side, instrument.strike),
        expiry=expiry,
        expiry_ts=instrument.expiration_timestamp * _NS_PER_MS,
        strike=instrument.strike,
        option_type="CALL" if side == "CALL" else "PUT",
        exercise="European",
        lot_size=max(1, int(instrument.contract_size)),
        oi_unit="shares",
        price_unit=_price_unit(instrument),
        settlement_currency=instrument.settlement_currency or instrument.quote_currency,
        multiplier=instrument.contract_size,
    )


def quote(of: Contract, data: Data, *, in_coin: bool) -> Quote:
    """Return the quote of a ticker. `in_coin`: its prices are in the coin. Raises BadFrame.

    While the order book is not open, nobody can trade at its bid and ask: the quote then has none.
    """
    spot = _number("index_price", data.index_price)
    forward = _number("underlying_price", data.underlying_price)
    if not spot:
        raise BadFrame("a ticker has no index_price: the quote has no spot")
    if in_coin and not forward:
        raise BadFrame("a ticker has no underlying_price: its prices in coin have no value in USD")
    unit = forward if in_coin else 1.0
    is_open = data.state == "open"
    return Quote(
        contract=of,
        ts=data.timestamp * _NS_PER_MS,
        spot=spot,
        bid=_price("best_bid_price", data.best_bid_price, unit) * is_open,
        ask=_price("best_ask_price", data.best_ask_price, unit) * is_open,
        last=_price("last_price", data.last_price, unit),
        bid_size=_number("best_bid_amount", data.best_bid_amount, _MAX_SIZE) * is_open,
        ask_size=_number("best_ask_amount", data.best_ask_amount, _MAX_SIZE) * is_open,
        volume=_number("stats.volume", data.stats.volume, _MAX_SIZE) if data.stats else 0,
        open_interest=_number("open_interest", data.open_interest, _MAX_SIZE),
        vendor=_vendor(data, forward),
    )


def _vendor(data: Data, forward: float) -> Vendor:
    """Return the exchange's own values. Those that are missing or impossible are left out."""
    greeks = data.greeks or Greeks()
    return Vendor(
        iv=_number("mark_iv", data.mark_iv) / 100 or UNSET,
        delta=_greek(greeks.delta),
        gamma=_greek(greeks.gamma),
        vega=_greek(greeks.vega),
        theta=_greek(greeks.theta),
        forward=forward or UNSET,
    )


def _greek(value: float | None) -> float | UnsetType:
    return UNSET if value is None or not abs(value) <= _MAX_GREEK else value


def _price_unit(instrument: Instrument) -> str:
    return (instrument.counter_currency or "USD") if inverse(instrument) else instrument.quote_currency


def _price(field: str, value: float | None, unit: float) -> float:
    """Return the value times the price of its unit. Raises BadFrame."""
    price = _number(field, value) * unit
    if price > MAX_PRICE:
        raise BadFrame(f"a ticker's {field} is above {MAX_PRICE:g} in USD: the quote is dropped")
    return price


def _number(field: str, value: float | None, most: float = MAX_PRICE) -> float:
    """Return the value, 0 for none. Raises BadFrame if it is negative, infinite or beyond the contracts."""
    if value is None:
        return 0
    if not 0 <= value <= most or not isfinite(value):
        raise BadFrame(f"a ticker's {field} is negative or above {most:g}: the quote is dropped")
    return value
