"""One running system and one Chromium for all browser tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from devcluster import chromium
from devcluster.waiting import wait_until
from playwright.sync_api import Browser, sync_playwright

from tests.browser.desk import OPERATOR, Desk
from tests.support import needs
from tests.support.local_system import LocalSystem, running

FEEDS = f"k8s/samples/nifty-replay.yaml,{Path(__file__).with_name('live.yaml')}"


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. Playwright's own builds cannot be downloaded everywhere."""
    program = chromium.program()
    if program is None:
        needs.lacking("there is no `chromium` in PATH, and the page's tests need it")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="package")
def system(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    """The recording of 21 June 2024 and a quick synthetic market, after both have delivered."""
    with running(tmp_path_factory.mktemp("system"), FEEDS) as started:
        wait_until(
            lambda: (started.call("/api/data/products")[1] or {}).get("products") == ["NIFTY", "SPY"],
            "both products are stored",
        )
        assert started.call("/api/auth/register", OPERATOR)[0] == 201  # the first account: it gets the role
        yield started


@pytest.fixture
def desk(browser: Browser, system: LocalSystem) -> Iterator[Desk]:
    """A reader with a fresh browser profile. The test fails if the console shows an error."""
    made = Desk(browser, system)
    yield made
    made.close()
    assert made.errors == []
