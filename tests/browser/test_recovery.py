"""What the page says and does while something else fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.desk import Desk
from tests.support.chromium import cut_live_connection
from tests.support.local_system import LocalSystem

pytestmark = pytest.mark.timeout(300)
PRODUCTS, CHAINS = "**/api/data/products", re.compile("/api/data/chain/")


@contextmanager
def suspended(system: LocalSystem, name: str) -> Iterator[None]:
    """Stop a process and its children for the block, as if they hung. Ports stay open and nothing answers."""
    parent = psutil.Process(system.pids()[name])
    stopped = [parent, *parent.children(recursive=True)]
    for process in stopped:
        process.suspend()
    try:
        yield
    finally:
        for process in stopped:
            process.resume()


@contextmanager
def refused(page: Page, pattern: str | re.Pattern[str], status: int) -> Iterator[None]:
    """Answer every request of the block in place of the gateway. Real refusals are in test_account.py.

    After a single refusal the page would ask again a second later, and what it said would be gone.
    """
    problem = {"status": status, "code": "made_up", "detail": f"made up {status}", "request_id": "r-1"}
    headers = {"Content-Type": "application/problem+json", "Retry-After": "1"}

    def answer(route: Route) -> None:
        route.fulfill(status=status, headers=headers, body=json.dumps(problem))

    page.route(pattern, answer)
    yield
    page.unroute(pattern, answer)


def test_a_restarted_socket_gateway(desk: Desk) -> None:
    """The page says that it is disconnected and when it tries again, keeps its numbers, and recovers."""
    page = desk.chain("SPY")
    expect(desk.state()).to_have_attribute("data-state", "live")
    desk.watch_states()
    desk.system.kill("socket-gateway")
    expect(desk.state()).to_have_attribute("data-state", "live")
    desk.wait("window.states.some(text => /^disconnected, data .* old, next try in/.test(text))")
    expect(page.locator("tr.atm")).to_be_visible()
    desk.wait("document.querySelectorAll('.ladder td[data-flash]').length > 0")
    desk.forgive("WebSocket")  # Chromium itself reports each failed attempt


def test_storage_and_redis_hang(desk: Desk) -> None:
    """Each page says what concerns it, and recovers.

    Without storage a live chain is shown all the same. Without Redis its numbers stay, muted, and their age
    counts: nobody may take them for new ones.
    """
    other = desk.page.context.new_page()
    cut_live_connection(other)
    with suspended(desk.system, "storage"):
        other.goto(desk.link("chain/NIFTY/2024-06-27"))
        page = desk.chain("SPY")
        expect(desk.state()).to_have_attribute("data-state", "live")
        with suspended(desk.system, "redis"):
            expect(desk.state()).to_have_attribute("data-state", "stale")
            expect(page.locator("#state-text")).to_contain_text("stale for")
            age = page.locator("#state-text").inner_text()
            expect(page.locator("#state-text")).not_to_have_text(age)
            expect(page.locator("#state-text")).to_contain_text("stale for")
            expect(page.locator("tr.atm")).to_be_visible()
            expect(other.get_by_role("heading", name="Cannot load the products")).to_be_visible()
            expect(other.locator("#notice")).to_contain_text("storage")
            expect(other.locator("#notice")).to_contain_text("Request id: ")
    expect(other.locator("tr.atm")).to_be_visible()
    expect(desk.state()).to_have_attribute("data-state", "live", timeout=60_000)
    desk.wait("document.querySelectorAll('.ladder td[data-flash]').length > 0")
    desk.forgive("WebSocket")
    desk.forgive("504")  # a request to what hung


@pytest.mark.parametrize("status", [429, 500])
def test_a_refused_list_of_products_is_asked_for_again(desk: Desk, status: int) -> None:
    """The page says why, and when it asks again."""
    cut_live_connection(desk.page)
    with refused(desk.page, PRODUCTS, status):
        page = desk.open("chain/NIFTY")
        title = "Too many requests" if status == 429 else "Cannot load the products"
        expect(page.get_by_role("heading", name=title)).to_be_visible()
        expect(page.locator("#notice")).to_contain_text(f"made up {status}")
        expect(page.locator("#notice")).to_contain_text("Next try in")
    expect(page.locator("tr.atm")).to_be_visible()
    desk.forgive(str(status))


@pytest.mark.parametrize("status", [404, 429, 500])
def test_a_refused_stored_chain_is_named(desk: Desk, status: int) -> None:
    """If the live connection does not have the chain, the page asks for the stored one."""
    cut_live_connection(desk.page)
    with refused(desk.page, CHAINS, status):
        page = desk.open("chain/NIFTY/2024-06-27")
        expect(page.locator("#notice")).to_contain_text(f"made up {status}")
        title = "Too many requests" if status == 429 else "Cannot load the chain of NIFTY"
        expect(page.get_by_role("heading", name=title)).to_be_visible()
        if status == 404:  # asking again would not help
            expect(page.locator("#notice")).not_to_contain_text("Next try in")
    if status != 404:
        expect(page.locator("tr.atm")).to_be_visible()
        expect(desk.state()).to_have_attribute("data-state", "disconnected")
    desk.forgive(str(status))


def test_a_slow_answer_is_waited_for(desk: Desk) -> None:
    """Neither a blank page nor an error: the page says what it waits for, and the view follows."""
    cut_live_connection(desk.page)
    held: list[Route] = []
    desk.page.route(PRODUCTS, lambda route: held.append(route))
    page = desk.open("chain/NIFTY/2024-06-27")
    expect(page.locator("#product")).to_have_text("NIFTY")
    expect(page.get_by_role("heading", name="NIFTY: loading")).to_be_visible()
    assert len(held) == 1
    held[0].continue_()
    expect(page.locator("tr.atm")).to_be_visible()
