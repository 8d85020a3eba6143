"""The page's pure modules, run in Chromium: clock, formats, URL, selection and state of the data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support.local_system import LocalSystem

pytestmark = pytest.mark.timeout(300)
LIVE = {"state": "live", "since": 0, "retryAt": 0, "reason": "", "code": ""}
WAITING = {**LIVE, "state": "waiting", "retryAt": 3500, "reason": "the connection ended"}
CHAIN = {"replay": 0, "product": "NIFTY", "expiry": "2024-06-27", "years_to_expiry": 0.01}


@pytest.fixture(scope="module")
def page(browser: Browser, system: LocalSystem) -> Iterator[Page]:
    """An empty page of the gateway's origin, which may load its modules."""
    made = browser.new_page(locale="en-US")
    made.goto(system.url("/web/icon.svg"))
    yield made
    made.close()


def run(page: Page, module: str, code: str, argument: Any = None) -> Any:
    """Run `code` with the module `m` and an argument `a`."""
    return page.evaluate(f"async a => {{ const m = await import('/web/app/{module}.js'); {code} }}", argument)


def test_the_age_does_not_depend_on_this_computers_clock(page: Page) -> None:
    """The clock is hours wrong; the age is right to the resolution of the Date header."""
    age = run(
        page,
        "clock",
        """let t = 1000; const clock = new m.Clock(() => t, () => t + 1e12 + 5 * 3600e3);
        clock.answered('Sat, 28 Nov 2026 19:20:00 GMT', 990); t = 2000;
        return clock.ageMs('2026-11-28T19:19:58.000Z');""",
    )
    assert 2000 <= age <= 4000


def test_a_message_that_just_arrived_sets_the_clock_to_the_millisecond(page: Page) -> None:
    age = run(
        page,
        "clock",
        """let t = 1000; const clock = new m.Clock(() => t, () => t);
        clock.answered('Sat, 28 Nov 2026 19:20:00 GMT', 990);
        clock.arrived('2026-11-28T19:20:00.700Z'); t = 1500;
        return clock.ageMs('2026-11-28T19:20:00.700Z');""",
    )
    assert age == 500


def test_an_old_message_does_not_look_new(page: Page) -> None:
    """A cached message of yesterday arrives now; the Date header says what time it is."""
    age = run(
        page,
        "clock",
        """let t = 1000; const clock = new m.Clock(() => t, () => t);
        clock.arrived('2026-11-27T19:20:00.000Z');
        clock.answered('Sat, 28 Nov 2026 19:20:00 GMT', 990);
        return clock.ageMs('2026-11-27T19:20:00.000Z');""",
    )
    assert age == 86_400_000


def test_a_sleep_makes_the_clock_forget(page: Page) -> None:
    """While a computer sleeps, the page's own clock stands still and the wall clock goes on."""
    found = run(
        page,
        "clock",
        """let t = 1000, wall = 1e12; const clock = new m.Clock(() => t, () => wall);
        clock.answered('Sat, 28 Nov 2026 19:20:00 GMT', 990);
        const before = clock.jumped(); wall += 3600e3;
        return [before, clock.jumped(), clock.now(), clock.jumped()];""",
    )
    assert found == [False, True, None, False]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("f.number(23465.585, 2)", "23,465.59"),
        ("f.number(-0.001, 2)", "0.00"),
        ("f.percent(0.10634)", "10.6"),
        ("f.compact(2100000)", "2.10M"),
        ("f.compact(999)", "999"),
        ("f.compact(0)", "0"),
        ("f.signed(0.35, 2)", "+0.35"),
        ("f.date('2024-06-27')", "Jun 27, 2024"),
        ("f.clock('2024-06-21T10:00:00.000Z', f.exchange(1719482400000000000))", "15:30:00 IST"),
        ("f.clock('2024-06-21T20:00:00.000Z', f.exchange(1719604800000000000))", "16:00:00 ET"),
        ("f.clock('2024-12-20T21:00:00.000Z', f.exchange(1734728400000000000))", "16:00:00 ET"),
        ("f.clock('2024-06-21T10:00:00.000Z', f.exchange(0))", "10:00:00 UTC"),
        ("m.duration(210)", "0.2 s"),
        ("m.duration(75_000)", "1 min 15 s"),
        ("m.duration(6 * 86400e3 - 900)", "6 d 0 h"),
        ("m.duration(9_960)", "10 s"),
        ("m.decimalsOf([23501.1, 0.05, 8473.85])", 2),
        ("m.decimalsOf([100, 250])", 0),
        ("m.decimalsOf([1 / 3])", 4),
    ],
)
def test_formats(page: Page, code: str, text: str | int) -> None:
    """Grouping of the locale, decimals of the prices, the exchange's zone with its name."""
    assert run(page, "formats", f"const f = new m.Formats('en-US'); return {code};") == text


def test_a_link_keeps_everything(page: Page) -> None:
    """Also symbols with signs that a URL gives a meaning."""
    route = {"view": "chain", "product": "M&M", "expiry": "2024-06-27", "options": {"cols": "iv,last"}}
    assert run(page, "router", "return m.parse(m.format(a));", route) == route
    assert run(page, "router", "return m.parse('#/chain/%E0%A4%A/');")["product"] == "%E0%A4%A"


@pytest.mark.parametrize(
    ("route", "remembered", "chains", "found"),
    [
        ({"product": "", "expiry": ""}, "", [], ["AAPL", ""]),
        ({"product": "", "expiry": ""}, "SPY", [], ["SPY", ""]),
        ({"product": "", "expiry": ""}, "GONE", [], ["AAPL", ""]),
        ({"product": "XYZ", "expiry": "2024-01-01"}, "SPY", [], ["XYZ", "2024-01-01"]),
        (
            {"product": "SPY", "expiry": ""},
            "",
            [
                {**CHAIN, "product": "SPY", "expiry": "2026-12-18"},
                {**CHAIN, "product": "SPY", "expiry": "2026-11-30"},
                {**CHAIN, "product": "SPY", "expiry": "2026-11-27", "years_to_expiry": 0},
                {**CHAIN, "product": "QQQ", "expiry": "2026-11-29"},
            ],
            ["SPY", "2026-11-30"],
        ),
    ],
)
def test_what_is_shown_if_the_link_does_not_say(
    page: Page, route: dict[str, str], remembered: str, chains: list[Any], found: list[str]
) -> None:
    """The last product of this browser, and the nearest expiry that has not passed."""
    argument = [route, ["AAPL", "QQQ", "SPY"], remembered, chains]
    selection = run(page, "selection", "return m.select(...a);", argument)
    assert [selection["product"], selection["expiry"]] == found


@pytest.mark.parametrize(
    ("connection", "chain", "age_ms", "name", "text"),
    [
        (LIVE, CHAIN, 210, "live", "live, 0.2 s"),
        (LIVE, {**CHAIN, "replay": 3}, 210, "recording", "recording of 21 Jun 2024, 0.2 s"),
        (LIVE, CHAIN, 14_000, "stale", "stale for 14 s"),
        (LIVE, None, None, "waiting", "waiting for the first chain"),
        (LIVE, CHAIN, None, "connecting", "age not known yet"),
        (WAITING, CHAIN, 4_000, "disconnected", "disconnected, data 4.0 s old, next try in 3 s"),
        ({**LIVE, "state": "connecting"}, None, None, "connecting", "connecting"),
        ({**LIVE, "state": "refused"}, CHAIN, 10, "refused", "login needed"),
    ],
)
def test_the_state_of_the_data_in_words(
    page: Page, connection: Any, chain: Any, age_ms: Any, name: str, text: str
) -> None:
    facts = {"connection": connection, "chain": chain, "ageMs": age_ms, "day": "21 Jun 2024", "now": 1000}
    facts = {key: value for key, value in facts.items() if key != "chain" or value is not None}
    found = run(page, "datastate", "return m.dataState(a);", facts)
    assert (found["name"], found["text"]) == (name, text)
