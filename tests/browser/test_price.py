"""The price shows the bars that REST answers, and continues them with every tick: no gap, no double."""

from __future__ import annotations

import json
import re
from datetime import datetime

import pytest
from devcluster.waiting import wait_until
from playwright.sync_api import Route, expect

from tests.browser.desk import Desk
from tests.browser.numbers import newest, said, table

pytestmark = pytest.mark.timeout(300)
CAPTION = "Candles"
CHART = "Price"


def bars(desk: Desk, product: str, window: int) -> dict[int, list[str]]:
    """The bars of REST as the table shows them, by start."""
    found = desk.system.get(f"/api/analytics/ohlc/{product}?window={window}&limit=500")["bars"]
    return {
        int(datetime.fromisoformat(bar["start"]).timestamp()): [
            f"{bar[name]:,.2f}" for name in ("open", "high", "low", "close")
        ]
        for bar in found
    }


@pytest.mark.parametrize("window", [1, 5, 15, 60])
def test_the_candles_agree_with_rest(desk: Desk, window: int) -> None:
    """The recording stands still, so all bars are equal; times are those of the exchange."""
    page = desk.open(f"price/NIFTY?window={window}&show=table")
    shown = table(page, CAPTION)
    assert {int(key): cells[1:] for key, cells in shown.items()} == bars(desk, "NIFTY", window)
    assert next(iter(shown.values()))[0] == "Jun 21, 2024, 15:30:00 IST"


def test_the_running_candle_is_built_from_ticks(desk: Desk) -> None:
    """The page gets the history once. The candle that was running then is whole when the next one starts."""
    first: list[str] = []

    def once(route: Route) -> None:
        if not first:
            first.append(route.fetch().text())
        route.fulfill(body=first[0], content_type="application/json")

    desk.page.route("**/api/analytics/ohlc/**", once)
    page = desk.open("price/SPY?show=table")
    running = max(int(key) for key in table(page, CAPTION))
    wait_until(lambda: newest(page, CAPTION) > running, "the next minute begins")
    shown = table(page, CAPTION)
    keys = [int(key) for key in shown]
    assert keys == sorted(set(keys), reverse=True)
    assert keys[0] == running + 60
    assert shown[str(running)][1:] == bars(desk, "SPY", 1)[running]


def test_the_newest_candle_follows_the_ticks(desk: Desk) -> None:
    page = desk.open("price/SPY")
    chart = page.get_by_role("slider", name=CHART)
    expect(chart).to_have_attribute("aria-valuetext", re.compile(" ET; open "))
    before = said(page, CHART)
    expect(chart).not_to_have_attribute("aria-valuetext", before)


def test_the_window_is_in_the_link(desk: Desk) -> None:
    page = desk.open("price/SPY")
    page.get_by_role("radio", name="15 min").check()
    page.wait_for_url("**window=15**")
    page.reload()
    expect(page.get_by_role("radio", name="15 min")).to_be_checked()


def test_a_reconnection_asks_for_the_history_again(desk: Desk) -> None:
    """Ticks of the meantime are lost to the page, but not to the history."""
    page = desk.open("price/SPY?window=60")
    expect(page.get_by_role("slider", name=CHART)).to_be_visible()
    asked = "performance.getEntriesByType('resource').filter(({ name }) => name.includes('/ohlc/')).length"
    assert page.evaluate(asked) == 1
    desk.system.kill("socket-gateway")
    wait_until(lambda: page.evaluate(asked) == 2, "the page asks for the bars again")
    # Chromium itself reports each failed attempt.
    desk.forgive("WebSocket")


def test_without_a_history_the_candles_start_with_the_ticks(desk: Desk) -> None:
    """A new product has ticks before storage has its first bar."""
    problem = json.dumps({"status": 404, "code": "unknown_product", "detail": "no bars of SPY"})
    desk.page.route("**/ohlc/**", lambda route: route.fulfill(status=404, body=problem))
    page = desk.open("price/SPY?show=table")
    expect(page.get_by_role("note")).to_contain_text("There is no history yet")
    shown = table(page, CAPTION)
    assert len(shown) <= 2
    desk.forgive("404")
