"""Screenshots of every view, light and dark, on a monitor and on a phone (`make screenshots`)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.desk import PHONE, WIDE, Desk

pytestmark = pytest.mark.timeout(300)
VIEWS = {
    "chain": ("chain/NIFTY/2024-06-27", "tr.atm"),
    "smile": ("smile/SPY", ".plot canvas"),
    "surface": ("smile/SPY?show=surface", ".surface canvas"),
    "positioning": ("positioning/NIFTY/2024-06-27", ".plot canvas"),
    "price": ("price/SPY", ".plot canvas"),
    "feeds": ("feeds?feed=browser", ".decisions time"),
    "quality": ("quality/SPY", ".panel dd:has-text('ms')"),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["1440", "390"])
@pytest.mark.parametrize("view", VIEWS)
def test_a_picture_of_each_view(desk: Desk, tmp_path: Path, view: str, size: object, theme: str) -> None:
    """Written into $SCREENSHOTS, else into a temporary folder."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    width = PHONE if size is PHONE else WIDE
    desk.look(theme=theme, size=width)
    url, drawn = VIEWS[view]
    page = desk.open(url)
    expect(page.locator(drawn).first).to_be_visible()
    picture = page.screenshot(path=folder / f"{view}-{theme}-{width['width']}.png", animations="disabled")
    assert len(picture) > 20_000  # bytes: an empty page is smaller
