"""What the page says and does while something else fails."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Route, expect

from tests.browser.desk import Desk

pytestmark = pytest.mark.timeout(300)


def test_a_restarted_socket_gateway(desk: Desk) -> None:
    """The page says that it is disconnected and when it tries again, keeps its numbers, and recovers."""
    page = desk.chain("SPY")
    state = page.locator("#state")
    expect(state).to_have_attribute("data-state", "live")
    page.evaluate(
        """() => { const text = document.querySelector('#state-text'); window.states = [];
        new MutationObserver(() => states.push(text.textContent)).observe(text, {childList: true}); }"""
    )
    desk.system.kill("socket-gateway")
    expect(state).to_have_attribute("data-state", "live")
    desk.wait("window.states.some(text => /^disconnected, data .* old, next try in/.test(text))")
    expect(page.locator("tr.atm")).to_be_visible()
    desk.wait("document.querySelectorAll('.ladder td[data-flash]').length > 0")
    # Chromium itself reports each failed attempt.
    desk.errors = [error for error in desk.errors if "WebSocket" not in error]


def test_too_many_requests(desk: Desk) -> None:
    """The page says when it asks again, and does so."""
    refused = 0

    def refuse(route: Route) -> None:
        nonlocal refused
        refused += 1
        problem = {"status": 429, "code": "rate_limited", "detail": "more than 600", "request_id": "r-1"}
        if refused > 1:
            return route.continue_()
        return route.fulfill(
            status=429,
            headers={"Retry-After": "2", "Content-Type": "application/problem+json"},
            body=json.dumps(problem),
        )

    desk.page.route("**/api/data/products", refuse)
    page = desk.open("chain/NIFTY")
    expect(page.get_by_role("heading", name="Too many requests")).to_be_visible()
    expect(page.locator("#notice")).to_contain_text("Next try in")
    expect(page.locator("tr.atm")).to_be_visible()
    desk.errors = [error for error in desk.errors if "429" not in error]
