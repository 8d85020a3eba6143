"""Deribit's decoders against frames of the real exchange, which stay outside the tree."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET, Raw
from scipy.optimize import brentq
from scipy.stats import norm

from feed_generator.live.deribit import market
from feed_generator.live.deribit.frames import Data, Greeks, decode, instruments
from feed_generator.live.exchange import BadFrame, Dropped
from feed_generator.live.ticks import Contract, Quote
from feed_generator.messages import Vendor

RECORDED = Path(__file__).parents[5] / "shared/data/markets/deribit"
YEAR_NS = 365 * 86_400 * 10**9
MARK_IV_DECIMAL = 0.01  # points: the exchange rounds mark_iv to it

recorded = pytest.mark.skipif(not RECORDED.is_dir(), reason=f"no recorded frames in {RECORDED}")


def _answers() -> list[list[dict[str, Any]]]:
    lines = (RECORDED / "rest_instruments_2021-07-22.txt").read_text().splitlines()
    return [
        json.loads(line.partition(" -> ")[2].partition(": ")[2])["result"] for line in lines if " -> " in line
    ]


def _frames() -> list[bytes]:
    lines = (RECORDED / "websocket_2021-07-22.txt").read_text().splitlines()
    received = [line.partition(": ")[2] for line in lines if " <-" not in line]
    return [text.encode() for text in received if text]


def _contracts() -> dict[str, tuple[Contract, bool]]:
    found = {}
    for answer in _answers():
        for one in instruments(Raw(json.dumps(answer).encode())):
            contract = market.contract(one)
            if contract:
                found[one.instrument_name] = (contract, market.inverse(one))
    return found


def _tickers() -> list[tuple[dict[str, Any], Quote]]:
    """Return each recorded ticker of an option as JSON and as decoded."""
    contracts, found = _contracts(), []
    for frame in _frames():
        decoded = decode(frame)
        if decoded.params and decoded.params.data and decoded.params.channel.startswith("ticker."):
            contract, in_coin = contracts[decoded.params.data.instrument_name]
            raw = json.loads(frame)["params"]["data"]
            found.append((raw, market.quote(contract, decoded.params.data, in_coin=in_coin)))
    return found


def _black76(forward: float, strike: float, years: float, iv: float, is_call: bool) -> float:
    sd = iv * math.sqrt(years)
    d1 = math.log(forward / strike) / sd + sd / 2
    call: float = forward * norm.cdf(d1) - strike * norm.cdf(d1 - sd)
    return call if is_call else call - forward + strike


@recorded
def test_every_recorded_option_becomes_a_contract_that_says_what_its_instrument_says() -> None:
    """Every option of the recorded lists has the expiry, strike, side and currencies of the exchange."""
    contracts = _contracts()
    options = [one for answer in _answers() for one in answer if one["kind"] == "option"]
    assert len(contracts) == len(options) == 980
    for one in options:
        contract, in_coin = contracts[one["instrument_name"]]
        currency, _, strike, side = one["instrument_name"].split("-")
        assert (contract.product, contract.settlement_currency) == (currency, currency)
        assert contract.price_unit == "USD"
        assert (contract.strike, contract.option_type[0]) == (float(strike), side)
        assert contract.expiry_ts == one["expiration_timestamp"] * 1_000_000
        assert contract.expiry_ts // 10**9 % 86_400 == 8 * 3600
        assert in_coin
        assert contract.multiplier == one["contract_size"]


@recorded
def test_every_recorded_ticker_decodes_to_what_the_exchange_says() -> None:
    """Prices are the coin's times the underlying; sizes, times and vendor values are unchanged."""
    frames, tickers = _frames(), _tickers()
    assert len(tickers) == sum(b'"channel":"ticker.' in frame for frame in frames) == 48
    for raw, quote in tickers:
        unit = raw["underlying_price"]
        assert quote.ts == raw["timestamp"] * 1_000_000
        assert quote.spot == raw["index_price"]
        assert quote.bid == raw["best_bid_price"] * unit
        assert quote.ask == raw["best_ask_price"] * unit
        assert quote.last == (raw["last_price"] or 0) * unit
        assert (quote.bid_size, quote.ask_size) == (raw["best_bid_amount"], raw["best_ask_amount"])
        assert quote.open_interest == raw["open_interest"]
        assert quote.volume == (raw["stats"]["volume"] or 0)
        assert isinstance(quote.vendor, Vendor)
        assert quote.vendor.iv == raw["mark_iv"] / 100
        assert quote.vendor.forward == unit
        assert [getattr(quote.vendor, name) for name in ("delta", "gamma", "vega", "theta")] == [
            raw["greeks"][name] for name in ("delta", "gamma", "vega", "theta")
        ]


@recorded
def test_every_recorded_frame_of_the_session_decodes() -> None:
    """Frames of channels that the source does not subscribe are no errors either."""
    assert [frame[:80] for frame in _frames() if not (decode(frame).method or decode(frame).id == 0)] == []


@recorded
def test_the_mark_price_in_usd_gives_back_the_exchanges_volatility() -> None:
    """Black-76 on price x underlying returns mark_iv to its last decimal, wherever the price determines it.

    It does not for a price of 0.000001, and for a put whose time value is below a hundredth of its price.
    """
    differences = {}
    for raw, quote in _tickers():
        assert isinstance(quote.vendor, Vendor)
        assert isinstance(quote.vendor.forward, float)
        years = (quote.contract.expiry_ts - quote.ts) / YEAR_NS
        forward, strike = quote.vendor.forward, quote.contract.strike
        is_call = quote.contract.option_type == "CALL"
        mark = raw["mark_price"] * forward
        intrinsic = max(0.0, forward - strike if is_call else strike - forward)
        if raw["mark_price"] > 1e-6 and intrinsic < 0.99 * mark:
            iv = brentq(lambda iv: _black76(forward, strike, years, iv, is_call) - mark, 0.01, 20, xtol=1e-9)  # noqa: B023
            differences[quote.contract.symbol, quote.ts] = 100 * iv - raw["mark_iv"]
    assert len(differences) == 41
    assert max(map(abs, differences.values())) < MARK_IV_DECIMAL


def _instrument(**changes: Any) -> dict[str, Any]:
    return {
        "instrument_name": "SOL_USDC-25DEC26-150-C",
        "kind": "option",
        "base_currency": "SOL",
        "quote_currency": "USDC",
        "settlement_currency": "USDC",
        "price_index": "sol_usdc",
        "contract_size": 10.0,
        "expiration_timestamp": 1_798_185_600_000,
        "is_active": True,
        "strike": 150.0,
        "option_type": "call",
        **changes,
    }


def _data(**changes: Any) -> Data:
    values = {"timestamp": 1_795_000_000_000, "index_price": 60_000.0, "underlying_price": 60_500.0}
    return Data(**{**values, "best_bid_price": 0.05, "best_ask_price": 0.06, **changes})


def _contract() -> Contract:
    (one,) = instruments(Raw(json.dumps([_instrument()]).encode()))
    contract = market.contract(one)
    assert contract is not None
    return contract


def test_a_linear_contract_keeps_its_prices_and_names_its_currency() -> None:
    """A contract quoted in USDC is a product of its own, and its prices are not multiplied."""
    quote = market.quote(_contract(), _data(best_bid_price=4.2), in_coin=False)
    assert (quote.contract.product, quote.contract.symbol) == ("SOL-USDC", "SOL-USDC20261225C150")
    assert (quote.contract.price_unit, quote.contract.settlement_currency) == ("USDC", "USDC")
    assert (quote.contract.lot_size, quote.contract.multiplier, quote.bid) == (10, 10, 4.2)


def test_futures_and_inactive_options_are_no_contracts() -> None:
    """Only an active option has quotes."""
    listed = [_instrument(kind="future", strike=None, option_type=None), _instrument(is_active=False)]
    assert [market.contract(one) for one in instruments(Raw(json.dumps(listed).encode()))] == [None, None]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("best_bid_price", -1.0),
        ("best_ask_amount", -0.1),
        ("last_price", 1e300),
        ("last_price", 1e8),  # in coin, so above 1e9 in USD
        ("mark_iv", -5.0),
    ],
)
def test_a_number_that_no_market_has_is_refused_with_its_field(field: str, value: float) -> None:
    """A negative or huge number drops the quote and names the field."""
    with pytest.raises(BadFrame, match=field):
        market.quote(_contract(), _data(**{field: value}), in_coin=True)


def test_prices_in_coin_without_an_underlying_price_are_refused() -> None:
    """The index is not the exchange's forward, so it would convert them wrongly."""
    with pytest.raises(BadFrame, match="no underlying_price: its prices in coin have no value in USD"):
        market.quote(_contract(), _data(underlying_price=None), in_coin=True)
    quote = market.quote(_contract(), _data(underlying_price=None), in_coin=False)
    assert isinstance(quote.vendor, Vendor)
    assert (quote.bid, quote.vendor.forward) == (0.05, UNSET)


@pytest.mark.parametrize("state", ["halted", "locked", "settlement", "inactive", "delivered"])
def test_an_order_book_that_is_not_open_has_no_bid_and_ask(state: str) -> None:
    """Nobody can trade there, so no volatility may come from its prices."""
    data = _data(state=state, best_bid_amount=2.0, best_ask_amount=3.0, last_price=0.05, mark_iv=60.0)
    quote = market.quote(_contract(), data, in_coin=True)
    assert (quote.bid, quote.ask, quote.bid_size, quote.ask_size) == (0, 0, 0, 0)
    assert (quote.last, quote.vendor) == (0.05 * 60_500, Vendor(iv=0.6, forward=60_500.0))


def test_a_greek_that_is_null_or_impossible_is_left_out() -> None:
    """One such number must not refuse the chain of its expiry."""
    greeks = Greeks(delta=0.5, gamma=None, vega=1e300, theta=-1.5)
    quote = market.quote(_contract(), _data(greeks=greeks), in_coin=True)
    assert quote.vendor == Vendor(delta=0.5, theta=-1.5, forward=60_500.0)


def test_a_price_of_zero_means_none() -> None:
    """Nobody bids: the price is 0, and a missing volatility is left out."""
    quote = market.quote(_contract(), _data(best_bid_price=0.0, best_ask_price=None), in_coin=True)
    assert (quote.bid, quote.ask) == (0, 0)
    assert isinstance(quote.vendor, Vendor)
    assert quote.vendor.iv is UNSET


def test_html_instead_of_json_ends_the_connection_with_the_beginning_and_the_fix() -> None:
    """A proxy's page is not a market."""
    with pytest.raises(Dropped, match=r"not JSON but begins with '<html>.*check the url"):
        decode(b"<html><body>Sign in</body></html>")


def test_a_frame_that_is_nested_too_deeply_is_refused() -> None:
    """It must not end the generator."""
    with pytest.raises(BadFrame, match="nested too deeply"):
        decode(b'{"x":' + b"[" * 200_000)


@pytest.mark.parametrize(
    "changes",
    [{"strike": -1.0}, {"contract_size": 0.0}, {"contract_size": 1e12}, {"expiration_timestamp": 10**15}],
)
def test_an_instrument_with_impossible_terms_is_no_contract(changes: dict[str, Any]) -> None:
    """Its messages would break their contract, or its date would be no date."""
    (one,) = instruments(Raw(json.dumps([_instrument(**changes)]).encode()))
    assert market.contract(one) is None


def test_a_field_of_the_wrong_type_refuses_only_the_frame() -> None:
    """The next frame may be right."""
    with pytest.raises(BadFrame, match=r"best_bid_price"):
        decode(b'{"method":"subscription","params":{"channel":"ticker.X","data":{"best_bid_price":"1"}}}')
