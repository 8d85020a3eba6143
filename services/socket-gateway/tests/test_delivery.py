"""Delivery: once per client, with several replicas, and again after an outage of Redis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from devcluster.processes.stores import PASSWORD, RedisServer
from devcluster.waiting import wait_until
from tests.support.tls import TlsRedis


def test_two_replicas_deliver_each_event_once(start: Any, redis_url: str, play: Any, publisher: Any) -> None:
    """With two replicas each client receives each event once: every replica serves its own clients."""
    players = [play(start(redis_url)) for _ in range(2)]
    for player in players:
        player.ask("subscribe", {"type": "product", "symbol": "NIFTY"}, "subscribed")
        player.ask("subscribe", {"type": "chain", "symbol": "NIFTY"}, "subscribed")
    prices = [float(price) for price in range(1, 51)]
    for price in prices:
        publisher.tick(price=price)
        publisher.chain(spot_price=price)
    for player in players:
        player.wait("chain_update", 50)
        player.settle()
        assert [tick["price"] for tick in player.all("underlying_update")] == prices
        assert [chain["spot_price"] for chain in player.all("chain_update")] == prices
        assert [chain["seq"] for chain in player.all("chain_update")] == list(range(1, 51))
        assert len(player.all("chain_summary")) == 50


@pytest.mark.parametrize("over", ["tls", "socket"])
def test_a_burst_arrives_completely_over_tls_and_over_a_unix_socket(
    start: Any, play: Any, request: Any, tmp_path: Path, over: str
) -> None:
    """Data that TLS has already decrypted and buffered is delivered without delay."""
    with TlsRedis(tmp_path / "r") as server:
        gateway = start(server.url() if over == "tls" else f"unix://:{PASSWORD}@{server.socket}")
        player = play(gateway)
        publisher = _publisher(server, request)
        prices = [publisher.tick(price=float(n))["price"] for n in range(1, 51)]
        player.wait("underlying_update", 50)
        assert [tick["price"] for tick in player.all("underlying_update")] == prices


def test_delivery_resumes_after_redis_was_killed(
    start: Any, own_redis: RedisServer, play: Any, request: Any
) -> None:
    """After Redis is killed and restarted, the client gets a `resync` for the gap and the next tick."""
    gateway = start(own_redis.url())
    player = play(gateway)
    player.ask("subscribe", {"type": "chain", "symbol": "NIFTY"}, "subscribed")
    publisher = _publisher(own_redis, request)
    publisher.cache(publisher.tick(price=1.0))
    player.wait("underlying_update")

    own_redis.kill()
    wait_until(lambda: not gateway.ready(), "not ready without Redis")
    assert gateway.get("/livez")[0] == 200
    own_redis.start()
    publisher.cache(publisher.message("enriched-underlying", price=2.0))
    wait_until(gateway.ready, "ready again")

    resyncs = player.wait("resync", 2)
    assert {"room": "general", "from_seq": 2, "to_seq": 2} in resyncs
    assert {"room": "chain:NIFTY", "from_seq": 1, "to_seq": 1} in resyncs
    snapshot = player.wait("underlying_update", 2)[1]
    assert (snapshot["snapshot"], snapshot["price"], snapshot["seq"]) == (True, 2.0, 2)
    publisher.tick(price=3.0)
    live = player.wait("underlying_update", 3)[2]
    assert (live["price"], live["seq"]) == (3.0, 3)
    assert gateway.metric("deltastream_socket_listener_reconnects_total") >= 1


def test_a_replica_started_without_redis_delivers_once_redis_is_available(
    start: Any, own_redis: RedisServer, play: Any, request: Any
) -> None:
    """A replica that starts before Redis is alive but not ready; it delivers once Redis is up."""
    gateway = start(own_redis.url())
    own_redis.kill()
    wait_until(lambda: not gateway.ready(), "not ready")
    player = play(gateway)
    own_redis.start()
    wait_until(gateway.ready, "ready")
    _publisher(own_redis, request).tick()
    player.wait("underlying_update")


def test_a_lost_subscription_is_noticed_while_redis_runs(gateway: Any, play: Any, publisher: Any) -> None:
    """If only the listener's connection is lost while Redis runs, the recovery is the same."""
    player = play(gateway)
    publisher.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    player.wait("resync")
    wait_until(gateway.ready, "ready again")
    publisher.tick()
    player.wait("underlying_update")


def _publisher(server: RedisServer, request: Any) -> Any:
    publisher = type(request.getfixturevalue("publisher"))(server.url())
    request.addfinalizer(publisher.redis.close)
    return publisher
