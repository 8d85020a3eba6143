"""The view Sources steers a replay: pause, play, speed, and the time to go to."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from devcluster.waiting import wait_until
from playwright.sync_api import Page, Route, expect

from tests.browser.desk import Desk
from tests.browser.recordings import FIRST, LAST
from tests.support.chromium import cut_live_connection

pytestmark = pytest.mark.timeout(300)


def state(desk: Desk) -> dict[str, Any]:
    found: dict[str, Any] = desk.system.get("/api/feeds/day/replay")
    return found


def position(desk: Desk) -> datetime:
    return datetime.fromisoformat(state(desk)["position"])


def newest(desk: Desk) -> datetime:
    """The event time of the newest analytics."""
    (latest, *_) = desk.system.get("/api/analytics/pcr/NIFTY")["latest"]
    return datetime.fromisoformat(latest["timestamp"])


def opened(desk: Desk) -> Page:
    page = desk.open("sources?feed=day")
    desk.login()
    expect(page.locator(".replay-controls")).to_be_visible()
    return page


def test_the_view_shows_where_the_replay_is(replaying: Desk) -> None:
    """Without a login everybody may look. The bounds are those of the recording."""
    page = replaying.open("sources?feed=day")
    expect(page.locator(".replay-said")).to_contain_text("2024-06-21 09:")
    expect(page.locator(".replay-track p")).to_contain_text("2024-06-21 09:30:00 UTC")
    expect(page.locator(".replay-track p")).to_contain_text("2024-06-21 09:40:00 UTC")
    expect(page.locator(".replay-rule")).to_contain_text("Log in (Account)")
    expect(page.get_by_role("slider")).to_be_disabled()
    expect(page.locator(".replay-controls")).to_be_hidden()


def test_an_operator_pauses_plays_and_changes_the_speed(replaying: Desk) -> None:
    """The page says what the generator reports."""
    page = opened(replaying)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".replay-result")).to_have_text("Done: pauses.")
    expect(page.locator(".replay-said")).to_contain_text("Paused: 2024-06-21")
    assert state(replaying)["paused"]
    page.get_by_role("combobox", name="Speed").select_option("10×")
    page.get_by_role("button", name="Play").click()
    expect(page.locator(".replay-said")).to_contain_text("Playing at 10×")
    before = state(replaying)
    wait_until(lambda: state(replaying)["position"] != before["position"], "the replay goes on")
    page.get_by_role("combobox", name="Speed").select_option("1×")
    expect(page.locator(".replay-said")).to_contain_text("Playing at 1×")


def test_an_operator_goes_to_a_time(replaying: Desk) -> None:
    """By the time field, and by the track with the keyboard. The newest chain is of that time."""
    page = opened(replaying)
    wanted = FIRST + timedelta(minutes=5)
    page.get_by_label("Go to (UTC)").fill(f"{wanted:%Y-%m-%dT%H:%M:%S}")
    page.get_by_role("button", name="Go", exact=True).click()
    expect(page.locator(".replay-result")).to_have_text("Done: goes to 2024-06-21 09:35:00 UTC.")
    wait_until(lambda: wanted <= position(replaying) < wanted + timedelta(minutes=3), "it is there")
    wait_until(lambda: newest(replaying) >= wanted, "its chains are the newest")
    passes = state(replaying)["pass_number"]
    page.get_by_role("slider").press("Home")
    wait_until(lambda: state(replaying)["pass_number"] > passes, "the track goes to the beginning")
    wait_until(lambda: position(replaying) < wanted, "it is there")
    wait_until(lambda: newest(replaying) < wanted, "earlier chains of a later pass are newer")
    expect(page.locator(".replay-said")).to_contain_text("2024-06-21 09:3")


def test_a_refused_command_says_the_rule(replaying: Desk) -> None:
    """The gateway's words."""
    page = opened(replaying)
    page.route("**/api/feeds/day/replay", lambda route: route.fulfill(
        status=400, json={"code": "bad_input", "detail": "seek: must be from A to B"}
    ) if route.request.method == "POST" else route.continue_())  # fmt: skip
    page.get_by_role("slider").press("End")
    expect(page.locator(".replay-result")).to_have_text("Not done: seek: must be from A to B.")
    replaying.forgive("400")
    assert position(replaying) < LAST + timedelta(seconds=1)


def test_the_keyboard_steers_without_losing_its_place(replaying: Desk) -> None:
    """A button that asks keeps the focus. The track goes once to where the arrows stop.

    The page's clock stands still while the arrows are pressed: a slow machine makes no pause between them.
    """
    replaying.page.clock.install()
    page = opened(replaying)
    button = page.locator(".replay-controls button").first
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".replay-said")).to_contain_text("Paused: ")
    expect(button).to_be_focused()
    asked: list[Any] = []
    page.on(
        "request", lambda request: asked.append(request.post_data_json) if request.method == "POST" else 0
    )
    track = page.get_by_role("slider")
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 1)
    track.press("Home")
    for _ in range(30):
        track.press("ArrowRight")
    assert asked == []
    page.clock.resume()
    expect(page.locator(".replay-result")).to_have_text("Done: goes to 2024-06-21 09:30:30 UTC.")
    expect(track).to_be_focused()
    assert asked == [{"seek": "2024-06-21T09:30:30.000Z"}]
    expect(page.locator(".replay-said")).to_contain_text("Paused: 2024-06-21 09:30:30 UTC")
    button.click()
    expect(page.locator(".replay-said")).to_contain_text("Playing")


def test_the_newest_of_several_commands_counts(replaying: Desk) -> None:
    """An arrow key in the list of speeds chooses the next one; the page asks for one at a time."""
    page = opened(replaying)
    asked: list[Any] = []

    def answer(route: Route) -> None:
        if route.request.method != "POST":
            return route.fallback()
        asked.append(route.request.post_data_json)
        if len(asked) == 1:
            held.append(route)
            return None
        return route.fulfill(status=202, json={"feed": "day", "detail": "the generators obey"})

    held: list[Route] = []
    page.route("**/api/feeds/day/replay", answer)
    speed = page.get_by_role("combobox", name="Speed")
    for choice in ("2×", "5×", "10×"):
        speed.select_option(choice)
    expect(page.locator(".replay-result")).to_have_text("Asking …")
    wait_until(lambda: bool(held or page.wait_for_timeout(10)), "the first request")
    held[0].fulfill(status=202, json={"feed": "day", "detail": "the generators obey"})
    expect(page.locator(".replay-result")).to_have_text("Done: plays at 10×.")
    assert asked == [{"speed_percent": 200}, {"speed_percent": 1000}]


def test_a_replay_that_has_ended_plays_again(replaying: Desk) -> None:
    """A pause would change nothing."""
    page = opened(replaying)
    ended = {**state(replaying), "ended": True}
    asked: list[Any] = []

    def answer(route: Route) -> None:
        if route.request.method == "POST":
            asked.append(route.request.post_data_json)
            route.fulfill(status=202, json={"feed": "day", "detail": "the generators obey"})
        else:
            route.fulfill(json=ended)

    page.route("**/api/feeds/day/replay", answer)
    page.get_by_role("button", name="Play again").click()
    expect(page.locator(".replay-result")).to_have_text("Done: plays from the beginning.")
    assert asked == [{"paused": False, "seek": "2024-06-21T09:30:00.000000Z"}]


def test_what_is_known_stays_while_the_gateway_cannot_be_asked(replaying: Desk) -> None:
    """The controls must not come and go."""
    page = opened(replaying)
    page.route("**/api/feeds/day/replay", lambda route: route.abort())
    expect(page.locator(".replay-said")).to_contain_text(
        "It is not known where the replay is: the gateway cannot"
    )
    expect(page.locator(".replay-controls")).to_be_visible()
    replaying.forgive("/api/feeds/day/replay")


def test_a_replay_without_a_generator_is_not_asked_for(replaying: Desk) -> None:
    """The browser would log each refusal as an error, for as long as the feed is paused."""
    table = replaying.system.get("/api/feeds")
    table["feeds"][0]["generator"]["ready"] = 0
    cut_live_connection(replaying.page)
    replaying.page.route("**/api/feeds", lambda route: route.fulfill(json=table))
    asked: list[str] = []
    replaying.page.on("request", lambda request: asked.append(request.url))
    page = replaying.open("sources?feed=day")
    expect(page.locator(".replay-said")).to_have_text(
        "No generator of this replay runs, so nothing is played."
    )
    expect(page.get_by_role("slider")).to_be_hidden()
    assert not [url for url in asked if url.endswith("/replay")]
