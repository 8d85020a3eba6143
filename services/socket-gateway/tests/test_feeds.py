"""The room `feeds`: the operator's table, live and as a snapshot."""

from __future__ import annotations

import json
from typing import Any

from tests.support.contracts import example

FEEDS = {"type": "feeds"}


def table(second: int) -> dict[str, Any]:
    return {**example("feeds-table"), "updated_at": f"2026-11-25T12:00:{second:02d}.000Z"}


def test_a_subscriber_gets_the_table_and_every_new_one(gateway: Any, play: Any, publisher: Any) -> None:
    """The snapshot comes from the key, live tables from the channel; the room counts its own numbers."""
    publisher.redis.set("feeds:table", json.dumps(table(0)))
    player, other = play(gateway), play(gateway)
    answer = player.ask("subscribe", FEEDS, "subscribed")
    assert answer == {"room": "feeds", "message": "Subscribed to feeds", "seq": 0}
    (snapshot,) = player.wait("feeds_update")
    assert snapshot == {**table(0), "room": "feeds", "seq": 0, "snapshot": True}
    for second in (2, 4):
        publisher.redis.publish("feeds:table", json.dumps(table(second)))
    got = player.wait("feeds_update", 3)
    assert got[1:] == [{**table(2), "room": "feeds", "seq": 1}, {**table(4), "room": "feeds", "seq": 2}]
    other.settle()
    assert not other.all("feeds_update")


def test_without_a_table_there_is_no_snapshot(gateway: Any, play: Any, publisher: Any) -> None:
    """The subscription stands, and the first table arrives when an operator publishes one."""
    player = play(gateway)
    player.ask("subscribe", FEEDS, "subscribed")
    player.settle()
    assert not player.all("feeds_update")
    publisher.redis.publish("feeds:table", json.dumps(table(2)))
    player.wait("feeds_update")
    player.ask("unsubscribe", FEEDS, "unsubscribed")
    publisher.redis.publish("feeds:table", json.dumps(table(4)))
    player.settle()
    assert len(player.all("feeds_update")) == 1


def test_after_a_lost_subscription_the_room_gets_a_resync_and_the_table(
    gateway: Any, play: Any, publisher: Any
) -> None:
    """As in every other room: one number stands for all lost events."""
    player = play(gateway)
    player.ask("subscribe", FEEDS, "subscribed")
    publisher.redis.set("feeds:table", json.dumps(table(6)))
    publisher.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    (got,) = player.wait("feeds_update")
    assert (got["snapshot"], got["seq"]) == (True, 1)
    assert {"room": "feeds", "from_seq": 1, "to_seq": 1} in player.all("resync")


def test_a_malformed_table_is_dropped_and_counted(gateway: Any, play: Any, publisher: Any) -> None:
    """A wrong message in the channel does not disturb the clients."""
    player = play(gateway)
    player.ask("subscribe", FEEDS, "subscribed")
    for wrong in (
        "{",
        "[]",
        "{}",
        json.dumps({**table(2), "feeds": None}),
        json.dumps({**table(2), "updated_at": "x"}),
    ):
        publisher.redis.publish("feeds:table", wrong)
    publisher.redis.publish("feeds:table", json.dumps(table(4)))
    (got,) = player.wait("feeds_update")
    assert got["seq"] == 1
    assert gateway.metric("deltastream_socket_malformed_messages_total") == 5
