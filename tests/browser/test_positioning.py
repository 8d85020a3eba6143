"""The positioning shows the open interest and the ratios that REST answers, and follows the market."""

from __future__ import annotations

import json

import pytest
from devcluster.waiting import wait_until
from playwright.sync_api import Route, expect

from tests.browser.desk import Desk
from tests.browser.numbers import newest, said, table

pytestmark = pytest.mark.timeout(300)
CLOSE = "2024-06-27"
STRIKES = "Open interest and its change by strike"
RATIOS = "Put/call ratio over time"


def signed(value: float) -> str:
    return f"{value:+,.0f}" if value else "0"


def test_open_interest_and_its_change_agree_with_rest(desk: Desk) -> None:
    """Every strike, calls and puts; the sums of the charts are those of the chain."""
    chain = desk.system.get(f"/api/data/chain/NIFTY?expiry={CLOSE}&limit=1")["chains"][0]
    page = desk.open(f"positioning/NIFTY/{CLOSE}?show=table")
    shown = table(page, STRIKES)
    assert len(shown) == len(chain["calls"])
    for call, put in zip(chain["calls"], chain["puts"], strict=True):
        cells = shown[f"{call['strike']:g}"][1:]
        expected = [(f"{row['open_interest']:,}", signed(row["open_interest_change"])) for row in (call, put)]
        assert cells == [cell for pair in expected for cell in pair]
    page.get_by_role("radio", name="Charts").check()
    chart = page.get_by_role("slider", name=STRIKES)
    expect(chart).to_be_visible()
    assert f"Calls {chain['total_call_oi']:,}" in said(page, STRIKES)
    assert f"Puts {chain['total_put_oi']:,}" in said(page, STRIKES)


def test_the_crosshair_starts_at_the_spot_and_moves_by_strikes(desk: Desk) -> None:
    chain = desk.system.get(f"/api/data/chain/NIFTY?expiry={CLOSE}&limit=1")["chains"][0]
    page = desk.open(f"positioning/NIFTY/{CLOSE}?strikes=all")
    chart = page.get_by_role("slider", name=STRIKES)
    expect(chart).to_have_attribute("aria-valuemax", str(len(chain["calls"]) - 1))
    at = next(at for at, row in enumerate(chain["calls"]) if row["strike"] >= chain["spot_price"])
    chart.focus()
    page.keyboard.press("ArrowRight")
    for index in (at, at + 1):
        call, put = chain["calls"][index], chain["puts"][index]
        parts = [f"Strike {call['strike']:,.0f}"]
        for name, row in (("calls", call), ("puts", put)):
            parts.append(f"{name} OI {row['open_interest']:,} ({signed(row['open_interest_change'])})")
        if said(page, STRIKES) == "; ".join(parts):
            break
    else:
        raise AssertionError(said(page, STRIKES))


def test_the_ratios_continue_their_stored_history(desk: Desk) -> None:
    """The newest point is the live one; the others are stored, each at most once."""
    expiry = desk.system.get("/api/data/expiries/SPY")["expiries"][0]
    page = desk.open(f"positioning/SPY/{expiry}?show=table")
    before = table(page, "Put/call ratios")
    keys = [int(key) for key in before]
    assert keys == sorted(set(keys), reverse=True)
    wait_until(lambda: newest(page, "Put/call ratios") > keys[0], "a live ratio is in the table")
    after = table(page, "Put/call ratios")
    stored = desk.system.get(f"/api/analytics/pcr/SPY?expiry={expiry}&history=true&limit=1000")["history"]
    pairs = {(f"{one['pcr_oi']:.4f}", f"{one['pcr_volume']:.4f}") for one in stored}
    found = [tuple(cells[1:]) in pairs for cells in after.values()]
    assert sum(found) >= len(found) - 1, found  # the newest may not be stored yet


def test_a_failed_history_leaves_the_rest_and_says_when_it_tries_again(desk: Desk) -> None:
    """Open interest needs no history."""

    def fail(route: Route) -> None:
        problem = {"status": 503, "code": "storage_unavailable", "detail": "storage is unavailable"}
        route.fulfill(status=503, headers={"Retry-After": "1"}, body=json.dumps(problem))

    desk.page.route("**/api/analytics/pcr/**", fail)
    page = desk.open(f"positioning/NIFTY/{CLOSE}")
    expect(page.get_by_role("slider", name=STRIKES)).to_be_visible()
    expect(page.get_by_role("note")).to_contain_text("storage is unavailable. Next try in")
    page.unroute("**/api/analytics/pcr/**", fail)
    expect(page.get_by_role("note")).not_to_contain_text("unavailable")
    expect(page.get_by_role("slider", name=RATIOS)).to_be_visible()
    desk.forgive("503")
