"""The sample feed of Deribit as a user runs it, with the fake exchange in the place of the real one."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from devcluster.waiting import wait_until

from tests.support.fake_deribit.market import Market
from tests.support.fake_deribit.server import FakeDeribit
from tests.support.fake_deribit.server import running as exchange_running
from tests.support.fake_deribit.ticking import ticking
from tests.support.local_system import ROOT, LocalSystem, running

SAMPLE = ROOT / "k8s/samples/deribit-btc.yaml"


def _chain(system: LocalSystem) -> dict[str, Any]:
    status, answer = system.call("/api/data/chain/BTC?limit=1")
    return answer["chains"][0] if status == 200 and answer["chains"] else {}


def _state(system: LocalSystem) -> dict[str, Any]:
    with system.redis() as client:
        found: Any = client.hget("feed:deribit-btc:source", "0")
    return json.loads(found or "{}")


def test_the_sample_shows_the_exchanges_market_with_our_numbers_beside_its_own(tmp_path: Path) -> None:
    """`make run FEEDS=k8s/samples/deribit-btc.yaml`: from frames to REST, also after a drop."""
    with exchange_running(FakeDeribit(Market(time.time_ns() // 1_000_000))) as exchange, ticking(exchange):
        feed = tmp_path / "deribit-btc.yaml"
        feed.write_text(
            SAMPLE.read_text().replace("# url: wss://test.deribit.com/ws/api/v2", f"url: {exchange.url}")
        )
        with running(tmp_path / "home", str(feed)) as system:
            wait_until(lambda: bool(_chain(system).get("atm_iv")), "a chain with volatilities")
            exchange.disconnect("cut")
            wait_until(lambda: _state(system).get("gaps") == 1 and _state(system)["connected"], "reconnected")
            before = _chain(system)["ts"]
            wait_until(lambda: _chain(system)["ts"] > before, "a chain after the drop")
            chain, state = _chain(system), _state(system)
    assert (chain["price_unit"], chain["settlement_currency"], len(chain["calls"])) == ("USD", "BTC", 30)
    assert abs(chain["forward"] / chain["vendor_forward"] - 1) < 0.005
    near = [
        leg for leg in chain["calls"] if abs(leg["strike"] / chain["spot_price"] - 1) < 0.05 and leg["iv"]
    ]
    assert near
    assert max(abs(leg["iv"] - leg["vendor_iv"]) for leg in near) < 0.05
    assert (state["reason"], state["refused"], state["lost"]) == ("Connected", 0, 0)
