"""The Socket.IO protocol, compatible with clients of the original."""

from __future__ import annotations

from typing import Any

from devcluster.waiting import wait_until


def test_a_new_client_receives_connected_and_joins_general(gateway: Any, play: Any) -> None:
    """A new client joins `general` and receives `connected` with its id and rooms."""
    player = play(gateway)
    (hello,) = player.all("connected")
    assert hello["client_id"] == player.io.get_sid()
    assert hello["rooms"] == ["general"]
    assert hello["message"]


def test_a_client_that_starts_with_polling_ends_with_a_websocket(
    gateway: Any, play: Any, publisher: Any
) -> None:
    """A client that starts with polling is upgraded to WebSocket, as the original's Node client does."""
    player = play(gateway, ["polling", "websocket"])
    wait_until(lambda: player.io.transport() == "websocket", "upgraded")
    publisher.tick()
    player.wait("underlying_update")


def test_a_client_may_stay_with_polling(gateway: Any, play: Any, publisher: Any) -> None:
    """A client that stays with polling receives the same events."""
    player = play(gateway, ["polling"])
    for price in range(1, 31):
        publisher.tick(price=price)
    wait_until(lambda: any(tick["price"] == 30 for tick in player.all("underlying_update")), "the newest")
    assert player.io.transport() == "polling"


def test_general_receives_ticks_and_chain_summaries(gateway: Any, play: Any, publisher: Any) -> None:
    """Without a subscription a client gets all underlying_update and chain_summary events."""
    player = play(gateway)
    tick, chain = publisher.tick(), publisher.chain(pcr_oi=0.78947368)
    (got,) = player.wait("underlying_update")
    fields = ("type", "product", "price", "timestamp", "processed_at", "ts", "feed")
    assert got == {**{name: tick[name] for name in fields}, "room": "general", "seq": 1}
    (summary,) = player.wait("chain_summary")
    assert summary.pop("room") == "general"
    assert summary.pop("seq") == 2
    assert summary.pop("pcr_oi") == 0.7895
    assert summary.pop("pcr_volume") == round(chain["pcr_volume"], 4)
    assert summary == {name: chain[name] for name in summary}
    assert set(summary) == {
        *("product", "expiry", "spot_price", "forward", "atm_strike", "atm_straddle_price", "atm_iv"),
        *("max_pain_strike", "timestamp", "pcr_oi_reason", "pcr_volume_reason", "max_pain_reason"),
    }
    player.settle()
    assert not player.all("chain_update")


def test_a_chain_reaches_clients_as_rows(gateway: Any, play: Any, publisher: Any) -> None:
    """A chain that services exchange as columns reaches clients as rows: one object per strike."""
    player = play(gateway)
    player.ask("subscribe", {"type": "chain", "symbol": "NIFTY"}, "subscribed")
    sent = publisher.chain()
    (got,) = player.wait("chain_update")
    assert (got["room"], got["seq"]) == ("chain:NIFTY", 1)
    assert got["strikes"] == sent["strikes"]
    for side in ("calls", "puts"):
        assert [row["strike"] for row in got[side]] == sent["strikes"]
        for name, column in sent[side].items():
            assert [row[name] for row in got[side]] == column
    for name in set(sent) - {"calls", "puts"}:
        assert got[name] == sent[name]


def test_a_client_in_general_and_in_the_products_room_receives_a_tick_once(
    gateway: Any, play: Any, publisher: Any
) -> None:
    """A client receives each event once, even if it is in several of the event's rooms."""
    player = play(gateway)
    player.ask("subscribe", {"type": "product", "symbol": "NIFTY"}, "subscribed")
    for price in (1.0, 2.0, 3.0):
        publisher.tick(price=price)
    player.wait("underlying_update", 3)
    player.settle()
    assert [tick["price"] for tick in player.all("underlying_update")] == [1.0, 2.0, 3.0]


def test_leaving_general_keeps_the_subscriptions_to_products(gateway: Any, play: Any, publisher: Any) -> None:
    """A client that leaves `general` still receives the products to which it subscribed."""
    player = play(gateway)
    player.ask("subscribe", {"type": "product", "symbol": "NIFTY"}, "subscribed")
    publisher.tick()
    player.wait("underlying_update")
    player.ask("unsubscribe", {"type": "general"}, "unsubscribed")
    publisher.tick(product="OTHER")
    publisher.tick()
    got = player.wait("underlying_update", 2)
    assert (got[1]["product"], got[1]["room"], got[1]["seq"]) == ("NIFTY", "product:NIFTY", 2)
    assert not player.all("resync")


def test_after_unsubscribing_a_client_receives_no_events_of_the_room(
    gateway: Any, play: Any, publisher: Any
) -> None:
    """After `unsubscribed` the client receives no events of the room."""
    player = play(gateway)
    answer = player.ask("subscribe", {"type": "chain", "symbol": "NIFTY"}, "subscribed")
    assert answer == {"room": "chain:NIFTY", "message": "Subscribed to chain:NIFTY", "seq": 0}
    answer = player.ask("unsubscribe", {"type": "chain", "symbol": "NIFTY"}, "unsubscribed")
    assert answer["room"] == "chain:NIFTY"
    publisher.chain()
    player.wait("chain_summary")
    player.settle()
    assert not player.all("chain_update")


def test_get_products_returns_the_products_of_the_cache(gateway: Any, play: Any, publisher: Any) -> None:
    """`get_products` returns the cached products, sorted."""
    publisher.redis.sadd("index:products", "NIFTY", "BANKNIFTY")
    player = play(gateway)
    assert player.ask("get_products", None, "products") == {"products": ["BANKNIFTY", "NIFTY"]}


def test_a_malformed_request_is_answered_and_the_connection_stays(gateway: Any, play: Any) -> None:
    """A malformed request gets an `error` with a stable code and the field; the connection stays open."""
    malformed = [
        (None, "payload"),
        ("NIFTY", "payload"),
        ([], "payload"),
        ({}, "`type`"),
        ({"type": "quote", "symbol": "NIFTY"}, "`type`"),
        ({"type": ["chain"], "symbol": "NIFTY"}, "`type`"),
        ({"type": "chain"}, "`symbol`"),
        ({"type": "chain", "symbol": 5}, "`symbol`"),
        ({"type": "chain", "symbol": "nifty"}, "`symbol`"),
        ({"type": "chain", "symbol": "NIFTY\n"}, "`symbol`"),
        ({"type": "chain", "symbol": "N" * 21}, "`symbol`"),
    ]
    player = play(gateway)
    for payload, field in malformed:
        error = player.ask("subscribe", payload, "error")
        assert error["code"] == "bad_request", payload
        assert field in error["message"], payload
    player.settle()


def test_an_unknown_event_is_an_error(gateway: Any, play: Any) -> None:
    """An unknown event gets an `error`, so that a misspelt name is noticed."""
    assert play(gateway).ask("subscrbe", {}, "error")["code"] == "unknown_event"


def test_the_number_of_subscriptions_is_limited(start: Any, redis_url: str, play: Any) -> None:
    """A client cannot exceed MAX_SUBSCRIPTIONS; its existing subscriptions stay."""
    player = play(start(redis_url, MAX_SUBSCRIPTIONS="2"))
    for symbol in ("A", "B"):
        player.ask("subscribe", {"type": "product", "symbol": symbol}, "subscribed")
    error = player.ask("subscribe", {"type": "product", "symbol": "C"}, "error")
    assert error["code"] == "too_many_subscriptions"
    player.ask("subscribe", {"type": "product", "symbol": "B"}, "subscribed")


def test_requests_are_rate_limited_and_a_flood_ends_the_connection(
    start: Any, redis_url: str, play: Any
) -> None:
    """Each request beyond the burst gets an error; after too many refusals the client is disconnected."""
    player = play(start(redis_url, REQUEST_RATE="0.001", REQUEST_BURST="2"))
    for _ in range(2 + 100 + 1):  # the burst, 100 requests that get an error, and one more
        player.io.emit("get_products")
    player.wait("disconnect")
    assert len(player.all("products")) == 2
    assert {error["code"] for error in player.all("error")} == {"rate_limited"}


def test_an_oversized_message_ends_the_connection(start: Any, redis_url: str, play: Any) -> None:
    """A message over MAX_PAYLOAD_BYTES ends the connection, so the server never buffers more."""
    player = play(start(redis_url, MAX_PAYLOAD_BYTES="2048"))
    player.io.emit("subscribe", {"type": "product", "symbol": "N" * 4000})
    player.wait("disconnect")
    assert not player.all("error")


def test_a_binary_message_is_ignored(gateway: Any, play: Any) -> None:
    """A binary packet is ignored: the protocol has none, and its attachments would fill the memory."""
    player = play(gateway)
    player.io.emit("subscribe", b"x")
    player.settle()
    assert [name for name, _ in player.got] == ["connected", "unsubscribed"]


def test_a_malformed_enriched_message_is_skipped(gateway: Any, play: Any, publisher: Any) -> None:
    """A malformed enriched message is counted and skipped; later messages are delivered."""
    player = play(gateway)
    publisher.redis.publish("enriched:underlying", "{")
    publisher.redis.publish("enriched:underlying", "{}")
    publisher.tick(product="no symbol")
    publisher.tick()
    assert player.wait("underlying_update")[0]["product"] == "NIFTY"
    assert gateway.metric("deltastream_socket_malformed_messages_total") == 3
