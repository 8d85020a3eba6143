"""kill -9 of every kind of process, one at a time, under load: no message is lost or duplicated."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import socketio
from devcluster.waiting import wait_until

from tests.support.audit import Audit, doubled, lost, stored
from tests.support.local_system import LocalSystem

pytestmark = pytest.mark.timeout(400)  # longer than all waits of one test together
FEEDS = ("load", "synthetic", "nifty-replay")
VICTIMS = ("load-worker-0", "load-subscriber-0", "load-generator-0", "redis", "mongod")
BEAT_NS = round(1e9 * 3.1 * 4 / 300)  # of feed `load`: 3.1 messages a product, 4 products, 300 a second


class Client:
    """A Socket.IO client that receives all products. It connects once and never reconnects."""

    def __init__(self, url: str) -> None:
        self._io = socketio.Client(reconnection=False)
        self._lock = threading.Lock()
        self._newest: dict[str, int] = {}
        self._io.on("underlying_update", self._tick)
        self._io.connect(url, transports=["websocket"])

    def _tick(self, event: dict[str, Any]) -> None:
        with self._lock:
            self._newest[event["product"]] = event["ts"]

    def newest(self, product: str) -> int:
        """The event time of the last tick of a product, or 0 before the first."""
        with self._lock:
            return self._newest.get(product, 0)

    def close(self) -> None:
        self._io.disconnect()


@pytest.fixture(scope="module")
def client(system: LocalSystem) -> Iterator[Client]:
    made = Client(system.url("", "SOCKET_GATEWAY"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def audit(system: LocalSystem) -> Iterator[Audit]:
    with system.redis() as connection:
        made = Audit(connection, FEEDS)
        made.start()
        yield made
        made.stop()


@pytest.fixture(scope="module")
def killed() -> list[str]:
    """The names of the processes that the tests of this module have killed so far."""
    return []


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_killed_process_loses_and_duplicates_no_message(
    system: LocalSystem, client: Client, audit: Audit, killed: list[str], victim: str
) -> None:
    """Every mid of all feeds is accounted for, and the same socket receives ticks from after the kill."""
    before = len(audit.appended["load"])
    wait_until(lambda: len(audit.appended["load"]) > before + 600, "under load")
    wait_until(lambda: client.newest("MSFT") > 0, "the socket receives ticks before the kill")
    heard = client.newest("MSFT")
    killed.append(victim)
    system.kill(victim)
    wait_until(lambda: client.newest("MSFT") > heard + 5 * 10**9, "five seconds of market are delivered")
    with system.database() as database:
        for feed in FEEDS:
            appended = set(audit.appended[feed])
            assert appended
            wait_until(lambda a=appended, f=feed: a <= stored(database, f).keys(), f"{feed} is stored")
            found = stored(database, feed)
            assert doubled(found) == []
            assert lost(appended, found) == []
    with system.redis() as connection:
        assert [connection.xlen(f"dlq:{feed}") for feed in FEEDS] == [0, 0, 0]


def test_no_generator_skipped_a_tick(system: LocalSystem, audit: Audit, killed: list[str]) -> None:
    """The ticks of each generator run are one beat apart, also while Redis was unavailable."""
    with system.database() as database:
        for product in ("MIDCPNIFTY", "SPX", "MSFT", "NVDA"):
            of_product = {"product": product}
            wait_until(lambda of=of_product: database.underlying_ticks.count_documents(of) > 1, "two ticks")
            runs: dict[str, list[int]] = {}
            for tick in database.underlying_ticks.find(of_product, {"mid": 1, "ts": 1}):
                runs.setdefault(tick["mid"].partition(":")[0], []).append(tick["ts"])
            assert len(runs) == 1 + killed.count("load-generator-0")
            for times in runs.values():
                times.sort()
                assert {after - before for before, after in itertools.pairwise(times)} == {BEAT_NS}


def test_bars_are_exact_after_all_kills(system: LocalSystem, audit: Audit) -> None:
    """Each closed bar equals the bar computed from the stored ticks, whatever was replayed or reordered."""
    with system.database() as database:

        def differences() -> list[Any]:
            return [
                (bar, wanted)
                for product in ("MIDCPNIFTY", "SPX", "MSFT", "NVDA")
                for start, wanted in _closed_minutes(database, product).items()
                if (bar := database.ohlc_bars.find_one({"_id": f"{product}:1:{start}"})) is None
                or tuple(bar[name] for name in ("open", "high", "low", "close")) != wanted
            ]

        wait_until(lambda: len(_closed_minutes(database, "SPX")) >= 2, "two minutes have closed", 150)
        wait_until(lambda: not differences(), "closed bars are exact")


def _closed_minutes(database: Any, product: str) -> dict[int, tuple[float, float, float, float]]:
    """Open, high, low and close of each minute except the last, by the start of the minute."""
    minutes: dict[int, list[float]] = {}
    for tick in database.underlying_ticks.find({"product": product}).sort("ts", 1):
        minutes.setdefault(tick["ts"] // 60_000_000_000 * 60, []).append(tick["price"])
    minutes.pop(max(minutes))
    return {start: (prices[0], max(prices), min(prices), prices[-1]) for start, prices in minutes.items()}
