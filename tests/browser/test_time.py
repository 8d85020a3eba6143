"""Clocks that are wrong, clocks that are set, and a computer that slept: old numbers never look new."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.desk import Desk
from tests.browser.made_up_market import Market

pytestmark = pytest.mark.timeout(300)
TICKS = 10_000
HOURS_MS = 5 * 3600 * 1000
_SET_BY = "window.setByMs = %d; { const now = Date.now; Date.now = () => now() + window.setByMs; }"


@pytest.mark.parametrize("wrong_ms", [-HOURS_MS, HOURS_MS])
def test_a_clock_that_is_wrong_by_hours(desk: Desk, wrong_ms: int) -> None:
    """The age is that of the data on the servers' clocks."""
    desk.page.add_init_script(_SET_BY % wrong_ms)
    page = desk.chain("SPY")
    expect(desk.state()).to_have_attribute("data-state", "live")
    desk.watch_states()
    desk.wait("window.states.length > 2")
    assert [text for text in page.evaluate("window.states") if not text.startswith("live, ")] == []


@pytest.mark.parametrize("by_ms", [-HOURS_MS, HOURS_MS])
def test_a_clock_that_is_set_while_the_page_is_open(desk: Desk, by_ms: int) -> None:
    """It looks like a sleep of the computer: the page connects anew and asks the gateway for the time."""
    desk.page.add_init_script(_SET_BY % 0)
    page = desk.chain("SPY")
    expect(desk.state()).to_have_attribute("data-state", "live")
    desk.watch_states()
    page.evaluate("by => { window.setByMs = by; }", by_ms)
    desk.wait("window.states.some(text => !text.startsWith('live'))")
    expect(desk.state()).to_have_attribute("data-state", "live")
    desk.wait("document.querySelectorAll('.ladder td[data-flash]').length > 0")
    assert [text for text in page.evaluate("window.states") if " h" in text] == []


@contextmanager
def asleep(browser: Browser) -> Iterator[None]:
    """Stop the processes that run pages, as the lid of a laptop does. Their connections stay open."""
    session = browser.new_browser_cdp_session()
    found = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    renderers = [process["id"] for process in found if process["type"] == "renderer"]
    _send(signal.SIGSTOP, renderers)
    try:
        yield
    finally:
        _send(signal.SIGCONT, renderers)


def _send(signal_number: int, pids: Iterable[int]) -> None:
    """Send a signal to processes. That of a page which was closed before may have ended meanwhile."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal_number)


def test_ten_thousand_ticks_after_a_sleep_are_one_number(desk: Desk, browser: Browser) -> None:
    """The page shows the newest price and draws a few times, not ten thousand times."""
    market = Market(desk, "SLEEP")
    page = market.opened()
    page.evaluate(
        """() => {
            window.writes = 0;
            const spot = document.querySelector('#spot');
            const every = {childList: true, subtree: true, characterData: true};
            new MutationObserver(() => { window.writes += 1; }).observe(spot, every);
        }"""
    )
    with asleep(browser):
        market.ticks(range(1, TICKS + 1))
        market.chain()
    expect(page.locator("#spot")).to_have_text(re.compile(r"^10,000\.0+$"))
    market.chain()
    expect(desk.state()).to_have_attribute("data-state", "live")
    assert 0 < page.evaluate("window.writes") < TICKS / 100
