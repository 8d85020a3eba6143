"""Everything is reachable without a mouse."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.desk import Desk

pytestmark = pytest.mark.timeout(300)
# In the order of their keys.
VIEWS = ["chain", "smile", "positioning", "price", "feeds", "quality", "sources"]


def test_a_walk_without_a_mouse(desk: Desk) -> None:
    """Choose a product and an expiry, move in the table, list the keys, with nothing but the keyboard."""
    page = desk.chain("NIFTY")
    page.keyboard.press("/")
    page.keyboard.type("sp")
    expect(page.get_by_role("option", name="SPY")).to_be_visible()  # once the products are read
    page.keyboard.press("Enter")
    expect(page.locator("#product")).to_have_text("SPY")
    expect(page.locator("tr.atm")).to_be_visible()
    first = page.locator("#expiry").inner_text()
    page.keyboard.press("]")
    expect(page.locator("#expiry")).not_to_have_text(first)
    page.keyboard.press("[")
    expect(page.locator("#expiry")).to_have_text(first)
    expect(page.locator("tr.atm")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.locator(".ladder tbody :focus").count():
            break
    expect(page.locator("tr.atm th")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(page.locator("tr.atm + tr td.puts").first).to_be_focused()
    expect(page.get_by_role("tooltip")).to_be_visible()


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_has_a_key_and_tab_leads_into_it(desk: Desk, view: str) -> None:
    """A view whose controls no key reaches is closed to readers without a mouse."""
    page = desk.chain("SPY")
    page.keyboard.press(str(1 + VIEWS.index(view)))
    expect(page.locator(f"#views [data-view={view}]")).to_have_attribute("aria-current", "page")
    expect(
        page.locator(f".view-{view}").locator("summary, button, a, select, [tabindex='0']").first
    ).to_be_visible()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.locator(f".view-{view} :focus").count():
            break
    expect(page.locator(f".view-{view} :focus")).to_be_visible()


def test_single_keys_can_be_switched_off(desk: Desk) -> None:
    """Speech input types single keys by accident (WCAG 2.1.4)."""
    page = desk.chain("NIFTY")
    page.keyboard.press("?")
    page.get_by_label("Single-character keys are on").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_the_help_names_the_makers_of_the_charts(desk: Desk) -> None:
    """The licence of lightweight-charts asks for this notice and a link."""
    page = desk.chain("NIFTY")
    page.get_by_role("button", name="Keys and help").click()
    link = page.get_by_role("dialog", name="Keys").get_by_role("link", name="TradingView Lightweight Charts")
    expect(link).to_have_attribute("href", "https://www.tradingview.com/")
