"""Example clients of users work against the running system."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import socketio
from devcluster.waiting import wait_until

from tests.support.local_system import ROOT, LocalSystem

pytestmark = pytest.mark.timeout(400)  # the first test also waits for the system
EVENTS = (
    "connected",
    "subscribed",
    "products",
    "underlying_update",
    "chain_summary",
    "chain_update",
    "error",
)


class Desk:
    """A Socket.IO client that behaves like the original's example and keeps the events that it receives."""

    def __init__(self, url: str) -> None:
        self.io = socketio.Client(reconnection=False)
        self.heard: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
        for event in EVENTS:
            self.io.on(event, lambda data, event=event: self.heard.put((event, data)))
        self.io.connect(url)

    def subscribe(self, product: str) -> None:
        self.io.emit("subscribe", {"type": "product", "symbol": product})
        self.io.emit("subscribe", {"type": "chain", "symbol": product})
        self.io.emit("get_products")

    def wait_for(
        self, event: str, matching: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> dict[str, Any]:
        """Wait for the next such event and return it. Other events before it are dropped."""
        while True:
            name, data = self.heard.get(timeout=30)
            assert name != "error", data
            if name == event and matching(data):
                return data


@pytest.fixture
def connect(system: LocalSystem) -> Iterator[Callable[[], Desk]]:
    made: list[Desk] = []

    def one() -> Desk:
        made.append(Desk(system.url("", "SOCKET_GATEWAY")))
        return made[-1]

    yield one
    for desk in made:
        desk.io.disconnect()


def test_the_originals_socket_client_receives_its_events(connect: Callable[[], Desk]) -> None:
    """The client connects, subscribes to a product and a chain and sends get_products.

    It receives every event with the documented fields.
    """
    desk = connect()
    assert desk.wait_for("connected")["client_id"]
    desk.subscribe("NIFTY")
    heard: dict[str, dict[str, Any]] = {}
    while not heard.keys() >= {"products", "underlying_update", "chain_summary", "chain_update"}:
        event, data = desk.heard.get(timeout=30)
        if data.get("product", "NIFTY") == "NIFTY":
            heard[event] = data
    assert "error" not in heard
    assert "NIFTY" in heard["products"]["products"]
    assert heard["underlying_update"]["price"] == pytest.approx(23501.1)
    assert {"product", "price", "timestamp"} <= heard["underlying_update"].keys()
    summary = heard["chain_summary"]
    assert round(summary["pcr_oi"], 4) == 0.9155
    assert round(summary["pcr_volume"], 4) == 0.9808
    assert summary["atm_straddle_price"] == pytest.approx(255.88, abs=0.01)
    chain = heard["chain_update"]
    assert chain["max_pain_strike"] == 23400
    assert len(chain["strikes"]) == len(chain["calls"]) == len(chain["puts"])
    assert chain["total_call_oi"] > chain["total_put_oi"] > 0


def test_a_snapshot_goes_only_to_the_client_that_subscribes(connect: Callable[[], Desk]) -> None:
    """Two clients subscribe to one product. The second subscription sends the first client no snapshot."""
    first, second = connect(), connect()
    first.subscribe("NIFTY")
    first.wait_for("chain_update", lambda chain: chain.get("snapshot") is True)
    live = first.wait_for("chain_update", lambda chain: not chain.get("snapshot"))
    second.subscribe("NIFTY")
    second.wait_for("chain_update", lambda chain: chain.get("snapshot") is True)
    for _ in range(3):
        following = first.wait_for("chain_update")
        assert not following.get("snapshot")
        assert following["seq"] == live["seq"] + 1
        live = following


def test_the_originals_curl_script_and_collection_still_work(system: LocalSystem) -> None:
    """Their requests and passwords work, and the answers have the fields that they read."""
    wait_until(lambda: bool((system.call("/api/data/chain/NIFTY")[1] or {}).get("chains")), "a stored chain")
    assert system.call("/health")[0] == 200
    assert "NIFTY" in system.get("/api/data/products")["products"]
    assert system.get("/api/data/underlying/NIFTY?limit=5")["ticks"]
    chain = system.get("/api/data/chain/NIFTY?limit=1")["chains"][0]
    assert {"product", "expiry", "spot_price", "pcr_oi", "atm_straddle_price"} <= chain.keys()
    assert system.get("/api/data/expiries/NIFTY")["expiries"] == ["2024-06-27"]
    assert system.get("/api/analytics/pcr/NIFTY")["latest"][0]["pcr_oi"] == 0.9155
    assert system.get("/api/analytics/pcr/NIFTY?history=true")["history"]
    assert len(system.get("/api/analytics/volatility-surface/NIFTY")["expiries"]) == 1
    account = {"email": "test@example.com", "password": "test123", "name": "Test User"}
    status, registered = system.call("/api/auth/register", account)
    assert status == 201
    assert registered["token"]
    status, session = system.call("/api/auth/login", {"email": account["email"], "password": "test123"})
    assert status == 200
    assert system.call("/api/auth/verify", {}, session["token"])[0] == 200
    assert system.call("/api/analytics/max-pain/NIFTY?expiry=2025-01-25")[0] == 404  # no such chain is stored


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_curl_example_runs_to_its_end(system: LocalSystem) -> None:
    """Every request of the example succeeds."""
    done = subprocess.run(
        [ROOT / "examples/curl-examples.sh"],
        env={**os.environ, "BASE_URL": system.url("")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("GET /") == 8


def test_every_request_of_the_collection_is_documented(system: LocalSystem) -> None:
    """Every request of the collection is in the gateway's OpenAPI document."""
    collection = json.loads((ROOT / "examples/postman-collection.json").read_text())
    document = system.get("/api/openapi.json")
    requests = [item for part in collection["item"] for item in part.get("item", [part])]
    assert len(requests) >= 16
    for item in requests:
        path = item["request"]["url"].removeprefix("{{baseUrl}}").partition("?")[0]
        known = [
            route
            for route, operations in document["paths"].items()
            if item["request"]["method"].lower() in operations and _fits(route, path)
        ]
        assert known or path == "/health", path


def _fits(route: str, path: str) -> bool:
    parts, given = route.split("/"), path.split("/")
    return len(parts) == len(given) and all(
        part.startswith("{") or part == other for part, other in zip(parts, given, strict=True)
    )
