"""Measures how fast the page appears and draws. Prints times and asserts none."""

from __future__ import annotations

import os
import time
from statistics import quantiles

import pytest
from playwright.sync_api import CDPSession, expect

from tests.browser.desk import Desk
from tests.browser.made_up_market import STRIKES, Market

PER_SECOND, REPORT_S = 10, 60
SECONDS = float(os.environ.get("PAGE_SECONDS", "5"))  # of `make bench-page`: ten minutes
FIRST_LOAD_KB = 250
pytestmark = pytest.mark.timeout(300 + SECONDS)

# Collects when the page painted first, and when it first showed current data.
_FIRST = """window.first = {};
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) first[entry.name] ??= entry.startTime;
}).observe({type: 'paint', buffered: true});
addEventListener('DOMContentLoaded', () => new MutationObserver(() => {
  if (document.body.dataset.state === 'live') first.live ??= performance.now();
}).observe(document.body, {attributes: true, attributeFilter: ['data-state']}));"""

# Times the handling of each message, as WebSocket's listeners see it.
_MESSAGES = """window.handled = [];
const listen = WebSocket.prototype.addEventListener;
WebSocket.prototype.addEventListener = function (name, handle, ...rest) {
  if (name !== 'message') return listen.call(this, name, handle, ...rest);
  return listen.call(this, name, event => {
    const began = performance.now();
    handle(event);
    handled.push(performance.now() - began);
  }, ...rest);
};"""

_DRAWS = """() => {
  window.draws = []; window.latencies = []; window.handled.length = 0;
  const drawn = list => list.getEntriesByName('draw').map(entry => entry.duration);
  new PerformanceObserver(list => window.draws.push(...drawn(list))).observe({entryTypes: ['measure']});
  const cell = document.querySelector("tr.atm td.calls.c-bid");
  const sentMs = () => Number(cell.textContent.replaceAll(',', '')) * 1000;
  new MutationObserver(() => window.latencies.push(Date.now() % 1e6 - sentMs()))
    .observe(cell, {characterData: true, subtree: true});
}"""


def test_the_page_appears_and_is_live(desk: Desk) -> None:
    """First paint, time to live, and what the first load takes over the network."""
    desk.page.add_init_script(_FIRST)
    page = desk.open("chain/SPY")
    expect(page.locator("tr.atm")).to_be_visible()
    desk.wait("window.first.live && window.first['first-contentful-paint']")
    first = page.evaluate("window.first")
    sizes = page.evaluate(
        "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".filter(({name}) => !name.includes('/api/')).map(entry => entry.transferSize)"
    )
    painted, loaded_kb = first["first-contentful-paint"], sum(sizes) / 1000
    print(
        f"page: first paint {painted:.0f} ms, live {first['live'] - painted:.0f} ms later, "
        f"first load {loaded_kb:.0f} kB in {len(sizes)} files"
    )
    assert 0 < loaded_kb <= FIRST_LOAD_KB


def test_a_quick_chain_is_drawn_in_time(desk: Desk) -> None:
    """Main-thread time of an update, time from the event to the changed cell, and memory."""
    desk.page.add_init_script(_MESSAGES)
    market = Market(desk, "BENCH")
    page = market.opened()
    page.evaluate(_DRAWS)
    inspector = page.context.new_cdp_session(page)
    inspector.send("Performance.enable")
    heaps = [_heap(inspector)]
    before, busy_before = market.published, _busy_s(inspector)
    started = reported = time.monotonic()
    while time.monotonic() - started < SECONDS:
        market.chain()
        page.wait_for_timeout(1000 / PER_SECOND)
        if time.monotonic() - reported > REPORT_S:
            reported = time.monotonic()
            heaps.append(_heap(inspector))
            print(f"page: {reported - started:.0f} s, heap {heaps[-1]:.1f} MB", flush=True)
    sent = market.published - before
    busy_ms = (_busy_s(inspector) - busy_before) * 1000 / sent
    draws, handled, latencies = (
        sorted(page.evaluate(f"window.{n}")) for n in ("draws", "handled", "latencies")
    )
    print(
        f"page: {STRIKES} strikes, {sent} chains in {SECONDS:g} s: draw p95 {_p95(draws):.1f} ms, "
        f"message p95 {_p95(handled):.1f} ms, main thread with layout {busy_ms:.1f} ms a chain, "
        f"event to cell p50 {latencies[len(latencies) // 2]:.0f}, p95 {_p95(latencies):.0f} ms, "
        f"heap {heaps[0]:.1f} to {_heap(inspector):.1f} MB"
    )
    assert latencies, f"{sent} chains were sent and none was drawn"


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]


def _busy_s(inspector: CDPSession) -> float:
    """The time in seconds that the page's main thread has been busy so far."""
    metrics = {each["name"]: each["value"] for each in inspector.send("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"])


def _heap(inspector: CDPSession) -> float:
    """The page's heap after a garbage collection, in MB."""
    inspector.send("HeapProfiler.collectGarbage")
    return float(inspector.send("Runtime.getHeapUsage")["usedSize"] / 1e6)
