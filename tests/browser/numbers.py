"""Read what the views with charts show: the table of their numbers, and what their crosshair says."""

from __future__ import annotations

from playwright.sync_api import Page, expect


def table(page: Page, caption: str) -> dict[str, list[str]]:
    """The cells of the table with this caption, by the row's key, in order."""
    rows = page.get_by_role("table", name=caption).locator("tbody tr")
    expect(rows.first).to_be_visible()
    script = """rows => Object.fromEntries(
        rows.map(row => ['k' + row.dataset.key, [...row.cells].map(cell => cell.textContent)]))"""
    found: dict[str, list[str]] = rows.evaluate_all(script)
    return {key[1:]: cells for key, cells in found.items()}  # without `k` a script would sort numbers


def said(page: Page, chart: str) -> str:
    """What the crosshair of the chart says, as a screen reader gets it."""
    return page.get_by_role("slider", name=chart).get_attribute("aria-valuetext") or ""


def newest(page: Page, caption: str) -> int:
    """The key of the first row of a table whose keys are times, newest first."""
    first = page.get_by_role("table", name=caption).locator("tbody tr").first
    return int(first.get_attribute("data-key") or 0)
