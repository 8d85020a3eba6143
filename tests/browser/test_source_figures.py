"""The pure modules of the view Sources, run in Chromium: rates, and the comparison with a vendor."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.test_modules import run

pytestmark = pytest.mark.timeout(300)
SECOND = 10**9


def answer(second: float, appended: int, *frames: int) -> dict[str, Any]:
    """An answer of the route: generators with so many frames of 100 bytes, each report half a second old."""
    ts = int(second * SECOND)
    generators = [
        {"shard": shard, "ts": ts - SECOND // 2, "frames": count, "frame_bytes": 100 * count}
        for shard, count in enumerate(frames)
    ]
    return {"ts": ts, "appended": appended, "generators": generators}


def rate(page: Page, *answers: dict[str, Any]) -> dict[str, Any]:
    code = "const rates = new m.Rates(); for (const one of a) rates.add(one); return rates.now();"
    found: dict[str, Any] = run(page, "../views/sources/rates", code, answers)
    return found


def test_the_rates_are_those_of_the_last_ten_seconds(page: Page) -> None:
    """All generators together; a sample from before the window does not count."""
    found = rate(page, answer(0, 0, 0, 0), answer(20, 1000, 100, 100), answer(25, 1050, 150, 110))
    assert found == {"messages": 10, "frames": 12, "bytes": 1200}


def test_a_counter_that_started_again_has_no_rate(page: Page) -> None:
    """A new generator counts from 0; a source without generators of a live source has messages only."""
    assert rate(page, answer(0, 50, 100), answer(5, 60, 3)) == {"messages": 2, "frames": None, "bytes": None}
    assert rate(page, answer(0, 50), answer(5, 60)) == {"messages": 2, "frames": None, "bytes": None}
    assert rate(page, answer(0, 50, 1))["messages"] is None


def test_rates_begin_again_after_the_servers_clock_was_set_back(page: Page) -> None:
    """An hour of silence would follow otherwise. The clocks of two gateways may differ by a little."""
    assert rate(page, answer(3600, 900), answer(0, 1000), answer(5, 1050))["messages"] == 10
    assert rate(page, answer(10, 900), answer(9, 890), answer(15, 950))["messages"] == 10


def test_an_unknown_rate_is_a_gap_of_the_line(page: Page) -> None:
    points = [{"at": 1000 * at, "value": value} for at, value in enumerate([1, 2, None, 2, 0])]
    drawn = run(page, "../views/sources/trend", "return m.path(a, 2);", points)
    assert [part.count("L") for part in drawn.split("M")[1:]] == [1, 1]


@pytest.mark.parametrize(
    ("file", "taken", "name"),
    [
        ("My SPY chain.csv", [], "my-spy-chain"),
        ("option-chain.csv", ["option-chain", "option-chain-2"], "option-chain-3"),
        ("a" * 50 + ".csv", ["a" * 40], "a" * 38 + "-2"),
        ("данные.csv", [], ""),
    ],
)
def test_a_new_feed_has_the_name_of_its_file(page: Page, file: str, taken: list[str], name: str) -> None:
    """No other feed has it; a name without a letter that is allowed is left to the reader."""
    assert run(page, "../views/sources/files", "return m.nameOf(...a);", [file, taken]) == name


def test_only_contracts_with_both_volatilities_are_compared(page: Page) -> None:
    """The classes and the spread have vol points; the sign is that of ours less the vendor's."""

    def leg(strike: float, ours: float | None, vendor: float | None) -> dict[str, Any]:
        difference = None if ours is None or vendor is None else ours - vendor
        made = {"strike": strike, "iv": ours, "vendor_iv": vendor, "vendor_iv_difference": difference}
        return {**made, "iv_bid": None, "iv_ask": None if ours is None else ours + 0.001}

    calls = [leg(90, 0.6, 0.5), leg(100, 0.5, 0.5002), leg(110, None, 0.5), leg(120, 0.5, None)]
    puts = [leg(90, 0.5, 0.503), {"strike": 100, "iv": 0.5}]
    calls[0]["iv_bid"] = 0.3  # a wide quote: the vendor's volatility lies inside
    code = """const pairs = m.pairsOf(a); const classes = m.distribution(pairs);
    return [m.vendorCount(a), pairs.length, m.spreadOf(pairs), classes,
        m.worst(pairs, 1)[0].strike, m.spreadOf([]), m.outside(pairs).map(({strike}) => strike)];"""
    chain = {"expiry": "2026-12-25", "calls": calls, "puts": puts}
    vendor, pairs, spread, classes, worst, none, outside = run(
        page, "../views/sources/comparison", code, chain
    )
    assert (vendor, pairs, worst, none) == (4, 3, 90, None)
    assert spread == pytest.approx({"median": 0.3, "most": 10, "largest": 10})
    assert classes == [1, 0, 0, 1, 0, 0, 0, 1]
    assert outside == [90], "only the put: no price up to its ask has the vendor's volatility"
