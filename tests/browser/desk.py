"""A reader of the page: opens it, and reads from it what a person would see."""

from __future__ import annotations

import math
import time
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.support.chromium import PHONE, WIDE, Profile
from tests.support.local_system import LocalSystem

__all__ = ["OPERATOR", "PHONE", "WIDE", "Desk"]
OPERATOR = {"email": "operator@example.com", "password": "test123"}


_TOKENS_KEPT_S = 240
"""Tokens expire after ten minutes."""
_kept: dict[tuple[int, str], tuple[float, Any]] = {}


def _tokens(system: LocalSystem, email: str) -> Any:
    """The answer to the account's last login, or to a new one."""
    account = system.ports["API_GATEWAY"], email
    made, answer = _kept.get(account, (-math.inf, None))
    if time.monotonic() > made + _TOKENS_KEPT_S:
        status, answer = system.call("/api/auth/login", {"email": email, "password": OPERATOR["password"]})
        assert status == 200, answer
        _kept[account] = time.monotonic(), answer
    return answer


class Desk(Profile):
    """One browser profile at the page of a local run."""

    def __init__(self, browser: Browser, system: LocalSystem) -> None:
        super().__init__(browser, system.ports["API_GATEWAY"])
        self.system = system

    def chain(self, product: str, expiry: str = "") -> Page:
        """Open the chain of a product and wait until its ladder is drawn."""
        page = self.open(f"chain/{product}/{expiry}".rstrip("/"))
        expect(page.locator(".ladder tbody tr.atm")).to_be_visible()
        return page

    def login(self, email: str = OPERATOR["email"], *, button: str = "Log in") -> None:
        """Log in with the dialog behind `Account`, or create an account there.

        An account may log in ten times a minute, so the gateway's answer serves for several tests.
        """
        if button == "Log in":
            tokens = _tokens(self.system, email)
            self.page.route("**/api/auth/login", lambda route: route.fulfill(json=tokens), times=1)
        self.page.get_by_role("button", name="Account").click()
        dialog = self.page.get_by_role("dialog", name="Account")
        dialog.get_by_label("Email").fill(email)
        dialog.get_by_label("Password").fill(OPERATOR["password"])
        dialog.get_by_role("button", name=button).click()
        expect(dialog).to_be_hidden()

    def cell(self, strike: float, side: str, column: str) -> Any:
        """A cell of the ladder: side `calls` or `puts`, and the column's id."""
        return self.page.locator(f"tr[data-strike='{strike:g}'] td.{side}.c-{column}")

    def watch_states(self) -> None:
        """Collect every text of the state of the data in `window.states` of the page."""
        self.page.evaluate(
            """() => { const text = document.querySelector('#state-text'); window.states = [];
            new MutationObserver(() => states.push(text.textContent)).observe(text, {childList: true}); }"""
        )

    def row_texts(self) -> dict[str, list[str]]:
        """The texts of all cells of the ladder, by strike."""
        script = """rows => Object.fromEntries(
            rows.map(row => [row.dataset.strike, [...row.cells].map(cell => cell.textContent)]))"""
        found: dict[str, list[str]] = self.page.locator(".ladder tbody tr").evaluate_all(script)
        return found
