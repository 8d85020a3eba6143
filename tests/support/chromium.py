"""Chromium for tests of the web page, and one browser profile in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from devcluster import chromium
from devcluster.waiting import wait_until
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, ViewportSize, expect, sync_playwright

from tests.support import needs

WIDE: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
expect.set_options(timeout=20_000)  # ms; the machine also runs other tests


@contextmanager
def started() -> Iterator[Browser]:
    """Run Debian's Chromium for a block; without it, skip the test. Playwright's own needs a download."""
    program = chromium.program()
    if program is None:
        needs.lacking("there is no `chromium` in PATH, and the page's tests need it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def cut_live_connection(page: Page) -> None:
    """End every live connection of the page at once, so that it depends on the REST gateway."""
    page.route_web_socket(re.compile("/socket.io/"), lambda socket: socket.close())


class Profile:
    """One fresh profile with one page of the API gateway at `port`."""

    def __init__(self, browser: Browser, port: int) -> None:
        self.port = port
        self._errors: list[str] = []
        self._forgiven: list[str] = []
        self._context = browser.new_context(viewport=WIDE, locale="en-US")
        self.page: Page = self._context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self._errors.append(str(error)))

    def close(self) -> None:
        self._context.close()

    def link(self, view: str, *, host: str = "localhost") -> str:
        """Return the URL of a view, such as `chain/NIFTY`."""
        return f"http://{host}:{self.port}/#/{view}"

    def open(self, view: str = "", *, host: str = "localhost") -> Page:
        """Open the page at a view, and return it."""
        self.page.goto(self.link(view, host=host))
        return self.page

    def log_in(self, email: str, password: str, *, button: str = "Log in") -> None:
        """Fill in the form in place of the view and press one of its buttons."""
        form = self.page.locator("#notice form.login")
        form.get_by_label("Email").fill(email)
        form.get_by_label("Password").fill(password)
        form.get_by_role("button", name=button).click()

    def state(self) -> Locator:
        """The state of the data, whose attribute `data-state` is its name."""
        return self.page.locator("#state")

    def figure(self, name: str) -> str:
        """The text of a figure in the head."""
        return self.page.locator(f"[data-figure={name}]").inner_text()

    def look(self, *, theme: str = "light", size: ViewportSize = WIDE) -> None:
        """Choose the system's theme and the size of the window."""
        self.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        self.page.set_viewport_size(size)

    def wait(self, script: str, within_s: float = 90) -> None:
        """Wait until a JavaScript expression is true. Playwright's own wait would need `eval` in the page."""
        wait_until(lambda: bool(self.page.evaluate(script)), script, within_s)

    def forgive(self, text: str) -> None:
        """Leave out all errors with this text: Chromium reports each failure, also one that is meant."""
        self._forgiven.append(text)

    @property
    def errors(self) -> list[str]:
        """The console's errors and the page's uncaught exceptions that are not forgiven."""
        return [error for error in self._errors if not any(text in error for text in self._forgiven)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._errors.append(f"{message.text} ({message.location.get('url', '')})")
