"""Access: tokens, allowed origins, and limits on clients and connections."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import socketio
import websocket
from devcluster.ports import free_port
from devcluster.waiting import wait_until
from tests.support.tokens import access_token


@pytest.fixture
def guarded(start: Any, redis_url: str, auth_url: str) -> Any:
    """A replica that requires tokens, as in the chart."""
    return start(redis_url, ANONYMOUS_READ="false", AUTH_URL=auth_url)


def _address(gateway: Any) -> str:
    return f"ws://127.0.0.1:{gateway.port}/socket.io/?EIO=4&transport=websocket"


def _refusal(gateway: Any, **options: Any) -> dict[str, Any]:
    """Return the data of the connect_error that a connection attempt gets."""
    client, seen = socketio.Client(reconnection=False), []
    client.on("connect_error", seen.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(gateway.url, transports=["websocket"], **options)
    client.disconnect()
    assert len(seen) == 1
    refusal: dict[str, Any] = seen[0]["data"]
    assert refusal["message"] == seen[0]["message"]
    return refusal


def test_by_default_a_client_without_a_token_is_refused(start: Any, redis_url: str) -> None:
    """By default a client needs a token: ANONYMOUS_READ is off."""
    gateway = start(redis_url, ANONYMOUS_READ="false")
    assert _refusal(gateway)["code"] == "unauthorized"
    assert gateway.metric('deltastream_socket_refused_total{code="unauthorized"}') == 1
    assert gateway.metric("deltastream_socket_clients") == 0


def test_a_token_is_accepted_in_all_three_places(guarded: Any, play: Any) -> None:
    """A token is accepted in the auth payload, in the Authorization header, and as `?token=`."""
    for way in ("auth", "header", "query"):
        token = access_token("deltastream-api")
        options: dict[str, Any] = {
            "auth": {"auth": {"token": token}},
            "header": {"headers": {"Authorization": f"Bearer {token}"}},
            "query": {"query": f"?token={token}"},
        }[way]
        play(guarded, **options)
        assert token not in guarded.log.read_text(), way


@pytest.mark.parametrize("anonymous", ["false", "true"])
def test_an_invalid_token_is_refused_even_with_anonymous_reads(
    start: Any, redis_url: str, auth_url: str, anonymous: str
) -> None:
    """An invalid token is refused with a reason, also if anonymous reads are allowed."""
    gateway = start(redis_url, ANONYMOUS_READ=anonymous, AUTH_URL=auth_url)
    tokens = {
        "of another audience": (access_token("storage"), "audience"),
        "expired": (access_token("deltastream-api", lifetime_s=-3600), "expired"),
        "of another issuer": (access_token("deltastream-api", issuer="somebody"), "not valid"),
        "no JWT": ("not.a.token", "not valid"),
        "empty": ("", "bearer"),
    }
    for kind, (token, reason) in tokens.items():
        refusal = _refusal(gateway, auth={"token": token})
        assert refusal["code"] == "unauthorized", kind
        assert reason in refusal["message"], kind


def test_without_auths_keys_a_token_is_refused_with_the_code_of_an_outage(start: Any, redis_url: str) -> None:
    """Outage policy: without auth's keys tokens are refused, with a code that asks the client to retry."""
    gateway = start(redis_url, ANONYMOUS_READ="false", AUTH_URL=f"http://127.0.0.1:{free_port()}")
    assert _refusal(gateway, auth={"token": access_token("deltastream-api")})["code"] == "auth_unavailable"


def _connected_for_seconds(play: Any, gateway: Any) -> Any:
    """Return a client whose token expires in 2 to 3 s. On a busy machine one may expire before it is used."""
    for _ in range(20):
        token = access_token("deltastream-api", lifetime_s=-27)  # 3 s of the leeway are left
        with suppress(socketio.exceptions.ConnectionError):
            return play(gateway, auth={"token": token})
    raise AssertionError("no connection within the 3 s of a token")


def test_an_expired_token_ends_the_connection_except_with_anonymous_reads(
    start: Any, guarded: Any, redis_url: str, play: Any, auth_url: str
) -> None:
    """When its token expires, a client gets `error` token_expired and is disconnected.

    With anonymous reads it stays connected: it could reconnect without a token anyway.
    """
    anonymous = start(redis_url, ANONYMOUS_READ="true", AUTH_URL=auth_url)
    stays, goes = (_connected_for_seconds(play, gateway) for gateway in (anonymous, guarded))
    goes.wait("disconnect")
    assert goes.all("error")[0]["code"] == "token_expired"
    assert guarded.metric('deltastream_socket_evictions_total{code="token_expired"}') == 1
    stays.settle()
    assert not stays.all("disconnect")


def test_a_warning_about_anonymous_reads_is_logged_at_start(gateway: Any) -> None:
    """A gateway with ANONYMOUS_READ logs a warning at start."""
    assert "anonymous_read" in gateway.log.read_text()


@pytest.mark.parametrize(
    ("allowed", "origins"),
    [
        ("", {None: True, "self": True, "http://evil.test": False}),
        ("http://desk.test", {"http://desk.test": True, "self": True, "http://evil.test": False}),
        ("*", {"http://evil.test": True}),
    ],
)
def test_only_listed_origins_are_accepted(
    start: Any, redis_url: str, allowed: str, origins: dict[str | None, bool]
) -> None:
    """Allowed are the own host, the origins in CORS_ORIGINS, and programs without an Origin header."""
    gateway = start(redis_url, CORS_ORIGINS=allowed)
    connected = {}
    for origin in origins:
        named = gateway.url if origin == "self" else origin
        options: dict[str, Any] = {"origin": named} if named else {"suppress_origin": True}
        try:
            websocket.create_connection(_address(gateway), **options).close()
            connected[origin] = True
        except websocket.WebSocketBadStatusException:
            connected[origin] = False
    assert connected == origins


def test_the_number_of_clients_is_limited(start: Any, redis_url: str, play: Any) -> None:
    """A client beyond MAX_CLIENTS is refused; after another client disconnects, it is accepted."""
    gateway = start(redis_url, MAX_CLIENTS="1")
    first = play(gateway)
    assert _refusal(gateway)["code"] == "server_full"
    first.io.disconnect()
    wait_until(lambda: gateway.metric("deltastream_socket_clients") == 0, "gone")
    play(gateway)


def test_handshakes_beyond_the_limit_of_connections_are_refused(start: Any, redis_url: str) -> None:
    """Handshakes beyond the limit get 503, without a WebSocket upgrade and without a session."""
    gateway = start(redis_url, MAX_CLIENTS="1")  # plus 8 that are connecting or disconnecting
    opened = [websocket.create_connection(_address(gateway)) for _ in range(9)]
    with pytest.raises(websocket.WebSocketBadStatusException, match="503"):
        websocket.create_connection(_address(gateway))
    for raw in opened:
        raw.close()


def test_a_connection_that_never_logs_in_is_closed(start: Any, redis_url: str) -> None:
    """An Engine.IO connection that does not become a client is closed: it uses memory without a token."""
    gateway = start(redis_url, HANDSHAKE_SECONDS="0.5")
    raw = websocket.create_connection(_address(gateway), timeout=30)
    assert raw.recv().startswith("0")
    opcode = None
    while opcode != websocket.ABNF.OPCODE_CLOSE:
        opcode, _ = raw.recv_data()
    raw.shutdown()


def test_a_transport_can_be_disabled(start: Any, redis_url: str, play: Any) -> None:
    """TRANSPORTS can disable polling, as the chart does: polling needs sticky sessions."""
    gateway = start(redis_url, TRANSPORTS="websocket")
    assert gateway.get("/socket.io/?EIO=4&transport=polling")[0] == 400
    play(gateway)
