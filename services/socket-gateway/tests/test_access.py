"""Who may connect, from where, and for how long."""

from __future__ import annotations

from typing import Any

import pytest
import socketio
import websocket
from devcluster.ports import free_port
from devcluster.waiting import wait_until
from tests.support.tokens import access_token


@pytest.fixture
def guarded(start: Any, redis_url: str, auth_url: str) -> Any:
    """A replica that wants tokens, as the chart runs it."""
    return start(redis_url, ANONYMOUS_READ="false", AUTH_URL=auth_url)


def _address(gateway: Any) -> str:
    return f"ws://127.0.0.1:{gateway.port}/socket.io/?EIO=4&transport=websocket"


def _refusal(gateway: Any, **options: Any) -> dict[str, Any]:
    """What connect_error says."""
    client, seen = socketio.Client(reconnection=False), []
    client.on("connect_error", seen.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(gateway.url, transports=["websocket"], **options)
    client.disconnect()
    assert len(seen) == 1
    refusal: dict[str, Any] = seen[0]["data"]
    assert refusal["message"] == seen[0]["message"]
    return refusal


def test_without_a_token_nobody_connects_by_default(start: Any, redis_url: str) -> None:
    """ANONYMOUS_READ is off unless it is set."""
    gateway = start(redis_url, ANONYMOUS_READ="false")
    assert _refusal(gateway)["code"] == "unauthorized"
    assert gateway.metric('deltastream_socket_refused_total{code="unauthorized"}') == 1
    assert gateway.metric("deltastream_socket_clients") == 0


def test_a_token_is_taken_from_all_three_places(guarded: Any, play: Any) -> None:
    """The auth payload, the Authorization header, and `?token=` for browsers without either."""
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
def test_a_bad_token_is_refused_even_where_none_is_needed(
    start: Any, redis_url: str, auth_url: str, anonymous: str
) -> None:
    """Who shows a token wants to be somebody; the refusal says what is wrong."""
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


def test_without_the_keys_tokens_are_refused_as_an_outage(start: Any, redis_url: str) -> None:
    """Outage policy: closed, with a code that says to try again."""
    gateway = start(redis_url, ANONYMOUS_READ="false", AUTH_URL=f"http://127.0.0.1:{free_port()}")
    assert _refusal(gateway, auth={"token": access_token("deltastream-api")})["code"] == "auth_unavailable"


def test_an_expired_token_ends_the_connection_except_where_none_is_needed(
    start: Any, guarded: Any, redis_url: str, play: Any, auth_url: str
) -> None:
    """`error` token_expired, then the end: a token is good for its life, not for the connection's.

    Where anonymous is allowed the client would only come back without one.
    """
    anonymous = start(redis_url, ANONYMOUS_READ="true", AUTH_URL=auth_url)
    token = access_token("deltastream-api", lifetime_s=-27)  # 3 s of the leeway are left to connect
    stays, goes = (play(gateway, auth={"token": token}) for gateway in (anonymous, guarded))
    goes.wait("disconnect")
    assert goes.all("error")[0]["code"] == "token_expired"
    assert guarded.metric('deltastream_socket_evictions_total{code="token_expired"}') == 1
    stays.settle()
    assert not stays.all("disconnect")


def test_anonymous_reading_is_announced_at_start(gateway: Any) -> None:
    """Nobody runs an open gateway without a line in the log."""
    assert "anonymous_read" in gateway.log.read_text()


@pytest.mark.parametrize(
    ("allowed", "origins"),
    [
        ("", {None: True, "self": True, "http://evil.test": False}),
        ("http://desk.test", {"http://desk.test": True, "self": True, "http://evil.test": False}),
        ("*", {"http://evil.test": True}),
    ],
)
def test_origins_are_on_a_list(
    start: Any, redis_url: str, allowed: str, origins: dict[str | None, bool]
) -> None:
    """Our own, and those that CORS_ORIGINS names; what is no browser has no origin."""
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


def test_clients_are_limited(start: Any, redis_url: str, play: Any) -> None:
    """One more than MAX_CLIENTS is refused; a place that becomes free is given again."""
    gateway = start(redis_url, MAX_CLIENTS="1")
    first = play(gateway)
    assert _refusal(gateway)["code"] == "server_full"
    first.io.disconnect()
    wait_until(lambda: gateway.metric("deltastream_socket_clients") == 0, "gone")
    play(gateway)


def test_connections_are_limited_before_they_are_clients(start: Any, redis_url: str) -> None:
    """A flood of handshakes is answered with 503, without an upgrade and without a session."""
    gateway = start(redis_url, MAX_CLIENTS="1")  # and 8 that are just coming or going
    opened = [websocket.create_connection(_address(gateway)) for _ in range(9)]
    with pytest.raises(websocket.WebSocketBadStatusException, match="503"):
        websocket.create_connection(_address(gateway))
    for raw in opened:
        raw.close()


def test_a_connection_that_never_logs_in_is_closed(start: Any, redis_url: str) -> None:
    """Engine.IO connections without a client hold memory and no token."""
    gateway = start(redis_url, HANDSHAKE_SECONDS="0.5")
    raw = websocket.create_connection(_address(gateway), timeout=30)
    assert raw.recv().startswith("0")
    opcode = None
    while opcode != websocket.ABNF.OPCODE_CLOSE:
        opcode, _ = raw.recv_data()
    raw.shutdown()


def test_a_transport_can_be_switched_off(start: Any, redis_url: str, play: Any) -> None:
    """Without sticky sessions polling cannot work, so the chart allows websockets only."""
    gateway = start(redis_url, TRANSPORTS="websocket")
    assert gateway.get("/socket.io/?EIO=4&transport=polling")[0] == 400
    play(gateway)
