"""The view Feeds shows the operator's table, follows it, and changes a feed for the one who may."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from devcluster.waiting import wait_until
from playwright.sync_api import Route, expect

from tests.browser.desk import OPERATOR, Desk
from tests.support.contracts import example

pytestmark = pytest.mark.timeout(300)
FEED = "browser"


def row(desk: Desk, name: str) -> dict[str, Any]:
    """A feed of the operator's table, from REST."""
    feeds = desk.system.get("/api/feeds")["feeds"]
    return next(dict(feed) for feed in feeds if feed["name"] == name)


def shown(desk: Desk, name: str) -> list[str]:
    """The texts of a feed's row: from `Mode` to `Service time`."""
    cells = desk.page.locator(f".list tr:has([data-feed={name}]) td")
    return cells.all_inner_texts()[1:10]


def expected(feed: dict[str, Any]) -> list[str]:
    replicas = [f"{feed[part]['ready']} of {feed[part]['desired']}" for part in ("generator", "enricher")]
    oldest, service = feed["oldest_seconds"], feed["service_seconds"]
    return [
        feed["mode"],
        feed["source"],
        ", ".join(feed["products"]),
        *replicas,
        "–" if feed["lag"] is None else f"{feed['lag']:,}",
        "–" if oldest is None else f"{oldest:.1f} s",
        "–" if feed["arrivals_per_second"] is None else f"{feed['arrivals_per_second']:,.1f}",
        "–"
        if service is None
        else f"{service * 1e6:,.0f} µs"
        if service < 0.01
        else f"{service * 1e3:,.1f} ms",
    ]


@pytest.mark.parametrize("name", [FEED, "nifty-replay"])
def test_every_number_agrees_with_rest(desk: Desk, name: str) -> None:
    """The table changes every 2 s, so both are read until they are of the same table."""
    page = desk.open(f"feeds?feed={name}")
    expect(page.locator(".list tbody tr")).to_have_count(2)
    wait_until(lambda: shown(desk, name) == expected(row(desk, name)), "the row is REST's")
    wait_until(lambda: row(desk, name)["service_seconds"] is not None, "the load is known", 60)
    wait_until(lambda: shown(desk, name) == expected(row(desk, name)), "the row is REST's")


def test_the_decisions_and_conditions_are_the_operators_own_words(desk: Desk) -> None:
    """Newest first; each condition with its status, reason and message. Both are read until they agree."""
    page = desk.open(f"feeds?feed={FEED}")
    expect(page.locator(".decisions time").first).to_be_visible()

    def agrees() -> bool:
        feed = row(desk, FEED)
        decisions = [decision["message"] for decision in reversed(feed["decisions"])]
        conditions = [[f"{one['type']} {one['status']}", one["reason"]] for one in feed["conditions"]]
        rows = [text.split("\t") for text in page.locator("tr[data-condition]").all_inner_texts()]
        shown = [[name.partition(" ")[2], reason] for name, reason, *_ in rows]  # without its mark
        return (page.locator(".decisions q").all_inner_texts(), shown) == (decisions, conditions)

    wait_until(agrees, "the page has the operator's words")
    expect(page.get_by_role("img", name="Over the last").first).to_be_visible()


def test_the_live_table_changes_the_page_without_a_reload(desk: Desk) -> None:
    """The page listens to the room `feeds`, also while REST is silent. The rows stay the same elements."""
    desk.page.route("**/api/feeds", lambda route: route.abort())
    page = desk.open("feeds")
    expect(page.locator(".feeds-state")).to_contain_text("2 feeds of this local run. Table written")
    page.evaluate("window.kept = document.querySelector('.list tbody tr')")
    points = "document.querySelector('.list .steps').getAttribute('d')"
    before = page.evaluate(points)
    desk.wait(f"{points} !== {json.dumps(before)}")
    assert page.evaluate("window.kept.isConnected")
    desk.forgive("/api/feeds")


def test_a_feed_is_chosen_by_its_link(desk: Desk) -> None:
    """With the keyboard too; an unknown name says so."""
    page = desk.open("feeds?feed=gone")
    expect(page.locator(".feeds-state")).to_contain_text("There is no feed gone here: browser is shown.")
    link = page.locator("[data-feed=nifty-replay]")
    link.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".detail h2")).to_have_text("nifty-replay")
    expect(link).to_have_attribute("aria-current", "true")
    assert page.url.endswith("feed=nifty-replay")


def test_an_operator_pauses_resumes_and_scales_a_feed(desk: Desk) -> None:
    """Each answer is in words, and the table shows the change."""
    page = desk.open(f"feeds?feed={FEED}")
    expect(page.locator(".rule")).to_contain_text("Log in (Account)")
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()
    desk.login()
    result = page.locator(".result")
    try:
        page.get_by_role("button", name="Pause").click()
        expect(result).to_contain_text("Done. browser: paused; lasts until the local run ends")
        expect(page.locator(f"tr:has([data-feed={FEED}]) .level")).to_contain_text("paused")
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        page.get_by_role("combobox", name="Mode").select_option("Automatic")
        expect(page.get_by_role("spinbutton", name="Enrichers")).to_be_disabled()
        page.get_by_role("button", name="Apply").click()
        expect(result).to_contain_text("browser: mode Automatic")
        wait_until(lambda: shown(desk, FEED)[0] == "Automatic", "the table shows the mode")
        assert row(desk, FEED)["mode"] == "Automatic"
    finally:
        token = desk.system.call("/api/auth/login", OPERATOR)[1]["token"]
        path = f"/api/feeds/{FEED}"
        assert desk.system.call(f"{path}/resume", {}, token)[0] == 200
        assert desk.system.call(f"{path}/scale", {"mode": "Manual", "replicas": 1}, token)[0] == 200


def test_a_refused_change_says_the_rule(desk: Desk) -> None:
    """The feed's bounds are the local run's business; the page passes its words on."""
    page = desk.open(f"feeds?feed={FEED}")
    desk.login()
    page.get_by_role("spinbutton", name="Enrichers").fill("999")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".result")).to_contain_text(
        "Not done: replicas: is 999; must be within minReplicas 1"
    )
    desk.forgive("400")


def test_another_account_may_look_but_not_change(desk: Desk) -> None:
    page = desk.open(f"feeds?feed={FEED}")
    desk.login("looker@example.com", button="Create account")
    expect(page.locator(".rule")).to_contain_text("Your account may look but not change")
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()


def answer(status: int, body: Any) -> Any:
    """A handler that answers in the gateway's place."""
    return lambda route: route.fulfill(status=status, content_type="application/json", body=json.dumps(body))


def without_live_table(desk: Desk) -> None:
    """The page is left with REST: a local run cannot be a cluster, and does not stop to write its table."""

    def elsewhere(route: Route) -> None:
        route.fulfill(json={**route.fetch().json(), "socket_url": ""})  # the page's own origin

    desk.page.route("**/web/config.json", elsewhere)
    desk.forgive("WebSocket")


def test_in_a_cluster_the_page_shows_the_command(desk: Desk) -> None:
    """The cluster is the authority, so the page changes nothing."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    table = {**example("feeds-table", 2), "updated_at": now}
    name, command = table["feeds"][0]["name"], "kubectl --namespace market scale dsf us --replicas=3"
    problem = {"code": "cluster_is_authority", "detail": f"change it there: {command}", "command": command}
    without_live_table(desk)
    desk.page.route("**/api/feeds", answer(200, table))
    desk.page.route("**/api/feeds/*/scale", answer(409, problem))
    page = desk.open("feeds")
    expect(page.locator(".feeds-state")).to_contain_text(f"of the namespace {table['namespace']}")
    expect(page.locator(".rule")).to_contain_text("its DeltaStreamFeed decides. Log in")
    desk.login()
    expect(page.locator(".detail h2")).to_have_text(name)
    page.get_by_role("button", name="Show the command").click()
    expect(page.locator(".command code")).to_have_text(command)
    page.get_by_role("button", name="Copy").click()
    expect(page.locator(".command button")).to_have_text(re.compile("Copied|Selected"))
    desk.forgive("409")


def test_an_old_table_is_stale_and_says_so(desk: Desk) -> None:
    """The operator's table lives for 30 s. An older one is no longer the state of the feeds."""
    old = (datetime.now(UTC) - timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    without_live_table(desk)
    desk.page.route("**/api/feeds", answer(200, {**example("feeds-table"), "updated_at": old}))
    page = desk.open("feeds")
    expect(page.locator(".feeds-state")).to_contain_text("Stale: the operator's table is 1 min")
    expect(page.locator(".feeds")).to_have_class(re.compile(r"\bstale\b"))


def test_no_table_is_not_an_empty_one(desk: Desk) -> None:
    """Without an operator the page says what is the matter and when it asks again."""
    problem = {"code": "feeds_unavailable", "detail": "the operator has not published the feeds for 30 s"}
    without_live_table(desk)
    desk.page.route("**/api/feeds", answer(503, problem))
    page = desk.open("feeds")
    expect(page.get_by_role("heading", name="Cannot load the feeds")).to_be_visible()
    expect(page.locator(".feeds-notice")).to_contain_text("Next try in")
    desk.forgive("503")
