"""The chain view shows what REST answers, follows the market, and says why a number is missing."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.desk import PHONE, Desk

pytestmark = pytest.mark.timeout(300)  # the first test also waits for the system
CLOSE = "2024-06-27"


def newest(desk: Desk, product: str, expiry: str) -> dict[str, Any]:
    """The newest stored chain, from REST."""
    chain: dict[str, Any] = desk.system.get(f"/api/data/chain/{product}?expiry={expiry}&limit=1")["chains"][0]
    return chain


def test_the_head_agrees_with_rest_and_with_the_reference(desk: Desk) -> None:
    """Forward, ratios, max pain, straddle and volatility at the close of 21 June 2024 (quant.md)."""
    desk.chain("NIFTY", CLOSE)
    chain = newest(desk, "NIFTY", CLOSE)
    assert float(desk.figure("forward").replace(",", "")) == pytest.approx(chain["forward"], abs=0.006)
    assert float(desk.figure("forward").replace(",", "")) == pytest.approx(23465.6, abs=0.05)
    assert (desk.figure("pcr"), desk.figure("pcrVolume")) == ("0.9155", "0.9808")
    assert desk.figure("pain") == f"{chain['max_pain_strike']:,.0f}" == "23,400"
    assert desk.figure("straddle") == "255.88"
    assert desk.figure("iv") == f"{chain['atm_iv'] * 100:.2f} %" == "10.63 %"
    assert desk.figure("left") == "6 d 0 h"
    assert desk.page.locator("#spot").inner_text() == f"{chain['spot_price']:,.2f}"


def test_every_cell_agrees_with_rest(desk: Desk) -> None:
    """Prices, volatilities and deltas of the whole ladder, at the precision that it shows."""
    desk.chain("NIFTY", CLOSE)
    chain = newest(desk, "NIFTY", CLOSE)
    shown = desk.row_texts()
    assert len(shown) == len(chain["calls"])
    for call, put in zip(chain["calls"], chain["puts"], strict=True):
        texts = shown[f"{call['strike']:g}"]
        assert texts[7:9] == [_price(call["bid"]), _price(call["ask"])]
        assert texts[10:12] == [_price(put["bid"]), _price(put["ask"])]
        assert texts[12:15] == [_price(put["last"]), _fixed(put["iv"], 100, 1), _fixed(put["delta"], 1, 2)]
        assert texts[4:7] == [_fixed(call["delta"], 1, 2), _fixed(call["iv"], 100, 1), _price(call["last"])]


def _price(value: float) -> str:
    return f"{value:,.2f}" if value else "–"


def _fixed(value: float | None, factor: int, decimals: int) -> str:
    if value is None:
        return "–"
    return f"{round(value * factor, decimals) + 0:,.{decimals}f}"  # + 0: without the sign of -0


def test_a_missing_number_says_why_on_hover_and_on_focus(desk: Desk) -> None:
    """In words, not as a code; with the mouse and without."""
    page = desk.chain("NIFTY", CLOSE)
    rows = [row for row in newest(desk, "NIFTY", CLOSE)["calls"] if row["iv_reason"] == "wide_spread"]
    cell = desk.cell(rows[0]["strike"], "calls", "iv")
    cell.scroll_into_view_if_needed()
    cell.hover()
    expect(page.get_by_role("tooltip")).to_contain_text("the spread is too wide")
    page.mouse.move(0, 0)
    expect(page.get_by_role("tooltip")).to_be_hidden()
    cell.click()
    expect(page.get_by_role("tooltip")).to_contain_text("the spread is too wide")
    expect(cell).to_be_focused()


def test_the_recording_is_named_as_one(desk: Desk) -> None:
    """Nobody may take the prices of 2024 for those of today, whatever the clock of his computer says."""
    desk.page.add_init_script("const now = Date.now; Date.now = () => now() - 5 * 3600e3;")
    desk.chain("NIFTY", CLOSE)
    expect(desk.page.locator("#state")).to_have_attribute("data-state", "recording")
    expect(desk.page.locator("#state-text")).to_contain_text("recording of Jun 21, 2024, ")
    assert "h" not in desk.page.locator("#state-text").inner_text().partition("2024")[2]


def test_live_updates_change_only_the_cells_that_changed(desk: Desk) -> None:
    """The table is not built again: the rows stay the same elements, and cells change in them."""
    page = desk.chain("SPY")
    expect(page.locator("#state")).to_have_attribute("data-state", "live")
    page.evaluate("window.kept = document.querySelector('.ladder tbody tr')")
    before = desk.row_texts()
    expect(page.locator(".ladder td[data-flash]").first).to_be_attached()
    desk.wait("document.querySelectorAll('.ladder td[data-flash]').length > 20")
    after = desk.row_texts()
    assert before.keys() == after.keys()
    assert before != after
    assert page.evaluate("window.kept.isConnected")


def test_the_at_the_money_row_stays_in_the_middle_until_the_reader_scrolls(desk: Desk) -> None:
    page = desk.chain("NIFTY", CLOSE)
    atm = page.locator("tr.atm")
    expect(atm).to_be_in_viewport()
    chip = page.get_by_role("button", name="Back to ATM")
    expect(chip).to_be_hidden()
    page.locator(".scroller").hover()
    page.mouse.wheel(0, 3000)
    expect(chip).to_be_visible()
    expect(atm).not_to_be_in_viewport()
    chip.click()
    expect(atm).to_be_in_viewport()
    expect(chip).to_be_hidden()


def test_columns_can_be_chosen_and_are_in_the_link(desk: Desk) -> None:
    page = desk.chain("NIFTY", CLOSE)
    page.get_by_text("Columns", exact=True).first.click()
    page.get_by_label("Delta").uncheck()
    expect(page.locator("td.c-delta")).to_have_count(0)
    assert "delta" not in page.url.partition("cols=")[2]
    page.reload()
    expect(page.locator("tr.atm")).to_be_visible()
    expect(page.locator("td.c-delta")).to_have_count(0)


def test_a_phone_shows_three_columns_a_side(desk: Desk) -> None:
    """Volatility, last price and open interest beside the strike; the others are a swipe away."""
    desk.look(size=PHONE)
    page = desk.chain("NIFTY", CLOSE)
    strike = page.locator("tr.atm th").inner_text().replace(",", "")
    for side in ("calls", "puts"):
        for column in ("iv", "last", "oi"):
            expect(desk.cell(float(strike), side, column)).to_be_in_viewport(ratio=0.95)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_an_unknown_product_leads_to_the_known_ones(desk: Desk) -> None:
    page = desk.open("chain/NIFFTY")
    expect(page.get_by_role("heading", name="There is no product NIFFTY")).to_be_visible()
    page.get_by_role("button", name="NIFTY", exact=True).click()
    expect(page.locator("tr.atm")).to_be_visible()


def test_an_unknown_expiry_leads_to_the_known_ones(desk: Desk) -> None:
    page = desk.open("chain/NIFTY/2024-06-28")
    expect(page.get_by_role("heading", name="NIFTY has no expiry 2024-06-28")).to_be_visible()
    page.get_by_role("button", name="Jun 27, 2024").click()
    expect(page.locator("tr.atm")).to_be_visible()


def test_the_page_works_under_the_other_loopback_name(desk: Desk) -> None:
    page = desk.open("chain/SPY", host="127.0.0.1")
    expect(page.locator("#state")).to_have_attribute("data-state", "live")
