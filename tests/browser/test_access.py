"""Everything is reachable without a mouse, and axe-core finds nothing to complain about."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.desk import PHONE, WIDE, Desk

pytestmark = pytest.mark.timeout(300)
VIEWS = [
    "chain/NIFTY/2024-06-27",
    "chain/NIFFTY",
    "smile/SPY",
    "smile/NIFTY?show=table",
    "smile/SPY?show=surface",
    "positioning/SPY",
    "positioning/NIFTY?show=table",
    "price/SPY",
    "price/SPY?show=table",
    "feeds",
    "quality/SPY",
]
# axe-core needs seconds for hundreds of cells, and the rows are alike: it gets the first five and one more.
PART = {"exclude": [[".ladder tbody tr:nth-child(n+6):not(.atm)"], [".numbers tbody tr:nth-child(n+6)"]]}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_no_violation(desk: Desk, view: str, theme: str, width: int) -> None:
    """WCAG 2.2 A and AA in both themes, on a phone and on a monitor."""
    desk.look(theme=theme, size=PHONE if width == 390 else WIDE)
    page = desk.open(view)
    expect(
        page.locator("tr.atm, #notice h2, .numbers tbody tr, #view canvas, .list tbody tr, .panel tbody tr")
        .locator("visible=true")
        .first
    ).to_be_visible()
    found = Axe().run(page, context=PART, options=RULES)
    assert found.violations_count == 0, found.generate_report()


def test_a_walk_without_a_mouse(desk: Desk) -> None:
    """Choose a product and an expiry, move in the table, list the keys, with nothing but the keyboard."""
    page = desk.chain("NIFTY")
    page.keyboard.press("/")
    page.keyboard.type("sp")
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


def test_single_keys_can_be_switched_off(desk: Desk) -> None:
    """Speech input types single keys by accident (WCAG 2.1.4)."""
    page = desk.chain("NIFTY")
    page.keyboard.press("?")
    page.get_by_label("Single-character keys are on").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
