"""Measures how fast the page draws: 200 strikes, ten chains a second. Prints the times and asserts none."""

from __future__ import annotations

import copy
import json
import os
import random
import time
from datetime import UTC, datetime
from statistics import quantiles
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.desk import Desk
from tests.support.contracts import example

STRIKES, PER_SECOND = 200, 10
SECONDS = float(os.environ.get("PAGE_SECONDS", "8"))  # 600 shows whether the memory stays flat
pytestmark = pytest.mark.timeout(300 + SECONDS)

_OBSERVE = """() => {
  window.draws = []; window.latencies = [];
  const drawn = list => list.getEntriesByName('draw').map(entry => entry.duration);
  new PerformanceObserver(list => window.draws.push(...drawn(list))).observe({entryTypes: ['measure']});
  const cell = document.querySelector("tr.atm td.calls.c-bid");
  const sentMs = () => Number(cell.textContent.replaceAll(',', '')) * 1000;
  new MutationObserver(() => window.latencies.push(Date.now() % 1e6 - sentMs()))
    .observe(cell, {characterData: true, subtree: true});
}"""


def chain(number: int) -> dict[str, Any]:
    """An enriched chain of 200 strikes. The bid of the at-the-money call is the time, in s modulo 1000."""
    message = copy.deepcopy(example("enriched-option_chain"))
    now = datetime.now(UTC)
    strikes = [20_000.0 + 50 * n for n in range(STRIKES)]
    message |= {
        "product": "BENCH",
        "mid": f"9:{number}",
        "replay": 0,
        "ts": time.time_ns(),
        "sent_ts": time.time_ns(),
        "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "processed_at": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "strikes": strikes,
        "atm_strike": strikes[STRIKES // 2],
        "spot_price": strikes[STRIKES // 2] + 1.05,
    }
    for side in ("calls", "puts"):
        for name, values in message[side].items():
            first = next((value for value in values if value is not None), None)
            changing = isinstance(first, float)
            message[side][name] = [
                round(first * random.uniform(0.9, 1.1), 4) if changing else first for _ in strikes
            ]
    message["calls"]["bid"][STRIKES // 2] = round(time.time() % 1000, 3)
    return message


def test_a_quick_chain_is_drawn_in_time(desk: Desk) -> None:
    """Main-thread time of an update, time from the event to the changed cell, and memory."""
    redis = desk.system.redis()
    page = desk.open("chain/BENCH")
    expect(page.locator("#notice")).to_contain_text("BENCH")
    number = 0

    def publish() -> None:
        nonlocal number
        number += 1
        redis.publish("enriched:option_chain", json.dumps(chain(number)))

    def shown() -> bool:
        publish()
        return page.locator(".ladder tbody tr").count() == STRIKES

    while not shown():
        page.wait_for_timeout(100)  # lets the browser work between two chains
    page.evaluate(_OBSERVE)
    heap_before = _heap(page)
    started = number
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        publish()
        page.wait_for_timeout(1000 / PER_SECOND)
    draws = sorted(page.evaluate("window.draws"))
    latencies = sorted(page.evaluate("window.latencies"))
    sent = number - started
    print(
        f"page: {STRIKES} strikes, {sent} chains in {SECONDS:g} s: draw p95 {_p95(draws):.1f} ms, "
        f"event to cell p50 {latencies[len(latencies) // 2]:.0f}, p95 {_p95(latencies):.0f} ms, "
        f"heap {heap_before:.1f} to {_heap(page):.1f} MB"
    )
    assert latencies, f"{sent} chains were sent and none was drawn"


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]


def _heap(page: Any) -> float:
    """The page's heap after a garbage collection, in MB."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
    session.detach()
    return float(used)
