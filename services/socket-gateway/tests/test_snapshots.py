"""Snapshots: the cached events that a client receives when it subscribes."""

from __future__ import annotations

from typing import Any

import redis
from devcluster.processes.stores import RedisServer
from devcluster.waiting import wait_until
from tests.support.contracts import example, validator

from socket_gateway import events
from socket_gateway.hub import Hub
from socket_gateway.outbox import Frame, Kind
from socket_gateway.relay import Relay
from socket_gateway.requests import Target


class Listener:
    """A room member that records the frames that it is offered."""

    def __init__(self) -> None:
        self.rooms: set[str] = set()
        self.frames: list[Frame] = []

    def enter(self, room: str, seq: int) -> None:
        self.rooms.add(room)

    def leave(self, room: str) -> None:
        self.rooms.discard(room)

    def offer(self, frame: Frame) -> None:
        self.frames.append(frame)


def tick(number: int) -> events.Event:
    return events.tick({**example("enriched-underlying"), "mid": f"3:{number}"})


def test_the_snapshot_of_a_product_goes_only_to_the_subscribing_client(
    gateway: Any, play: Any, publisher: Any
) -> None:
    """A snapshot goes only to the client that subscribes, not to other clients of the room."""
    message = publisher.message("cache-latest-underlying")
    validator("cache-latest-underlying").validate(message)
    publisher.cache(message)
    first, second = play(gateway), play(gateway)
    first.ask("subscribe", {"type": "product", "symbol": "NIFTY"}, "subscribed")
    (got,) = first.wait("underlying_update")
    assert (got["price"], got["snapshot"], got["room"]) == (message["price"], True, "product:NIFTY")
    second.ask("subscribe", {"type": "product", "symbol": "NIFTY"}, "subscribed")
    second.wait("underlying_update")
    first.settle()
    assert len(first.all("underlying_update")) == 1


def test_the_snapshot_of_a_chain_has_every_cached_expiry(gateway: Any, play: Any, publisher: Any) -> None:
    """The snapshot has every expiry of the index; an expiry without a cached value is omitted."""
    for expiry in ("2024-07-04", "2024-06-27"):
        publisher.cache(publisher.message("cache-latest-chain", expiry=expiry))
    publisher.redis.hset("index:NIFTY", "chain:2024-05-30", "{}")
    player, other = play(gateway), play(gateway)
    other.ask("subscribe", {"type": "chain", "symbol": "NIFTY"}, "subscribed")
    other.wait("chain_update", 2)
    player.ask("subscribe", {"type": "chain", "symbol": "NIFTY"}, "subscribed")
    got = player.wait("chain_update", 2)
    player.settle()
    other.settle()
    assert [chain["expiry"] for chain in got] == ["2024-06-27", "2024-07-04"]
    assert all(chain["snapshot"] and chain["calls"][0]["strike"] for chain in got)
    assert len(other.all("chain_update")) == 2


def test_the_response_is_sent_before_the_snapshot(gateway: Any, play: Any, publisher: Any) -> None:
    """`subscribed` is sent before the snapshot."""
    publisher.cache(publisher.message("cache-latest-underlying"))
    player = play(gateway)
    player.ask("subscribe", {"type": "product", "symbol": "NIFTY"}, "subscribed")
    player.wait("underlying_update")
    assert [name for name, _ in player.got] == ["connected", "subscribed", "underlying_update"]


def test_a_snapshot_does_not_use_up_a_sequence_number(gateway: Any, play: Any, publisher: Any) -> None:
    """A snapshot has the room's current sequence number, so the next live event is not a gap."""
    publisher.tick()
    publisher.cache(publisher.message("cache-latest-underlying"))
    player = play(gateway)
    wait_until(lambda: gateway.metric("deltastream_socket_sent_to_emit_seconds_count") == 1, "heard")
    player.ask("unsubscribe", {"type": "general"}, "unsubscribed")
    answer = player.ask("subscribe", {"type": "product", "symbol": "NIFTY"}, "subscribed")
    player.wait("underlying_update")
    publisher.tick()
    wait_until(lambda: player.all("underlying_update")[-1]["seq"] == 2, "the live tick")
    snapshot = player.all("underlying_update")[-2]
    assert (answer["seq"], snapshot["seq"], snapshot["snapshot"]) == (1, 1, True)
    assert not player.all("resync")


def test_a_snapshot_is_omitted_if_an_equally_new_event_was_sent_meanwhile() -> None:
    """A snapshot is omitted if an equally new live event was sent while the cache was read."""
    hub, member = Hub(), Listener()
    hub.join(member, "product:NIFTY")
    mark = hub.mark()
    hub.publish(tick(5))
    for cached in (4, 5):
        hub.snapshot(tick(cached), "product:NIFTY", mark, [member])
    assert [frame.kind for frame in member.frames] == [Kind.LIVE]
    hub.snapshot(tick(6), "product:NIFTY", mark, [member])
    assert [frame.kind for frame in member.frames] == [Kind.LIVE, Kind.SNAPSHOT]


def test_an_event_sent_before_the_join_does_not_suppress_the_snapshot() -> None:
    """A live event sent before the join does not suppress the snapshot: the client did not receive it."""
    hub, member = Hub(), Listener()
    hub.publish(tick(5))
    hub.join(member, "product:NIFTY")
    hub.snapshot(tick(5), "product:NIFTY", hub.mark(), [member])
    assert [frame.kind for frame in member.frames] == [Kind.SNAPSHOT]


class CountedCache:
    """A cache with one tick that counts its reads."""

    def __init__(self) -> None:
        self.reads = 0

    def tick(self, _product: str) -> list[events.Event]:
        self.reads += 1
        return [tick(5)]

    def chains(self, _product: str) -> list[events.Event]:
        return []


def test_clients_share_a_snapshot_until_the_room_has_a_newer_event() -> None:
    """Each client gets the same bytes, without another read: floods of subscriptions take no memory."""
    hub, cache = Hub(), CountedCache()
    relay = Relay(hub, cache, lambda: True)  # type: ignore[arg-type]
    members = [Listener() for _ in range(50)]
    for member in members:
        hub.join(member, "product:NIFTY")
        relay.snapshot(member, Target("product", "NIFTY"))
    assert cache.reads == 1
    assert len({id(frame) for member in members for frame in member.frames}) == 1
    hub.publish(tick(6))
    relay.snapshot(members[0], Target("product", "NIFTY"))
    assert cache.reads == 2
    assert members[0].frames[-1].seq == 1
    relay.recover()  # after a lost connection nobody knows whether the room had a newer event
    relay.snapshot(members[0], Target("product", "NIFTY"))
    assert cache.reads > 2


def test_without_redis_a_client_is_subscribed_without_a_snapshot(
    start: Any, play: Any, own_redis: RedisServer
) -> None:
    """Outage policy: without Redis a client gets an `error` instead of the snapshot, and stays subscribed."""
    player = play(start(own_redis.url()))
    own_redis.kill()
    player.io.emit("subscribe", {"type": "product", "symbol": "NIFTY"})
    (error,) = player.wait("error")
    assert error["code"] == "cache_unavailable"
    assert player.all("subscribed")


def test_no_request_runs_keys_or_scan(gateway: Any, play: Any, publisher: Any) -> None:
    """No request runs KEYS or SCAN, whose cost grows with the whole cache."""
    publisher.cache(publisher.message("cache-latest-chain"))
    player = play(gateway)
    player.ask("subscribe", {"type": "chain", "symbol": "NIFTY"}, "subscribed")
    player.ask("get_products", None, "products")
    stats: dict[str, Any] = redis.Redis.info(publisher.redis, "commandstats")
    assert "cmdstat_hkeys" in stats
    assert not {"cmdstat_keys", "cmdstat_scan"} & set(stats)
