"""How figures of real markets are written: prices in another currency, fractional strikes, units."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.timeout(300)
NIFTY = {"spot_price": 23501.1, "strikes": [23450, 23500], "bid": 143.1, "ask": 143.95}
"""In ticks of 0.05."""
BTC = {"spot_price": 60188.68, "strikes": [60000, 61000], "bid": 2307.84682276, "ask": 2362.07821024}
"""In USD that were coins: no tick."""
SPX = {"spot_price": 4500.5298, "strikes": [4500, 4550], "bid": 65.9, "ask": 68.85}
"""An index with more decimals than its options."""
XRP = {"spot_price": 0.6083, "strikes": [0.475, 0.5], "bid": 0.0163, "ask": 0.017}
ADJUSTED = {"spot_price": 53.57, "strikes": [51.67, 52.5], "bid": 1.5, "ask": 1.65}


def run(page: Page, code: str, argument: Any) -> Any:
    """Run `code` with the module `m`, the chain `a`, and formats `f`."""
    return page.evaluate(
        f"""async a => {{ const m = await import('/web/app/chains.js');
        const f = new (await import('/web/app/formats.js')).Formats('en-US'); {code} }}""",
        argument,
    )


def chain(market: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A chain whose contracts all have the market's bid and ask."""
    row = {"bid": market["bid"], "ask": market["ask"], "last": 0}
    calls = [{**row, "strike": strike} for strike in market["strikes"]]
    return {**market, "calls": calls, "puts": calls, "oi_unit": "shares", **members}


@pytest.mark.parametrize(
    ("market", "decimals"), [(NIFTY, (2, 2)), (BTC, (2, 2)), (SPX, (2, 2)), (XRP, (4, 4)), (ADJUSTED, (2, 2))]
)
def test_decimals_are_those_of_the_tick_and_sensible_without_one(
    page: Page, market: dict[str, Any], decimals: tuple[int, int]
) -> None:
    """First those of the options' prices, then those of spot and forward."""
    code = "return [m.quoteDecimals(a), m.spotDecimals(a)];"
    assert tuple(run(page, code, chain(market))) == decimals


@pytest.mark.parametrize(("market", "decimals"), [(NIFTY, 0), (XRP, 3), (ADJUSTED, 2)])
def test_a_strike_is_never_rounded(page: Page, market: dict[str, Any], decimals: int) -> None:
    """0.475 is a contract; 0.48 is none."""
    assert run(page, "return m.strikeDecimals(a);", chain(market)) == decimals


@pytest.mark.parametrize(
    ("members", "unit"),
    [
        ({}, "shares"),
        ({"oi_unit": "contracts", "price_unit": "USD", "settlement_currency": "BTC"}, "contracts"),
        ({"price_unit": "USD", "settlement_currency": "BTC"}, "BTC"),
        ({"price_unit": "USDC", "settlement_currency": "USDC"}, "units"),
        ({"price_unit": "USD"}, "shares"),
    ],
)
def test_sizes_have_the_unit_that_the_source_counts(page: Page, members: dict[str, str], unit: str) -> None:
    assert run(page, "return m.unitOf(a);", chain(BTC, **members)) == unit


def test_the_step_of_small_strikes_is_exact(page: Page) -> None:
    """The axis names each strike, so a strike may not move."""
    code = """const p = await import('/web/app/charts/positions.js'); const step = p.stepOf(a.strikes);
    return p.place(a.strikes, step).map(at => f.count(at * step));"""
    strikes = [0.0625, 0.065, 0.0675, 0.07]
    assert run(page, code, {"strikes": strikes}) == ["0.0625", "0.065", "0.0675", "0.07"]
