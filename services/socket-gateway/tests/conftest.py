"""Fixtures: the gateway as a process, clients that record their events, and a server with auth's keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import redis
import socketio
from devcluster.processes.http_process import HttpProcess
from devcluster.waiting import wait_until
from tests.support.contracts import example
from tests.support.tokens import key_server

SERVICE = Path(__file__).parents[1]


class Gateway(HttpProcess):
    """One replica of the gateway, as a process."""

    def metric(self, name: str) -> float:
        """Return a metric sample by its full name with labels, or 0 if it does not exist."""
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(f"{name} "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0


class Player:
    """A Socket.IO client that records every event, in order."""

    def __init__(
        self, url: str, transports: list[str] | None = None, query: str = "", **options: Any
    ) -> None:
        self.got: list[tuple[str, Any]] = []
        self.io = socketio.Client(reconnection=False)
        self.io.on("*", lambda name, data=None: self.got.append((name, data)))
        self.io.on("connect_error", lambda data: self.got.append(("connect_error", data)))
        self.io.on("disconnect", lambda *_: self.got.append(("disconnect", None)))
        self.io.connect(url + query, transports=transports or ["websocket"], **options)

    def all(self, name: str) -> list[Any]:
        return [data for event, data in list(self.got) if event == name]

    def wait(self, name: str, count: int = 1) -> list[Any]:
        """Wait for at least `count` events of this name and return all of them."""
        wait_until(lambda: len(self.all(name)) >= count, f"{count} of {name}; got {self.got!r:.2000}")
        return self.all(name)

    def ask(self, name: str, data: Any, answer: str) -> Any:
        """Send an event and return the next response named `answer`."""
        before = len(self.all(answer))
        self.io.emit(name, data)
        return self.wait(answer, before + 1)[before]

    def settle(self) -> None:
        """Return once everything sent to this client before the call has arrived."""
        self.ask("unsubscribe", {"type": "product", "symbol": "SETTLE"}, "unsubscribed")


class Publisher:
    """Publishes and caches golden messages as a worker would."""

    def __init__(self, url: str) -> None:
        self.redis: Any = redis.Redis.from_url(url)
        self._seq = 100

    def message(self, name: str, **changes: Any) -> dict[str, Any]:
        """Return a golden message with a new mid, newer than all earlier ones."""
        self._seq += 1
        return {**example(name), "mid": f"3:{self._seq}", **changes}

    def tick(self, **changes: Any) -> dict[str, Any]:
        message = self.message("enriched-underlying", **changes)
        self.redis.publish("enriched:underlying", json.dumps(message))
        return message

    def chain(self, **changes: Any) -> dict[str, Any]:
        message = self.message("enriched-option_chain", **changes)
        self.redis.publish("enriched:option_chain", json.dumps(message))
        return message

    def cache(self, message: dict[str, Any]) -> None:
        product = message["product"]
        self.redis.sadd("index:products", product)
        if "expiry" in message:
            self.redis.hset(f"index:{product}", f"chain:{message['expiry']}", "{}")
            self.redis.set(f"latest:chain:{product}:{message['expiry']}", json.dumps(message))
        else:
            self.redis.hset(f"index:{product}", "underlying", "{}")
            self.redis.set(f"latest:underlying:{product}", json.dumps(message))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """Start replicas and wait until they are ready."""
    with ExitStack() as running:
        numbers = count()

        def begin(redis_url: str, **settings: str) -> Gateway:
            log = tmp_path / f"gateway-{next(numbers)}.log"
            given = {"REDIS_URL": redis_url, "ANONYMOUS_READ": "true", **settings}
            gateway = running.enter_context(Gateway(["app.py"], SERVICE, log, **given))
            wait_until(gateway.ready, "the gateway is ready")
            return gateway

        yield begin


@pytest.fixture
def gateway(start: Callable[..., Gateway], redis_url: str) -> Gateway:
    return start(redis_url)


@pytest.fixture
def play() -> Iterator[Callable[..., Player]]:
    """Connect clients and wait for their `connected`."""
    players: list[Player] = []

    def connect(gateway: Gateway, transports: list[str] | None = None, **options: Any) -> Player:
        players.append(Player(gateway.url, transports, **options))
        players[-1].wait("connected")
        return players[-1]

    yield connect
    for player in players:
        player.io.disconnect()


@pytest.fixture
def publisher(redis_url: str) -> Iterator[Publisher]:
    made = Publisher(redis_url)
    yield made
    made.redis.close()


@pytest.fixture(scope="session")
def auth_url() -> Iterator[str]:
    """URL of a server that publishes the public key of the tests' tokens."""
    with key_server() as url:
        yield url
