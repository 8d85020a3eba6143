"""Login, logout, and tokens that end while the page is open, where reads need an account."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from devcluster.processes.http_process import HttpProcess
from playwright.sync_api import Page, Route, expect

from auth.keys import USER_AUDIENCE, KeyRing
from tests.browser.gateways import READS_PER_MINUTE
from tests.support.chromium import Profile, cut_live_connection
from tests.support.local_system import LocalSystem

pytestmark = pytest.mark.timeout(300)
CHAIN, PASSWORD = "chain/NIFTY/2024-06-27", "correct horse battery"
LOGIN = "Log in to see the data"
LEEWAY_S, LEFT_S = 30, 4  # the gateways accept a token for so long after its end; what is left of a short one


def email() -> str:
    return f"{uuid.uuid4().hex}@example.com"


def create_account(reader: Profile, address: str) -> dict[str, Any]:
    """Create an account in the page, and return the gateway's answer."""
    with reader.page.expect_response("**/api/auth/register") as answered:
        reader.log_in(address, PASSWORD, button="Create account")
    answer: dict[str, Any] = answered.value.json()
    return answer


def change_answers(page: Page, pattern: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Let the gateway answer, and change what it grants on the way to the page."""

    def handle(route: Route) -> None:
        answer = route.fetch()
        body = {"body": json.dumps(change(answer.json()))} if answer.ok else {}
        route.fulfill(response=answer, **body)

    page.route(pattern, handle)


def test_nothing_is_shown_before_a_login_or_after_a_logout(stranger: Profile) -> None:
    """The link stays, so after the login the reader sees what the link names."""
    page, address = stranger.open(CHAIN), email()
    expect(page.get_by_role("heading", name=LOGIN)).to_be_visible()
    expect(stranger.state()).to_have_attribute("data-state", "refused")
    stranger.log_in(address, "a wrong password")
    expect(page.locator("#notice [role=alert]")).not_to_be_empty()
    expect(page.locator(".ladder tbody tr")).to_have_count(0)
    create_account(stranger, address)
    expect(page.locator("tr.atm")).to_be_visible()
    expect(stranger.state()).to_have_attribute("data-state", "recording")
    assert stranger.figure("pcr") == "0.9155"
    assert page.url.endswith(CHAIN)
    page.get_by_role("button", name="Account").click()
    expect(page.get_by_role("dialog")).to_contain_text(address)
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name=LOGIN)).to_be_visible()
    expect(page.locator("[data-figure=pcr]")).to_have_text("–")
    expect(page.locator("#spot")).to_have_text("–")
    stranger.log_in(address, PASSWORD)
    expect(page.locator("tr.atm")).to_be_visible()


def test_no_token_is_where_another_script_or_reader_finds_it(stranger: Profile) -> None:
    """Neither a cookie nor the browser's storage keeps one. So a reload asks for a login."""
    page = stranger.open(CHAIN)
    tokens = create_account(stranger, email())
    expect(page.locator("tr.atm")).to_be_visible()
    kept = page.evaluate("JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}])")
    assert page.context.cookies() == []
    assert not [name for name in ("token", "refresh_token") if tokens[name] in kept]
    page.reload()
    expect(page.get_by_role("heading", name=LOGIN)).to_be_visible()


def test_a_token_that_ends_soon_is_refreshed_silently(stranger: Profile) -> None:
    """Only the lifetime in the gateway's answer is changed: to the page, the token ends now."""
    page = stranger.page
    change_answers(page, "**/api/auth/register", lambda answer: answer | {"expires_in": 0})
    stranger.open(CHAIN)
    with page.expect_response("**/api/auth/refresh") as refreshed:
        create_account(stranger, email())
    assert refreshed.value.status == 200
    expect(page.locator("tr.atm")).to_be_visible()
    expect(page.get_by_role("heading", name=LOGIN)).to_be_hidden()


@pytest.fixture
def short_lived(system: LocalSystem) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Replace the access token of an answer by one of the same account that the gateways accept for 4 s more.

    auth's shortest lifetime is a minute. The token is signed with the system's own key.
    """
    ended = KeyRing(
        system.secret("jwt_secret"),
        None,
        lifetime_s=60,
        clock=lambda: time.time() - 60 - LEEWAY_S + LEFT_S,
    )

    def replace(answer: dict[str, Any]) -> dict[str, Any]:
        claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
        return answer | dict.fromkeys(("token", "access_token"), ended.issue(claims["sub"], USER_AUDIENCE)[0])

    return replace


def test_a_token_that_ends_while_the_page_is_open_is_replaced(
    stranger: Profile, short_lived: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """So it is after a sleep of the computer. The gateway ends the connection, and nobody has to log in."""
    page = stranger.page
    change_answers(page, "**/api/auth/register", short_lived)
    stranger.open("chain/SPY")
    with page.expect_response("**/api/auth/refresh") as refreshed:
        create_account(stranger, email())
        expect(stranger.state()).to_have_attribute("data-state", "live")
    assert refreshed.value.status == 200
    expect(stranger.state()).to_have_attribute("data-state", "live")
    stranger.wait("document.querySelectorAll('.ladder td[data-flash]').length > 0")
    expect(page.get_by_role("heading", name=LOGIN)).to_be_hidden()


def test_a_session_that_was_ended_elsewhere_leads_to_the_login(
    stranger: Profile, system: LocalSystem, short_lived: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """The page says so, keeps the link, and shows no number of the ended session.

    If the first token ends before the chain is drawn, the page gets another one that ends as soon.
    """
    page, address = stranger.page, email()
    for route in ("register", "refresh"):
        change_answers(page, f"**/api/auth/{route}", short_lived)
    stranger.open(CHAIN)
    tokens = create_account(stranger, address)
    expect(page.locator("tr.atm")).to_be_visible()
    system.call("/api/auth/logout", {"refresh_token": tokens["refresh_token"]})
    expect(page.locator("#notice")).to_contain_text("The session has ended.")
    expect(page.locator("[data-figure=pcr]")).to_have_text("–")
    stranger.log_in(address, PASSWORD)
    expect(page.locator("tr.atm")).to_be_visible()
    assert page.url.endswith(CHAIN)


def test_the_gateways_own_limit_of_reads(stranger: Profile, guarded_gateway: HttpProcess) -> None:
    """The account's reads are used up, and the page says when it asks again."""
    page, address = stranger.open(CHAIN), email()
    token = create_account(stranger, address)["token"]
    expect(page.locator("tr.atm")).to_be_visible()
    asked = [
        guarded_gateway.get("/api/data/products", Authorization=f"Bearer {token}")[0]
        for _ in range(READS_PER_MINUTE + 1)
    ]
    assert asked[-1] == 429
    cut_live_connection(page)  # it would show the chain without any read
    page.reload()
    stranger.log_in(address, PASSWORD)
    expect(page.get_by_role("heading", name="Too many requests")).to_be_visible()
    expect(page.locator("#notice")).to_contain_text("Next try in")
    stranger.forgive("429")
