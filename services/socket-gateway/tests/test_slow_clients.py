"""Slow clients: their events are conflated, then they are disconnected; other clients are not affected."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
import websocket
from devcluster.waiting import wait_until
from gevent.event import Event

from socket_gateway.client import Client
from socket_gateway.limits import TokenBucket
from socket_gateway.outbox import Frame, Kind, Outbox


class Wire:
    """A transport whose pace the test controls."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.queued: list[Any] = []
        self.closed = False
        self.flows = Event()

    def backlog(self) -> int:
        return len(self.queued)

    def send(self, packet: Any) -> None:
        self.queued.append(packet)
        if self.flows.is_set():
            self.flush()

    def flush(self) -> None:
        self.sent += self.queued
        self.queued = []

    def drain(self, within_s: float) -> bool:
        if self.flows.wait(within_s):
            self.flush()
            return True
        return False

    def close(self, flush_s: float) -> None:
        self.closed = True


def _client(wire: Wire, slow: list[Client], **options: Any) -> Client:
    limits: dict[str, Any] = {"window": 2, "outbox_limit": 3, "slow_s": 30, **options}
    client = Client("sid", wire, TokenBucket(1, 1), slow.append, **limits)
    client.enter("general", 0)
    client.start(lambda: True)
    gevent.sleep(0)
    return client


def _live(seq: int, key: str) -> Frame:
    return Frame(Kind.LIVE, f"{key}{seq}", key, "general", seq)


def _texts(packets: list[Any]) -> list[str]:
    return [packet if isinstance(packet, str) else packet.data for packet in packets]


def test_an_outbox_keeps_the_newest_frame_of_each_key_in_order_of_sequence() -> None:
    """The outbox keeps the newest frame per key and sends a room's numbers in ascending order."""
    outbox = Outbox(2)
    assert all(outbox.put(_live(seq, key)) for seq, key in enumerate("abab", 1))
    assert not outbox.put(_live(5, "c"))
    assert outbox.conflated == 2
    assert [frame.packet for frame in outbox.take()] == ["a3", "b4"]
    assert outbox.take() == []


def test_responses_are_never_conflated() -> None:
    """Responses are never conflated: every request gets its own."""
    outbox = Outbox(5)
    frames = [Frame(Kind.CONTROL, number) for number in range(3)]
    assert all(outbox.put(frame) for frame in frames)
    assert outbox.take() == frames


def test_a_lagging_client_gets_the_newest_event_and_a_resync_for_the_skipped_ones() -> None:
    """If event 9 replaces the events 3 to 8, a `resync` for 3 to 8 is sent before it."""
    wire, slow = Wire(), list[Client]()
    client = _client(wire, slow)
    for seq in range(1, 10):
        client.offer(_live(seq, "tick"))
    assert wire.backlog() == 2
    wire.flows.set()
    wait_until(lambda: gevent.sleep(0) or len(wire.sent) == 4, "caught up")
    assert _texts(wire.sent) == [
        *("tick1", "tick2"),
        '2["resync",{"room":"general","from_seq":3,"to_seq":8}]',
        "tick9",
    ]
    client.offer(_live(10, "tick"))
    assert wire.sent[-1] == "tick10"
    assert slow == []


def test_unsubscribing_removes_the_queued_events_of_the_room() -> None:
    """After `unsubscribed` the client receives no events of the room, also not queued ones."""
    wire, slow = Wire(), list[Client]()
    client = _client(wire, slow)
    for seq in range(1, 5):
        client.offer(_live(seq, f"key{seq}"))
    client.leave("general")
    wire.flows.set()
    client.offer(Frame(Kind.CONTROL, "bye"))
    wait_until(lambda: gevent.sleep(0) or "bye" in wire.sent, "the answer")
    assert wire.sent == ["key11", "key22", "bye"]


def test_a_full_outbox_reports_a_slow_client_once() -> None:
    """If the outbox is full, `on_slow` is called once."""
    wire, slow = Wire(), list[Client]()
    client = _client(wire, slow)
    for seq in range(1, 20):
        client.offer(_live(seq, f"key{seq}"))
    assert slow == [client]
    assert wire.backlog() == 2


def test_a_blocked_transport_reports_a_slow_client() -> None:
    """If the transport makes no progress for `slow_s`, `on_slow` is called."""
    wire, slow = Wire(), list[Client]()
    client = _client(wire, slow, slow_s=0.01)
    for seq in range(1, 5):
        client.offer(_live(seq, "tick"))
    wait_until(lambda: gevent.sleep(0.01) or slow == [client], "given up")


@pytest.fixture
def stuck() -> Iterator[Any]:
    """Connect raw websockets that read the first packets and then stop reading."""
    opened: list[websocket.WebSocket] = []

    def connect(gateway: Any) -> websocket.WebSocket:
        raw = websocket.create_connection(
            f"ws://127.0.0.1:{gateway.port}/socket.io/?EIO=4&transport=websocket",
            sockopt=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)],
            timeout=30,
        )
        opened.append(raw)
        raw.send("40")
        while not raw.recv().startswith('42["connected"'):
            pass
        raw.send('42["subscribe",{"type":"chain","symbol":"NIFTY"}]')
        while not raw.recv().startswith('42["subscribed"'):
            pass
        return raw

    yield connect
    for raw in opened:
        raw.shutdown()


def test_a_client_that_stops_reading_is_disconnected_and_the_others_are_served(
    start: Any, redis_url: str, play: Any, publisher: Any, stuck: Any
) -> None:
    """A client that stops reading is disconnected and counted. Its queue stays limited."""
    gateway = start(redis_url, SLOW_CLIENT_SECONDS="2", SEND_WINDOW="4")
    player = play(gateway)
    stuck(gateway)
    player.ask("subscribe", {"type": "product", "symbol": "NIFTY"}, "subscribed")
    big = _wide(publisher.message("enriched-option_chain"), 1000)
    evicted = 'deltastream_socket_evictions_total{code="slow_client"}'
    sent, most = 0, 0.0

    def publish() -> bool:
        nonlocal sent, most
        sent += 1
        publisher.chain(**{**big, "mid": f"9:{sent}"})
        player.wait("chain_summary", sent)
        most = max(most, gateway.metric("deltastream_socket_frames_waiting"))
        return gateway.metric(evicted) == 1

    wait_until(publish, "pushed out")
    assert gateway.metric("deltastream_socket_events_conflated_total") > 0
    # 4 in engineio's queue, and two keys (summary, chain) twice: in the outbox and in the sender's hand
    assert most <= 4 + 2 * 2 + 2  # and a resync or two, written with the frame they precede
    wait_until(lambda: gateway.metric("deltastream_socket_clients") == 1, "gone")
    publisher.tick()
    player.wait("underlying_update")
    player.settle()
    assert len(player.all("chain_summary")) == sent
    assert not player.all("resync")


def _wide(message: dict[str, Any], strikes: int) -> dict[str, Any]:
    def stretch(column: list[Any]) -> list[Any]:
        return (column * strikes)[:strikes]

    return {
        **message,
        "strikes": [float(strike) for strike in range(1, strikes + 1)],
        **{
            side: {name: stretch(column) for name, column in message[side].items()}
            for side in ("calls", "puts")
        },
    }
