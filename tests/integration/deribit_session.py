"""The sample feed of Deribit as a user runs it, with the fake exchange in the place of the real one."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devcluster.waiting import wait_until

from tests.integration.replays import Recorded, logged_in, record
from tests.support.fake_deribit.market import Market
from tests.support.fake_deribit.server import FakeDeribit
from tests.support.fake_deribit.server import running as exchange_running
from tests.support.local_system import ROOT, LocalSystem, running

SAMPLE = ROOT / "k8s/samples/deribit-btc.yaml"
MESSAGES = 3000


@dataclass(frozen=True)
class DeribitSession:
    """What the session left: chain and source's state after the drop, over REST, and what came then."""

    chain: dict[str, Any]
    state: dict[str, Any]
    recorded: Recorded


def held(home: Path) -> DeribitSession:
    """Run the system and the exchange in `home`, through a drop, and record what comes after it."""
    with exchange_running(FakeDeribit(Market(time.time_ns() // 1_000_000))) as exchange, _ticking(exchange):
        feed = home / "deribit-btc.yaml"
        feed.write_text(
            SAMPLE.read_text().replace("# url: wss://test.deribit.com/ws/api/v2", f"url: {exchange.url}")
        )
        with running(home / "system", str(feed)) as system:
            wait_until(lambda: bool(_chain(system).get("atm_iv")), "a chain with volatilities")
            exchange.disconnect("cut")
            wait_until(lambda: _state(system).get("gaps") == 1 and _state(system)["connected"], "reconnected")
            before = _chain(system)["ts"]
            wait_until(lambda: _chain(system)["ts"] > before, "a chain after the drop")
            chain, state = _chain(system), _state(system)
            recorded = record(logged_in(system, home), system, "deribit-btc", home, MESSAGES)
            return DeribitSession(chain, state, recorded)


@contextmanager
def _ticking(exchange: FakeDeribit) -> Iterator[None]:
    """Send tickers four times a second for the duration of a block."""
    over = threading.Event()

    def tick() -> None:
        while not over.wait(0.25):
            exchange.tick("BTC", 60)

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _chain(system: LocalSystem) -> dict[str, Any]:
    status, answer = system.call("/api/data/chain/BTC?limit=1")
    return answer["chains"][0] if status == 200 and answer["chains"] else {}


def _state(system: LocalSystem) -> dict[str, Any]:
    with system.redis() as client:
        found: Any = client.hget("feed:deribit-btc:source", "0")
    return json.loads(found or "{}")
