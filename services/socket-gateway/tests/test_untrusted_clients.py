"""Untrusted clients: event names, HTTP requests, connections and origins. For floods see tests/hostile."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
import websocket
from devcluster.waiting import wait_until
from tests.hostile.attacks.malformed import MALFORMED

from socket_gateway import events
from socket_gateway.config import Settings
from socket_gateway.hub import Hub
from socket_gateway.places import Places, client_address

NAMES: list[Any] = [
    *("connect", "disconnect", "connect_error", "connecting", "newListener", "removeListener", "*"),
    *("message", "__disconnect_final", "client event", "request", "", "\u202e", "x" * 9000),
    *(5, None, [], {}, True),
]


def _client(gateway: Any) -> websocket.WebSocket:
    raw = websocket.create_connection(
        f"ws://127.0.0.1:{gateway.port}/socket.io/?EIO=4&transport=websocket", timeout=20
    )
    raw.send("40")
    while not raw.recv().startswith('42["connected"'):
        pass
    return raw


def _code(raw: websocket.WebSocket) -> str:
    while not (output := raw.recv()).startswith('42["error"'):
        pass
    return str(json.loads(output[2:])[1]["code"])


def test_every_unsupported_event_name_gets_the_error_unknown_event(gateway: Any) -> None:
    """An unknown event name, of any type, reaches no internal handler and creates no client and no room."""
    raw = _client(gateway)
    for name in NAMES:
        raw.send("42" + json.dumps([name, {}, {"token": "x"}]))
        assert _code(raw) == "unknown_event", name
    for packet in ("42[]", "42{}", '42"connect"'):
        raw.send(packet)
        assert _code(raw) == "unknown_event", packet
    assert gateway.metric("deltastream_socket_clients") == 1
    raw.close()
    wait_until(lambda: gateway.metric("deltastream_socket_clients") == 0, "gone")
    assert gateway.metric("deltastream_socket_rooms") == 0


def test_reserved_event_names_count_against_the_rate_limit(start: Any, redis_url: str) -> None:
    """Reserved event names count against the rate limit; a flood of them disconnects the client."""
    gateway = start(redis_url, REQUEST_RATE="0.001", REQUEST_BURST="2")
    raw = _client(gateway)
    for _ in range(103):
        raw.send('42["connect",{},{}]')
    assert [_code(raw) for _ in range(3)] == ["unknown_event", "unknown_event", "rate_limited"]
    wait_until(lambda: gateway.metric("deltastream_socket_clients") == 0, "out")


def test_a_flood_of_packets_ends_the_connection_and_is_counted(gateway: Any) -> None:
    """Packets of every kind are rate limited before a connection becomes a client."""
    for number, packet in enumerate(("3", "431[]", "40/x,", "42[", "6"), 1):
        raw = websocket.create_connection(
            f"ws://127.0.0.1:{gateway.port}/socket.io/?EIO=4&transport=websocket", timeout=20
        )
        with pytest.raises((OSError, websocket.WebSocketException)):
            _send(raw, packet, 20_000)
        assert gateway.metric('deltastream_socket_evictions_total{code="flood"}') == number, packet
        raw.shutdown()


def _send(raw: websocket.WebSocket, packet: str, count: int) -> None:
    for _ in range(count):
        raw.send(packet)


def test_a_flood_of_posts_ends_a_polling_session(gateway: Any) -> None:
    """Polling has the same limit, also if one body contains many packets."""
    session = json.loads(gateway.get("/socket.io/?EIO=4&transport=polling")[1][1:])["sid"]
    path, body = f"/socket.io/?EIO=4&transport=polling&sid={session}", b"\x1e".join([b"3"] * 16)
    codes = []
    while (not codes or codes[-1] == 200) and len(codes) < 200:
        codes.append(_post(gateway, path, body))
    assert codes[-1] == 429
    assert _post(gateway, path, body) == 400  # the session is gone


def _post(gateway: Any, path: str, body: bytes) -> int:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return int(_response_to(gateway.port, head.encode() + body)[9:12])


def _response_to(port: int, request: bytes, host: str = "127.0.0.1") -> bytes:
    with socket.create_connection((host, port), timeout=20) as one:
        one.sendall(request)
        one.shutdown(socket.SHUT_WR)
        output = b""
        while piece := one.recv(65536):
            output += piece
        return output


def test_an_ambiguous_request_gets_exactly_one_400(gateway: Any) -> None:
    """An ambiguous request gets one 400, and the bytes after it are not parsed as another request."""
    for name, request in MALFORMED.items():
        output = _response_to(gateway.port, request)
        assert output.startswith(b"HTTP/1.1 400 "), (name, output)
        assert output.count(b"HTTP/1.1 ") == 1, name


def test_a_chunked_body_is_accepted(gateway: Any) -> None:
    """A chunked body is accepted, as the standard requires."""
    request = (
        b"POST /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2;a=b\r\nab\r\n0\r\nX: y\r\n\r\n"
    )
    assert _response_to(gateway.port, request).startswith(b"HTTP/1.1 404 ")


def test_an_incomplete_request_gets_408(start: Any, redis_url: str) -> None:
    """A request that is not complete in time gets 408, and the server closes the connection."""
    gateway = start(redis_url, HANDSHAKE_SECONDS="0.5")
    head = b"POST /x HTTP/1.1\r\nHost: x\r\n"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    for begun in (b"", head, head + b"Content-Length: 9\r\n\r\na", chunked + b"4", chunked + b"0\r\nX: "):
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as one:
            one.sendall(begun)
            assert one.recv(100)[:12] == b"HTTP/1.1 408", begun


def test_at_the_limit_the_oldest_idle_connection_of_an_address_is_closed(start: Any, redis_url: str) -> None:
    """At the limit the oldest idle connection is closed; new connections and clients are served."""
    gateway = start(redis_url, CONNECTIONS_PER_ADDRESS="4")
    client = _client(gateway)
    silent = [socket.create_connection(("127.0.0.1", gateway.port), timeout=20) for _ in range(40)]
    assert silent[0].recv(1) == b""
    assert gateway.get("/livez")[0] == 200
    client.send('42["get_products"]')
    assert "products" in client.recv()
    for one in silent:
        one.close()


def test_sessions_are_limited_per_forwarded_address_and_only_idle_ones_are_evicted(
    start: Any, redis_url: str
) -> None:
    """Behind a trusted proxy sessions are limited per forwarded address; clients are never evicted."""
    gateway = start(redis_url, CONNECTIONS_PER_ADDRESS="2", TRUSTED_PROXIES="1")

    def connect(address: str) -> websocket.WebSocket:
        return websocket.create_connection(
            f"ws://127.0.0.1:{gateway.port}/socket.io/?EIO=4&transport=websocket",
            header=[f"X-Forwarded-For: 9.9.9.9, {address}"], timeout=20,
        )  # fmt: skip

    opened = [connect("10.0.0.1") for _ in range(3)]
    for raw in opened[1:]:
        raw.send("40")
        while not raw.recv().startswith('42["connected"'):
            pass
    with pytest.raises(websocket.WebSocketBadStatusException, match="503"):
        connect("10.0.0.1")
    connect("10.0.0.2").close()
    for raw in opened:
        raw.shutdown()


def test_a_request_with_an_unknown_session_id_counts_as_a_new_session(start: Any, redis_url: str) -> None:
    """A request with `xsid=1` counts as a new session, because engine.io opens one for it."""
    gateway = start(redis_url, MAX_CLIENTS="1")
    asked = "/socket.io/?EIO=4&transport=polling"
    answers = [gateway.get(f"{asked}&{extra}")[0] for extra in ["xsid=1", "sid="] * 10]
    assert answers[:9] == [200] * 9
    assert set(answers[9:]) == {503}


def test_only_trusted_proxies_decide_the_address_of_a_client() -> None:
    """Only trusted proxies set the address; IPv6 counts per /64, and an IPv4-mapped address as IPv4."""
    assert client_address("10.0.0.9", "1.1.1.1", 0) == "10.0.0.9"
    assert client_address("10.0.0.9", "6.6.6.6, 1.1.1.1", 1) == "1.1.1.1"
    assert client_address("10.0.0.9", "6.6.6.6, 1.1.1.1, 2.2.2.2", 2) == "1.1.1.1"
    assert client_address("10.0.0.9", "nonsense", 1) == "10.0.0.9"
    assert client_address("::ffff:10.0.0.9", "", 0) == "10.0.0.9"
    assert client_address("2001:db8::1", "", 0) == client_address("2001:db8::2", "", 0)


def test_places_keeps_no_data_of_closed_connections() -> None:
    """Places keeps no data for an address without connections."""
    places, gone = Places(3, 2), list[str]()
    assert places.take("a", "x", lambda: gone.append("a"))
    assert places.take("b", "x", None)
    assert places.take("c", "x", None)
    assert gone == ["a"]
    assert not places.take("d", "x", None)
    for holder in "abcd":
        places.leave(holder)
    assert (len(places), vars(places)["_by_address"], vars(places)["_idle"]) == (0, {}, {})


def test_a_room_without_events_is_deleted_with_its_last_member() -> None:
    """A room without events loses its number with its last member, also after a gap; others keep it."""

    class Member:
        def __init__(self) -> None:
            self.rooms: set[str] = set()

        def enter(self, room: str, seq: int) -> None:
            self.rooms.add(room)

        def leave(self, room: str) -> None:
            self.rooms.discard(room)

        def offer(self, frame: Any) -> None:
            pass

    hub, member = Hub(), Member()
    empty = {name: len(value) for name, value in vars(hub).items() if hasattr(value, "__len__")}
    for number in range(1000):
        hub.join(member, f"product:X{number}")
    hub.gap()
    for room in list(member.rooms):
        hub.leave(member, room)
    hub.leave(member, "product:NEVER-JOINED")
    assert {name: len(value) for name, value in vars(hub).items() if hasattr(value, "__len__")} == empty
    for number in range(10_000):
        hub.publish(
            events.Event("e", (f"product:P{number}",), ("e", f"P{number}", ""), (0, 0, 0, 0), {}, dict)
        )
    assert max(len(value) for value in vars(hub).values() if hasattr(value, "__len__")) <= 8192


@pytest.mark.parametrize("anonymous", [True, False])
def test_with_anonymous_reads_an_unknown_host_name_is_refused(anonymous: bool) -> None:
    """With anonymous reads only loopback names and configured hosts count as the own host (DNS rebinding)."""
    settings = Settings(
        anonymous_read=anonymous, allowed_hosts="live.desk.test", cors_origins="https://a.test"
    )
    ours = ("localhost:8002", "LOCALHOST", "127.0.0.1", "[::1]:8002", "live.desk.test", "a.test")
    others = ("evil.test", "localhost.evil.test", "127.0.0.1.evil.test:80", "")
    for host in (*ours, *others):
        allowed = host in ours or not anonymous
        environ = {"HTTP_HOST": host}
        assert settings.allows_origin(f"http://{host}", environ) == allowed, host
        assert settings.allows_host(environ) == allowed, host
        assert settings.allows_host({**environ, "HTTP_UPGRADE": "websocket"})


def test_dns_rebinding_is_refused_on_both_transports(gateway: Any) -> None:
    """A web page with another host name can neither poll nor open a WebSocket."""
    assert gateway.get("/socket.io/?EIO=4&transport=polling", Host="evil.test")[0] == 403
    with pytest.raises(websocket.WebSocketBadStatusException):
        websocket.create_connection(
            f"ws://127.0.0.1:{gateway.port}/socket.io/?EIO=4&transport=websocket",
            host="evil.test", origin="http://evil.test",
        )  # fmt: skip


def test_the_ipv6_wildcard_address_serves_ipv4_and_ipv6(start: Any, redis_url: str) -> None:
    """HOST=:: accepts IPv4 and IPv6, independent of the system's default."""
    gateway = start(redis_url, HOST="::")
    for host in ("127.0.0.1", "::1"):
        output = _response_to(
            gateway.port, b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", host
        )
        assert output.startswith(b"HTTP/1.1 200 "), host


def test_no_token_reaches_the_log(gateway: Any) -> None:
    """A token never appears in the log, also if a request is malformed or its handler fails."""
    for line in (b"GET /?token=SECRET HTTP/9.9", b"POST /?token=SECRET", b"GET /?token=SECRET x HTTP/1.1"):
        _response_to(gateway.port, line + b"\r\nHost: x\r\nAuthorization: Bearer SECRET\r\n\r\n")
    upgrade = b"Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
    line = b"GET /socket.io/?token=SECRET&EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"
    _response_to(gateway.port, line + upgrade + b"Sec-WebSocket-Key: SECRET\r\n\r\n")
    assert "SECRET" not in gateway.log.read_text()
