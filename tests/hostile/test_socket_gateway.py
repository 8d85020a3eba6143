"""The socket gateway serves its clients during every attack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import redis
from devcluster.processes.http_process import HttpProcess
from devcluster.processes.stores import RedisServer
from devcluster.waiting import wait_until

from tests.hostile import attacks  # noqa: F401  (fills the table)
from tests.hostile.attacks.names import LARGE
from tests.hostile.endure import endure
from tests.hostile.target import Attack, Target, attacks_on
from tests.hostile.witness import Witness
from tests.support.contracts import example

SERVICE = Path(__file__).parents[2] / "services/socket-gateway"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Target, list[Witness]]]:
    """The gateway with two witnesses: one on a WebSocket, one that requests `/livez` on new connections."""
    home = tmp_path_factory.mktemp("socket-gateway")
    with ExitStack() as stack:
        store = stack.enter_context(RedisServer(home / "redis"))
        settings = {"REDIS_URL": store.url(), "ANONYMOUS_READ": "true", "HANDSHAKE_SECONDS": "3"}
        server = stack.enter_context(HttpProcess(["app.py"], SERVICE, home / "log", **settings))
        wait_until(server.ready, "the gateway is ready")
        _cache_a_large_product(store.url())
        target = Target(server.port, psutil.Process(server.process.pid), home / "log")
        yield (
            target,
            [
                stack.enter_context(Witness(server.port, path, home / f"witness-{number}"))
                for number, path in enumerate(("socket.io", "/livez"))
            ],
        )


def _cache_a_large_product(redis_url: str) -> None:
    """Cache chains of 250 strikes, as the enricher would."""
    chain = example("enriched-option_chain")
    size = 250 // len(chain["strikes"])
    chain["strikes"] = [float(number) for number in range(1, 1 + len(chain["strikes"]) * size)]
    for side in ("calls", "puts"):
        chain[side] = {name: column * size for name, column in chain[side].items()}
    with redis.Redis.from_url(redis_url) as store:
        for day in range(1, 9):
            expiry = f"2024-07-{day:02}"
            store.hset(f"index:{LARGE}", f"chain:{expiry}", "{}")
            message = json.dumps({**chain, "product": LARGE, "expiry": expiry})
            store.set(f"latest:chain:{LARGE}:{expiry}", message)


@pytest.mark.parametrize("attack", attacks_on("http", "socket"), ids=lambda one: one.name)
def test_other_clients_are_served_during_an_attack(
    stage: tuple[Target, list[Witness]], attack: Attack
) -> None:
    """No attack keeps other clients from being served or leaves resources behind."""
    endure(stage[0], attack, stage[1])
