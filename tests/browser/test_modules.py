"""The page's pure modules, run in Chromium: clock, formats, URL, selection, state of the data, candles."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.timeout(300)
LIVE = {"state": "live", "since": 0, "retryAt": 0, "reason": "", "code": ""}
WAITING = {**LIVE, "state": "waiting", "retryAt": 3500, "reason": "the connection ended"}
CHAIN = {"replay": 0, "product": "NIFTY", "expiry": "2024-06-27", "years_to_expiry": 0.01}


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
        ("f.clock('2024-06-21T13:30:00.000Z', f.exchange(1718976600000000000))", "09:30:00 ET"),
        ("f.clock('2024-11-29T18:00:00.000Z', f.exchange(1732903200000000000))", "13:00:00 ET"),
        ("f.clock('2024-06-21T10:00:00.000Z', f.exchange(0))", "10:00:00 UTC"),
        ("f.count(2210.125)", "2,210.125"),
        ("f.change(-0.5)", "-0.5"),
        ("f.change(2210)", "+2,210"),
        ("m.duration(210)", "0.2 s"),
        ("m.duration(75_000)", "1 min 15 s"),
        ("m.duration(6 * 86400e3 - 900)", "6 d 0 h"),
        ("m.duration(9_960)", "10 s"),
        ("m.decimalsOf([23501.1, 0.05, 8473.85])", 2),
        ("m.decimalsOf([100, 250])", 0),
        ("m.decimalsOf([1 / 3])", 4),
        ("m.decimalsOf([0.0475, 1 / 3], 2)", 2),
        ("m.decimalsOf([0.0475], 2)", 4),
    ],
)
def test_formats(page: Page, code: str, text: str | int) -> None:
    """Grouping of the locale, decimals of the prices, the exchange's zone with its name."""
    assert run(page, "formats", f"const f = new m.Formats('en-US'); return {code};") == text


def test_the_terms_of_a_chain_tell_two_series_of_a_date_apart(page: Page) -> None:
    """SPX and SPXW expire on the same third Friday, one at the open and one at the close."""
    code = """const { Formats } = await import('/web/app/formats.js');
    return m.terms({ exercise: 'European', ...a }, new Formats('en-US'));"""
    spx = {"expiry_ts": 1718976600 * 10**9, "settlement_session": "open", "multiplier": 100}
    spxw = {"expiry_ts": 1719000000 * 10**9}
    assert run(page, "words", code, spx) == (
        "European. Expires Jun 21, 2024, 09:30:00 ET, settled by the open. Multiplier 100."
    )
    assert run(page, "words", code, spxw) == (
        "European. Expires Jun 21, 2024, 16:00:00 ET, settled by the close."
    )


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
        (LIVE, {**CHAIN, "replay": 3}, 14_000, "stale", "recording of 21 Jun 2024, stale for 14 s"),
        (LIVE, None, None, "waiting", "waiting for the first chain"),
        (LIVE, CHAIN, None, "connecting", "age not known yet"),
        (WAITING, CHAIN, 4_000, "disconnected", "disconnected, data 4.0 s old, next try in 3 s"),
        (
            WAITING,
            {**CHAIN, "replay": 3},
            4_000,
            "disconnected",
            "disconnected, recording of 21 Jun 2024, 4.0 s old, next try in 3 s",
        ),
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


HISTORY = {
    "candles": [
        {"start": 60, "open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5},
        {"start": 120, "open": 1.5, "high": 1.8, "low": 1.4, "close": 1.6},
    ],
    "until": 130_000,
}


@pytest.mark.parametrize(
    ("ticks", "last"),
    [
        ([], {"start": 120, "open": 1.5, "high": 1.8, "low": 1.4, "close": 1.6}),
        ([(125_000, 1.7)], {"start": 120, "open": 1.5, "high": 1.8, "low": 1.4, "close": 1.6}),
        ([(131_000, 1.9)], {"start": 120, "open": 1.5, "high": 1.9, "low": 1.4, "close": 1.9}),
        (
            [(140_000, 1.3), (135_000, 1.7)],
            {"start": 120, "open": 1.5, "high": 1.8, "low": 1.3, "close": 1.3},
        ),
        ([(61_000, 9.0)], {"start": 120, "open": 1.5, "high": 1.8, "low": 1.4, "close": 1.6}),
        (
            [(131_000, 1.9), (181_000, 1.2)],
            {"start": 180, "open": 1.2, "high": 1.2, "low": 1.2, "close": 1.2},
        ),
    ],
    ids=["no tick", "in the history", "a newer one", "out of order", "of a complete bar", "of the next bar"],
)
def test_ticks_continue_the_history(page: Page, ticks: list[tuple[int, float]], last: dict[str, Any]) -> None:
    """A tick that the history contains changes nothing; a later one moves high, low and close."""
    given = [{"ms": ms, "price": price} for ms, price in ticks]
    code = "return m.continued(a.history, a.ticks, 1);"
    found = run(page, "../views/price/candles", code, {"history": HISTORY, "ticks": given})
    assert found[-1] == last
    assert found[0] == HISTORY["candles"][0]


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([23500, 15000, 16000, 23450], 50),
        ([100, 102.5, 105], 2.5),
        ([680], 680),
        ([], 1),
        ([0.001, 1000], 0.25),
    ],
)
def test_a_linear_axis_has_a_position_for_every_strike(page: Page, values: list[float], step: float) -> None:
    """The step divides all strikes, but an odd strike does not make an axis of a million positions."""
    assert run(page, "charts/positions", "return m.stepOf(a);", values) == pytest.approx(step, rel=1e-5)


def test_no_two_points_share_a_position(page: Page) -> None:
    """The chart library refuses two points at one place."""
    assert run(page, "charts/positions", "return m.place(a, 0.5);", [0, 0.1, 0.2, 5]) == [0, 1, 2, 10]


@pytest.mark.parametrize(
    ("zone", "time", "hours"),
    [
        ("Asia/Kolkata", "2024-06-21T10:00:00Z", 5.5),
        ("America/New_York", "2024-06-21T20:00:00Z", -4),
        ("America/New_York", "2024-12-20T21:00:00Z", -5),
        ("UTC", "2024-12-20T21:00:00Z", 0),
    ],
)
def test_a_time_axis_is_that_of_the_exchange(page: Page, zone: str, time: str, hours: float) -> None:
    """The library labels full hours of UTC, so it gets the exchange's local time, also in summer."""
    code = """const at = Date.parse(a.time) / 1000;
        const times = new m.Times(null, {zone: a.zone, label: ''}, at);
        return [times.to(at) - at, times.from(times.to(at)) - at];"""
    assert run(page, "charts/times", code, {"zone": zone, "time": time}) == [hours * 3600, 0]


def test_live_ratios_continue_stored_ones(page: Page) -> None:
    """Stored ones arrive newest first and later; a second has one ratio, and the live one remains."""
    code = """const row = (second, oi) =>
            ({timestamp: `2024-06-21T10:00:0${second}Z`, pcr_oi: oi, pcr_volume: null});
        const ratios = new m.Ratios(); ratios.live(row(3, 0.91554)); ratios.live(row(5, 0.95));
        ratios.stored([row(3, 0.5), row(2, 0.8), row(1, 0.7)]);
        return ratios.all().map(({at, oi}) => [at % 60, oi]);"""
    found = run(page, "../views/positioning/ratios", code)
    assert found == [[1, 0.7], [2, 0.8], [3, 0.9155], [5, 0.95]]


def test_the_history_of_a_feed_is_drawn_with_gaps(page: Page) -> None:
    """An unknown lag is a gap, not a zero; the enrichers are steps, each on its own scale."""
    points = [[0, 0, 1], [10, 100, 1], [20, None, 2], [30, 50, 2], [40, 100, 2]]
    found = run(
        page,
        "../views/feeds/history",
        "return m.paths(a.map(([at, lag, enrichers]) => ({ at, lag, enrichers })));",
        points,
    )
    assert found["line"] == "M0 98L150 4M450 51L600 4"
    assert found["area"] == "M0 100L0 98L150 4L150 100ZM450 100L450 51L600 4L600 100Z"
    assert found["steps"] == "M0 51H150V51H300V4H450V4H600V4"


@pytest.mark.parametrize(
    ("conditions", "level", "word"),
    [
        ({"Ready": "True", "Paused": "False"}, "good", "ready"),
        ({"Ready": "True", "Paused": "True"}, "warn", "paused"),
        ({"Ready": "False", "SpecValid": "False"}, "bad", "spec refused"),
        ({"Ready": "True", "ScalingLimited": "True"}, "warn", "at its limit"),
        ({}, "quiet", "not decided yet"),
    ],
)
def test_the_state_of_a_feed_in_a_word(page: Page, conditions: Any, level: str, word: str) -> None:
    rows = [{"type": name, "status": status, "message": ""} for name, status in conditions.items()]
    found = run(page, "../views/feeds/state", "return m.stateOf(a);", rows)
    assert (found["level"], found["word"]) == (level, word)


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.95, 4), (0.25, 1), (1, 4)])
def test_percentiles_are_values_that_were_measured(page: Page, share: float, value: int) -> None:
    """The nearest rank; a gap of the ring of latencies is no value."""
    code = f"return m.percentile(m.sorted([3, 1, , 4, 2]), {share});"
    assert run(page, "../views/quality/measures", code) == value


def test_the_rate_is_of_the_last_seconds(page: Page) -> None:
    """Not of the whole time that the page is open; unknown within the first second."""
    code = """const rate = new m.Rate(10_000), found = [];
        for (let s = 0; s <= 30; s += 1) {
            rate.read(s * 1000, s < 20 ? 0 : (s - 20) * 7);
            found.push(rate.perSecond());
        }
        return [found[0], found[10], found[30]];"""
    assert run(page, "../views/quality/measures", code) == [None, 0, 7]


@pytest.mark.parametrize(
    ("condition", "level", "word"),
    [
        ({"type": "SourceConnected", "status": "True"}, "good", "ready"),
        ({"type": "SourceConnected", "status": "False"}, "bad", "not connected"),
        ({"type": "SourceConnected", "status": "Unknown"}, "quiet", "ready"),
        ({"type": "SourceAuthorized", "status": "False"}, "bad", "source refused"),
    ],
)
def test_a_feed_is_not_ready_without_its_source(
    page: Page, condition: dict[str, str], level: str, word: str
) -> None:
    """Its pods may all serve: nothing comes."""
    ready = {"type": "Ready", "status": "True", "message": "all replicas serve"}
    code = "return [m.levelOf(a[0]), m.stateOf(a.map(one => ({message: '', ...one}))).word];"
    assert run(page, "../views/feeds/state", code, [condition, ready]) == [level, word]
