"""A reader of the page: opens it, and reads from it what a person would see."""

from __future__ import annotations

from typing import Any

from devcluster.waiting import wait_until
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, expect

from tests.support.local_system import LocalSystem

WIDE: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
OPERATOR = {"email": "operator@example.com", "password": "test123"}
expect.set_options(timeout=20_000)  # ms; the machine also runs other tests


class Desk:
    """One browser profile. `errors` collects the console's errors and the page's uncaught exceptions."""

    def __init__(self, browser: Browser, system: LocalSystem) -> None:
        self.system = system
        self.errors: list[str] = []
        self._context = browser.new_context(viewport=WIDE, locale="en-US")
        self.page: Page = self._context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def close(self) -> None:
        self._context.close()

    def open(self, view: str = "", *, host: str = "localhost") -> Page:
        """Open the page at a view, such as `chain/NIFTY`, and return it."""
        self.page.goto(f"http://{host}:{self.system.ports['API_GATEWAY']}/#/{view}")
        return self.page

    def chain(self, product: str, expiry: str = "") -> Page:
        """Open the chain of a product and wait until its ladder is drawn."""
        page = self.open(f"chain/{product}/{expiry}".rstrip("/"))
        expect(page.locator(".ladder tbody tr.atm")).to_be_visible()
        return page

    def look(self, *, theme: str = "light", size: ViewportSize = WIDE) -> None:
        """Choose the system's theme and the size of the window."""
        self.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        self.page.set_viewport_size(size)

    def login(self, email: str = OPERATOR["email"], *, button: str = "Log in") -> None:
        """Log in with the dialog behind `Account`, or create an account there."""
        self.page.get_by_role("button", name="Account").click()
        dialog = self.page.get_by_role("dialog", name="Account")
        dialog.get_by_label("Email").fill(email)
        dialog.get_by_label("Password").fill(OPERATOR["password"])
        dialog.get_by_role("button", name=button).click()
        expect(dialog).to_be_hidden()

    def figure(self, name: str) -> str:
        """The text of a figure in the head."""
        return self.page.locator(f"[data-figure={name}]").inner_text()

    def cell(self, strike: float, side: str, column: str) -> Any:
        """A cell of the ladder: side `calls` or `puts`, and the column's id."""
        return self.page.locator(f"tr[data-strike='{strike:g}'] td.{side}.c-{column}")

    def row_texts(self) -> dict[str, list[str]]:
        """The texts of all cells of the ladder, by strike."""
        script = """rows => Object.fromEntries(
            rows.map(row => [row.dataset.strike, [...row.cells].map(cell => cell.textContent)]))"""
        found: dict[str, list[str]] = self.page.locator(".ladder tbody tr").evaluate_all(script)
        return found

    def wait(self, script: str) -> None:
        """Wait until a JavaScript expression is true. Playwright's own wait would need `eval` in the page."""
        wait_until(lambda: bool(self.page.evaluate(script)), script)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")
