"""The view Quality counts what REST and the messages say, from the stream to the browser."""

from __future__ import annotations

import copy
import itertools
import json
import statistics
from datetime import UTC, datetime
from typing import Any

import pytest
from devcluster.waiting import wait_until
from playwright.sync_api import expect

from tests.browser.desk import Desk
from tests.browser.numbers import table
from tests.support.contracts import example

pytestmark = pytest.mark.timeout(300)
CLOSE = "2024-06-27"


def figure(desk: Desk, name: str) -> str:
    return desk.page.locator(f"[data-figure-of-quality={name}]").inner_text()


def part(count: int, whole: int) -> str:
    return f"{count:,} ({count / whole * 100:.1f} %)"


def test_missing_volatilities_and_arbitrage_agree_with_rest(desk: Desk) -> None:
    """By reason, in words; the counts at mid and at tradable prices."""
    chain = desk.system.get(f"/api/data/chain/NIFTY?expiry={CLOSE}&limit=1")["chains"][0]
    contracts = chain["calls"] + chain["puts"]
    reasons = [row["iv_reason"] for row in contracts if row["iv"] is None]
    page = desk.open(f"quality/NIFTY/{CLOSE}")
    shown = table(page, "Contracts without a volatility, by reason")
    assert shown.keys() == set(reasons)
    for reason in shown:
        assert shown[reason][1] == part(reasons.count(reason), len(contracts))
    expect(page.locator(".panel", has_text="Contracts without")).to_contain_text(
        f"{part(len(reasons), len(contracts))} of {len(contracts)} contracts"
    )
    counts = table(page, "No-arbitrage counts")
    for name in ("Bounds", "Vertical", "Butterfly"):
        kinds = (f"{name.lower()}_mid", f"{name.lower()}_executable")
        assert counts[name][1:3] == [f"{chain['arbitrage'][kind]:,}" for kind in kinds]
    assert counts["Crossed"][1] == f"{chain['arbitrage']['crossed']:,}"
    assert counts["Parity"][2] == f"{chain['arbitrage']['parity_executable']:,}"
    expect(page.get_by_text("The market of the feed nifty-replay is not simulated here")).to_be_visible()


def true_chain() -> dict[str, Any]:
    """A chain of three strikes of a synthetic feed, with the generator's truth."""
    chain = copy.deepcopy(example("enriched-option_chain"))
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    chain |= {"product": "TRUE", "replay": 0, "timestamp": now, "processed_at": now}
    chain |= {"strikes": [90.0, 100.0, 110.0], "forward": 100.25, "discount": 0.9991}
    for side in ("calls", "puts"):
        for name, values in chain[side].items():
            chain[side][name] = [values[0]] * 3
        chain[side] |= {
            "iv": [0.21, 0.2, None],
            "iv_bid": [0.205, 0.199, None],
            "iv_ask": [0.22, 0.203, None],
        }
        chain[side]["iv_reason"] = [None, None, "wide_spread"]
    chain["puts"]["iv"] = [0.204, 0.195, None]
    chain["truth"] = {"forward": 100.0, "discount": 0.9989, "iv": [0.2, 0.2, 0.19]}
    return chain


def test_the_error_against_the_truth(desk: Desk) -> None:
    """What the worker computed less what the generator used, over all contracts with a volatility."""
    chain = true_chain()
    page = desk.open("quality/TRUE")
    redis = desk.system.redis()
    numbers = itertools.count(1)

    def arrived() -> bool:
        redis.publish("enriched:option_chain", json.dumps({**chain, "mid": f"9:{next(numbers)}"}))
        return figure(desk, "forward").startswith("+")

    expect(page.locator("#state")).not_to_have_attribute("data-state", "connecting")
    wait_until(arrived, "the chain arrives")
    true = chain["truth"]["iv"]
    errors = [
        iv - real
        for side in ("calls", "puts")
        for iv, real in zip(chain[side]["iv"], true, strict=True)
        if iv is not None
    ]
    assert figure(desk, "forward") == "+0.2500"
    assert figure(desk, "discount") == "+2.00 bp"
    assert figure(desk, "bias") == f"{statistics.fmean(errors) * 100:+.3f}"
    assert figure(desk, "largest") == f"{max(map(abs, errors)) * 100:.3f}" == "1.000"
    assert figure(desk, "typical") == f"{sorted(map(abs, errors))[1] * 100:.3f}"
    assert figure(desk, "within") == "50.0 %"


def test_a_synthetic_feed_has_errors_and_they_move(desk: Desk) -> None:
    page = desk.open("quality/SPY")
    expect(page.locator("[data-figure-of-quality=typical]")).not_to_have_text("–")
    before = figure(desk, "forward"), figure(desk, "typical")
    wait_until(lambda: (figure(desk, "forward"), figure(desk, "typical")) != before, "the market moves")


def test_a_refused_message_appears_with_its_reason(desk: Desk) -> None:
    """Sent into the feed's stream as any source could; refused by the worker; equal to REST."""
    page = desk.open("quality/SPY")
    expect(page.get_by_label("Feed")).to_have_value("browser")
    expect(page.get_by_text("The enricher of browser refused no message")).to_be_visible()
    for body in ("{", "[]", "{}"):
        desk.system.redis().xadd("feed:browser", {"body": body})
    path = "/api/feeds/browser/dead-letters"
    wait_until(lambda: desk.system.get(path)["kept"] == 3, "the worker has refused them")
    expect(page.get_by_text("3 messages were refused and kept")).to_be_visible()
    answer = desk.system.get(path)
    by_reason = table(page, "Dead letters by reason")
    assert {reason: cells[1] for reason, cells in by_reason.items()} == {
        one["reason"]: str(one["count"]) for one in answer["reasons"]
    }
    newest = table(page, "Newest dead letters")
    assert list(newest) == [letter["id"] for letter in answer["letters"]]
    for letter in answer["letters"]:
        cells = newest[letter["id"]]
        assert (cells[2], cells[5]) == (letter["detail"], letter["id"])
    page.get_by_label("Feed").select_option("nifty-replay")
    expect(page.get_by_text("The enricher of nifty-replay refused no message")).to_be_visible()
    assert page.url.endswith("feed=nifty-replay")


def test_the_delivery_is_measured(desk: Desk) -> None:
    """Messages are counted, with a latency and a rate; without a gap nothing is lost."""
    page = desk.open("quality/SPY")
    expect(page.locator("[data-figure-of-quality=rate]")).not_to_have_text("–")
    desk.wait("Number(document.querySelector('[data-figure-of-quality=events]').textContent) > 20")
    assert figure(desk, "p50").endswith(" ms")
    assert float(figure(desk, "rate")) > 1
    assert [figure(desk, name) for name in ("gaps", "lost")] == ["0", "0"]
