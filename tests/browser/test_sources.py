"""The view Sources: what a live source and a pushed feed receive, and a vendor's numbers against ours."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from devcluster.waiting import wait_until
from playwright.sync_api import Browser, Response, expect

from tests.browser.desk import OPERATOR, PHONE, WIDE, Desk
from tests.browser.numbers import table
from tests.browser.test_looks import RULES
from tests.support.contracts import example
from tests.support.fake_deribit.market import Market
from tests.support.fake_deribit.server import FakeDeribit
from tests.support.fake_deribit.server import running as exchange_running
from tests.support.fake_deribit.ticking import ticking
from tests.support.local_system import LocalSystem, running

pytestmark = pytest.mark.timeout(300)
PUSHED = 3
"""Messages that are pushed: two ticks and a chain."""


class Live(NamedTuple):
    system: LocalSystem
    exchange: FakeDeribit


def pushed() -> list[dict[str, Any]]:
    """Two ticks, and the contract's example as a chain of DESK that expires in 30 days."""
    now, day_ns = time.time_ns(), 86_400 * 10**9
    settles = now // day_ns * day_ns + 30 * day_ns + day_ns // 2
    expiry = time.strftime("%Y-%m-%d", time.gmtime(settles / 1e9))
    common = {"feed": "pushed", "product": "DESK", "ts": now, "sent_ts": now, "replay": 0, "truth": None}
    ticks = [{**common, "kind": "underlying", "price": 23501.1 + step} for step in range(2)]
    chain = {**example("market-option_chain"), **common, "expiry": expiry, "expiry_ts": settles}
    return [{**message, "mid": f"1:{number}"} for number, message in enumerate([*ticks, chain], 1)]


def solved(system: LocalSystem, product: str) -> bool:
    """Whether the newest chain of a product has a volatility at the money."""
    chains = (system.call(f"/api/data/chain/{product}?limit=1")[1] or {}).get("chains")
    return bool(chains and chains[0]["atm_iv"])


@pytest.fixture(scope="module")
def live(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A system with a feed of the fake exchange and a pushed one, after both have brought a chain."""
    folder = tmp_path_factory.mktemp("live")
    exchange = FakeDeribit(Market(time.time_ns() // 1_000_000))
    with exchange_running(exchange), ticking(exchange, "BTC", "ETH"):
        feeds = folder / "feeds.yaml"
        text = Path(__file__).with_name("sources.yaml").read_text()
        feeds.write_text(text.replace("wss://exchange.example", exchange.url))
        with running(folder / "home", str(feeds)) as system:
            token = system.call("/api/auth/register", OPERATOR)[1]["token"]
            status, answer = system.call("/api/ingest/pushed", pushed(), token)
            assert (status, answer.get("accepted")) == (200, PUSHED), answer
            products = ["BTC", "DESK", "ETH"]
            wait_until(lambda: system.get("/api/data/products")["products"] == products, "all is stored")
            wait_until(lambda: system.call("/api/data/chain/DESK?limit=1")[0] == 200, "the pushed chain")
            wait_until(lambda: all(solved(system, product) for product in ("BTC", "ETH")), "volatilities")
            yield Live(system, exchange)


@pytest.fixture
def desk(browser: Browser, live: Live) -> Iterator[Desk]:
    """A reader of this system. The test fails if the console shows an error."""
    made = Desk(browser, live.system)
    yield made
    made.close()
    assert made.errors == []


def figure(desk: Desk, name: str) -> str:
    return desk.page.locator(f"[data-figure-of-source={name}]").inner_text()


def report(live: Live) -> dict[str, Any]:
    """What the generator of the exchange's feed reports, from REST."""
    found: list[dict[str, Any]] = live.system.get("/api/feeds/deribit/source")["generators"]
    return found[0] if found else {}


def test_a_live_source_tells_its_connection_and_what_it_receives(desk: Desk, live: Live) -> None:
    """After a drop the gap is counted, and the numbers are those of REST."""
    page = desk.open("sources?feed=deribit")
    row = page.locator("tr:has([data-feed=deribit])")
    expect(row).to_contain_text("connected")
    expect(page.locator(".source-origin")).to_have_text(
        "The exchange Deribit (BTC, ETH at localhost): BTC, ETH."
    )
    expect(page.locator(".source-connection")).to_contain_text("contracts of BTC, ETH")
    gaps = report(live)["gaps"]
    live.exchange.disconnect("cut")
    wait_until(lambda: figure(desk, "gaps") == f"{gaps + 1}", "the page counts the gap")
    wait_until(lambda: report(live).get("connected"), "connected again")
    wait_until(lambda: figure(desk, "reconnects") == f"{report(live)['reconnects']}", "REST's reconnects")
    for name in ("messages", "frames", "bytes"):
        desk.wait(f"parseFloat(document.querySelector('[data-figure-of-source={name}]').textContent) > 0")
    expect(page.get_by_role("img", name="Frames/s: up to")).to_be_visible()
    conditions = table(page, "Conditions")
    assert conditions.keys() == {"SourceConnected", "SourceAuthorized"}


def test_the_vendors_volatilities_are_compared_with_ours(desk: Desk) -> None:
    """Median, 95 % and largest of the chains that the page has read, the classes, and the worst contracts."""
    answers: list[Response] = []
    desk.page.on("response", lambda answer: answers.append(answer))

    def read() -> dict[str, dict[str, Any]]:
        """The newest chain of each expiry that the page has read."""
        bodies = [answer.json() for answer in answers if "/api/data/chain/ETH" in answer.url]
        return {chain["expiry"]: chain for body in bodies for chain in body["chains"]}

    page = desk.open("sources?feed=deribit")
    page.locator("[name=source-product]").select_option("ETH")
    wait_until(lambda: shown(desk) == expected(read()) and len(read()) == 2, "the numbers of the chains")


def shown(desk: Desk) -> tuple[list[float], list[int], list[str]]:
    """The numbers of the sentence, the classes from the smallest difference, the farthest contract."""
    classes = table(desk.page, "Contracts by difference").values()
    farthest = next(iter(table(desk.page, "Largest differences").values()))
    return said(desk), [int(cells[1]) for cells in classes], farthest[1:]


def said(desk: Desk) -> list[float]:
    """The numbers of the sentence about the comparison."""
    words = (
        desk.page.locator(".source-said")
        .inner_text()
        .replace(",", " ")
        .replace(". ", " ")
        .rstrip(".")
        .split()
    )
    numbers = [word for word in words if word.replace(".", "", 1).isdigit()]
    return [float(word) for word in numbers]


def expected(chains: dict[str, dict[str, Any]]) -> tuple[list[float], list[int], list[str]]:
    """What `shown` must be: compared, of how many, median, 95th percentile, largest, outside bid and ask."""
    legs = [leg for chain in chains.values() for leg in chain["calls"] + chain["puts"]]
    vendor = [leg for leg in legs if leg["vendor_iv"] is not None]
    both = sorted(
        (leg for leg in legs if leg["vendor_iv_difference"] is not None),
        key=lambda leg: abs(leg["vendor_iv_difference"]),
    )
    if not both:
        return [], [], []
    sizes = [abs(leg["vendor_iv_difference"]) * 100 for leg in both]
    spread = [statistics.median_low(sizes), sizes[math.ceil(0.95 * len(sizes)) - 1], sizes[-1]]
    half, most, largest = (float(f"{size:.2f}") for size in spread)
    below = [sum(size < end for size in sizes) for end in (0.05, 0.1, 0.25, 0.5, 1, 2, 5, math.inf)]
    classes = [below[0], *(after - before for before, after in itertools.pairwise(below))]
    far = both[-1]
    bounds = " to ".join(
        "–" if far[name] is None else f"{far[name] * 100:.2f}" for name in ("iv_bid", "iv_ask")
    )
    worst = [f"{far['iv'] * 100:.2f}", bounds, f"{far['vendor_iv'] * 100:.2f}"]
    difference = f"{far['vendor_iv_difference'] * 100:+.2f}"
    outside = sum(not (leg["iv_bid"] or 0) <= leg["vendor_iv"] <= (leg["iv_ask"] or math.inf) for leg in both)
    return [len(both), len(vendor), half, 95, most, largest, outside], classes, [*worst, difference]


def test_a_rate_is_not_shown_for_longer_than_it_is_true(desk: Desk) -> None:
    """While the gateway does not say what the feed receives, the ages count and the rates are unknown."""
    page = desk.open("sources?feed=deribit")
    rate = page.locator("[data-figure-of-source=messages]")
    expect(rate).to_have_text(re.compile("[1-9]"))
    page.route("**/api/feeds/deribit/source", lambda route: route.abort())
    expect(page.locator(".source-warning:visible")).to_contain_text("What the feed receives is not known")
    expect(rate).to_have_text("–")
    desk.wait("parseFloat(document.querySelector('[data-figure-of-source=age]').textContent) > 9")
    desk.forgive("/api/feeds/deribit/source")


def test_an_old_chain_mutes_no_feed(desk: Desk) -> None:
    """The feeds have an age of their own; the shown product may be another feed's."""
    page = desk.open("sources?feed=deribit")
    expect(page.locator(".source-detail h2")).to_have_text("deribit")
    # In one script: the page writes the true state with the next chain.
    colours = """() => { document.body.dataset.state = "stale";
        return ["main", ".source-detail h2", "header"].map(
            name => getComputedStyle(document.querySelector(name)).color); }"""
    muted, shown, text = page.evaluate(colours)
    assert shown == text != muted


def test_the_reasons_of_a_connection_can_be_read_whole(desk: Desk, live: Live) -> None:
    """The condition's message is not cut, and is not said twice."""
    page = desk.open("sources?feed=deribit")
    cells = table(page, "Conditions")["SourceConnected"]
    assert cells[4] == "as above"
    region = page.get_by_role("region", name="Conditions")
    assert region.evaluate("region => region.scrollWidth <= region.clientWidth")


def test_the_head_names_the_currency_and_what_the_contract_pays(desk: Desk) -> None:
    """Prices in USD of contracts that pay in BTC."""
    page = desk.chain("BTC")
    expect(page.locator("#currency")).to_have_text("USD")
    page.locator("[data-figure=left]").hover()
    expect(page.locator("#tip")).to_contain_text(re.compile(r"08:00:00 UTC, .* It pays in BTC\."))
    strike = desk.system.get("/api/data/chain/BTC?limit=1")["chains"][0]["atm_strike"]
    desk.cell(strike, "calls", "ask").hover()
    expect(page.locator("#tip")).to_contain_text(" BTC")
    expect(desk.cell(strike, "calls", "last")).to_have_text(re.compile(r"^[0-9,]+\.[0-9]{2}$"))


def test_an_unknown_change_of_open_interest_is_no_0(desk: Desk) -> None:
    """The exchange does not say the open interest of the day before. The tip and the chart say why."""
    page = desk.chain("BTC")
    strike = desk.system.get("/api/data/chain/BTC?limit=1")["chains"][0]["atm_strike"]
    cell = desk.cell(strike, "puts", "doi")
    expect(cell).to_have_text("–")
    cell.hover()
    why = "the source does not state the open interest of the day before"
    expect(page.locator("#tip")).to_have_text(f"ΔOI unknown: {why}")
    page = desk.open("positioning/BTC")
    strikes = "Open interest and its change by strike"
    expect(page.get_by_role("slider", name=strikes)).to_have_attribute("aria-valuetext", re.compile(why))
    page = desk.open("positioning/BTC?show=table")
    shown = table(page, strikes)
    assert {cells[2] for cells in shown.values()} == {cells[4] for cells in shown.values()} == {"–"}


def test_a_pushed_feed_says_how_to_push_and_what_came(desk: Desk) -> None:
    """Without a vendor's numbers the page says so."""
    page = desk.open("sources?feed=pushed")
    expect(page.locator("tr:has([data-feed=pushed])")).to_contain_text("pushed")
    expect(page.locator(".source-push")).to_contain_text("POST /api/ingest/pushed")
    expect(page.locator("[data-figure-of-source=appended]")).to_have_text(f"{PUSHED}")
    expect(page.locator("[data-figure-of-source=frames]")).to_be_hidden()
    age = "document.querySelector('[data-figure-of-source=age]').textContent"
    before = page.evaluate(age)
    desk.wait(f"{age} !== {json.dumps(before)}")  # it counts, though nothing comes
    expect(page.locator(".source-said")).to_contain_text("No vendor numbers")
    expect(page.get_by_role("table", name="By expiry")).to_be_hidden()


def test_the_ladder_offers_the_vendors_columns_where_a_chain_has_them(desk: Desk) -> None:
    """They are not chosen at first."""
    page = desk.chain("DESK")
    page.get_by_text("Columns", exact=True).first.click()
    expect(page.get_by_label("Delta")).to_be_visible()
    expect(page.get_by_label("Vendor IV")).to_be_hidden()
    page = desk.chain("BTC")
    expect(page.locator("td.c-vendor-iv")).to_have_count(0)
    page.get_by_label("Vendor IV").check()
    page.get_by_label("IV − vendor").check()
    strike = desk.system.get("/api/data/chain/BTC?limit=1")["chains"][0]["atm_strike"]
    desk.wait(f"""(() => {{ const cell = name =>
        parseFloat(document.querySelector(`tr[data-strike='{strike:g}'] td.calls.c-${{name}}`)?.textContent);
        return Math.abs(cell("iv") - cell("vendor-iv") - cell("vendor-difference")) < 0.11; }})()""")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_violation_in_a_live_source(desk: Desk, theme: str, tmp_path: Path) -> None:
    """On a monitor and on a phone; a picture of each goes into $SCREENSHOTS, else into a temporary folder."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    page = desk.open("sources?feed=deribit")
    for size in (PHONE, WIDE):
        desk.look(theme=theme, size=size)
        expect(page.get_by_role("table", name="Largest differences")).to_be_visible()
        page.screenshot(path=folder / f"source-{theme}-{size['width']}.png", animations="disabled")
        found = Axe().run(page, options=RULES[theme])
        assert found.violations_count == 0, found.generate_report()


def test_a_clock_that_is_ahead_is_said_and_no_age_is_negative(desk: Desk, live: Live) -> None:
    """The exchange's clock is a minute ahead of this system's: the source stays connected up to two minutes.

    The last test: once the clock is right again, the exchange's ticks are older than those before.
    """
    page = desk.open("sources?feed=deribit")
    live.exchange.faults.ahead_ms = 60_000
    expect(page.locator(".source-warning:visible")).to_contain_text("ahead of this system's clock")
    assert figure(desk, "newest") == "0.0 s"
