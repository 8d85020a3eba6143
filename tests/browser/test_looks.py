"""Every view in both themes, on a monitor and on a phone: what axe-core finds, and a picture of it.

The page of a view is opened once. The pictures are written into $SCREENSHOTS (`make screenshots`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.browser.desk import PHONE, WIDE, Desk
from tests.browser.views import VIEWS
from tests.support.local_system import LocalSystem

pytestmark = pytest.mark.timeout(300)
# axe-core needs seconds for hundreds of cells, and the rows are alike: it gets the first two, the one at the
# money, and the last two, in which the other side is in the money.
PART = {
    "exclude": [
        [".ladder tbody tr:nth-child(n+3):not(.atm, :nth-last-child(-n+2))"],
        [".numbers tbody tr:nth-child(n+6)"],
    ]
}
# The dark theme changes nothing but colours.
RULES: dict[str, dict[str, Any]] = {
    "light": {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "dark": {"runOnly": {"type": "rule", "values": ["color-contrast"]}},
}


@pytest.fixture(scope="module", params=VIEWS)
def view(request: pytest.FixtureRequest, browser: Browser, system: LocalSystem) -> Iterator[tuple[str, Desk]]:
    """The name of a view, and a reader who has opened it."""
    desk = Desk(browser, system)
    link, drawn = VIEWS[request.param]
    expect(desk.open(link).locator(drawn).first).to_be_visible()
    yield request.param, desk
    desk.close()
    assert desk.errors == []


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def looked_at(view: tuple[str, Desk], theme: str, width: int) -> Desk:
    """The same reader with this theme and this width of the window, after the view was drawn again."""
    name, desk = view
    desk.look(theme=theme, size=PHONE if width == 390 else WIDE)
    expect(desk.page.locator(VIEWS[name][1]).first).to_be_visible()
    return desk


@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_no_violation(looked_at: Desk, theme: str) -> None:
    """WCAG 2.2 A and AA, and axe-core's best practices."""
    found = Axe().run(looked_at.page, context=PART, options=RULES[theme])
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("width", [390, 1440])
def test_a_picture_of_each_view(
    looked_at: Desk, view: tuple[str, Desk], theme: str, width: int, tmp_path: Path
) -> None:
    """Written into $SCREENSHOTS, else into a temporary folder."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{view[0]}-{theme}-{width}.png"
    picture = looked_at.page.screenshot(path=file, animations="disabled")
    assert len(picture) > 20_000  # bytes: an empty page is smaller
