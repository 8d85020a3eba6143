"""The session without an exchange's protocol: how a connection ends, and when the next one begins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from tests.support.logs import logged_by
from websockets.asyncio.server import ServerConnection, serve

from feed_generator.live import session as live_session
from feed_generator.live.exchange import (
    NOTHING,
    Connection,
    Dropped,
    Frame,
    LiveError,
    Misconfigured,
    Reaction,
    Unauthorized,
)
from feed_generator.live.session import Session
from feed_generator.live.status import Status
from feed_generator.live.transport import websocket


def test_what_came_before_the_end_is_received_although_nothing_can_be_sent() -> None:
    """An answer that fails must not lose the ticks behind the request."""

    async def two_frames(socket: ServerConnection) -> None:
        await socket.send("request")
        await socket.send("tick")
        await socket.close(1001, "maintenance")

    async def converse() -> list[bytes]:
        async with serve(two_frames, "localhost", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with websocket(f"ws://localhost:{port}") as connection:
                while server.connections:
                    await asyncio.sleep(0)
                received = [await connection.receive()]
                await connection.send("answer")
                received.append(await connection.receive())
                with pytest.raises(Dropped, match="ended the connection: 1001"):
                    await connection.receive()
                return received

    assert asyncio.run(converse()) == [b"request", b"tick"]


@pytest.mark.parametrize(
    ("proxy", "reason"),
    [
        ("http://user:secret@localhost:1", "Unreachable"),
        ("secret", "BadProxy"),
        ("socks5://secret@h:1", "BadProxy"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_one_line_without_its_password(
    monkeypatch: pytest.MonkeyPatch, proxy: str, reason: str
) -> None:
    """It does not end the generator either."""
    monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    async def connect() -> None:
        async with websocket("wss://exchange.example/?access_token=secret"):
            pass

    with pytest.raises(Dropped) as caught:
        asyncio.run(connect())
    assert caught.value.reason == reason
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["ws://exchange.example:99999/?secret", f"ws://{'x' * 70}.example/?secret", "secret"]
)
def test_a_url_that_cannot_be_used_is_one_line_without_its_secret(url: str) -> None:
    """It does not end the generator either."""

    async def connect() -> None:
        async with websocket(url):
            pass

    with pytest.raises(Dropped) as caught:
        asyncio.run(connect())
    assert "secret" not in str(caught.value)


def _handshake(status: int, *, keyless: bool) -> LiveError:
    """Return the error of a handshake that is answered by `status`."""

    async def connect() -> None:
        def answer(socket: ServerConnection, request: object) -> object:
            return socket.respond(status, "<html>")

        async with serve(_wait_closed, "localhost", 0, process_request=answer) as server:  # type: ignore[arg-type]
            port = next(iter(server.sockets)).getsockname()[1]
            async with websocket(f"ws://localhost:{port}/?access_token=secret", keyless=keyless):
                pass

    with pytest.raises(LiveError) as caught:
        asyncio.run(connect())
    return caught.value


@pytest.mark.parametrize(
    ("status", "keyless", "kind", "reason", "fix"),
    [
        (403, False, Unauthorized, "Refused", "renew the credential"),
        (403, True, Misconfigured, "Blocked", "refuses this machine's address or country"),
        (429, True, Dropped, "RateLimited", "too many connections or requests share this address"),
        (503, True, Dropped, "Unavailable", "it is down or in maintenance"),
        (404, True, Dropped, "BadAnswer", "check the url"),
    ],
)
def test_a_refused_handshake_says_what_its_status_means(
    status: int, keyless: bool, kind: type[LiveError], reason: str, fix: str
) -> None:
    """A source without a key has no credential to renew, and an exchange in maintenance no wrong url."""
    error = _handshake(status, keyless=keyless)
    assert (type(error), error.reason) == (kind, reason)
    assert f"answered {status}" in str(error)
    assert fix in str(error)
    assert "secret" not in str(error)


async def _wait_closed(socket: ServerConnection) -> None:
    await socket.wait_closed()


def test_a_frame_beyond_the_limit_ends_the_connection_and_says_so() -> None:
    """It is not read to its end: memory stays bounded."""

    async def huge(socket: ServerConnection) -> None:
        await socket.send(b"x" * (16 * 2**20 + 1))
        await socket.wait_closed()

    async def receive() -> None:
        async with serve(huge, "localhost", 0, compression=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with websocket(f"ws://localhost:{port}") as connection:
                await connection.receive()

    with pytest.raises(Dropped, match=r"localhost:\d+ sent a frame of more than 16 MiB"):
        asyncio.run(receive())


def test_a_server_that_accepts_and_says_nothing_is_a_timeout() -> None:
    """The library waits for 4 s, and the test's patience is longer."""

    async def connect() -> None:
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "localhost", 0)
        async with server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with asyncio.timeout(30), websocket(f"ws://localhost:{port}"):
                pass

    with pytest.raises(Dropped, match="did not answer within 4 s: check network and proxy"):
        asyncio.run(connect())


class Subscribed:
    """An exchange that is ready at once."""

    ready: str | None = "everything"

    def opened(self, now_ns: int) -> Reaction:
        return NOTHING

    def received(self, frame: bytes, now_ns: int) -> Reaction:
        return NOTHING

    def waited(self, now_ns: int) -> Reaction:
        return NOTHING


class Ends:
    """A connection that ends at once. `clock`: the time that it lasted is added to it."""

    def __init__(self, clock: list[int], lasts_s: int) -> None:
        self._clock, self._lasts_s = clock, lasts_s

    async def send(self, frame: Frame) -> None:
        raise AssertionError("the exchange of these tests sends nothing")

    async def receive(self) -> bytes:
        self._clock[0] += self._lasts_s * 10**9
        raise Dropped("Dropped", "ended")


def _pauses(lasting_s: Sequence[int]) -> list[float]:
    """Return the pauses after connections that last so long, without jitter."""
    clock, pauses, left, status = [0], list[float](), list(lasting_s), Status()

    @asynccontextmanager
    async def connect() -> AsyncIterator[Connection]:
        if not left:
            raise asyncio.CancelledError
        yield Ends(clock, left.pop(0))

    async def sleep(seconds: float) -> None:
        if not status.connected:
            pauses.append(seconds)
        await asyncio.sleep(0)

    session = Session(
        Subscribed(), connect, lambda _: None, status, now_ns=lambda: clock[0], sleep=sleep, jitter=lambda: 1
    )
    with suppress(asyncio.CancelledError):
        asyncio.run(session.run())
    return pauses


def test_an_exchange_that_ends_every_subscribed_connection_is_called_ever_more_seldom() -> None:
    """Only a connection that lasted makes the next pause the shortest one."""
    assert _pauses([1] * 8) == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 4, 4]
    assert _pauses([1, 1, 60, 1]) == [0.1, 0.2, 0.1, 0.2]


@pytest.mark.parametrize(
    ("error", "jitter", "pauses"),
    [
        (Dropped("Dropped", "ended"), 0.0, [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2, 2]),
        (Dropped("Dropped", "ended"), 0.5, [0.075, 0.15, 0.3, 0.6, 1.2, 2.4, 3, 3]),
        (Misconfigured("ClockSkew", "set the clock"), 0.5, [30] * 8),
        (Unauthorized("Refused", "renew it"), 0.5, [30] * 8),
    ],
)
def test_a_pause_has_jitter_and_is_long_if_only_a_person_can_help(
    error: LiveError, jitter: float, pauses: Sequence[float]
) -> None:
    """Many clients do not come back at once, and none asks for what cannot work every few seconds."""
    slept: list[float] = []

    @asynccontextmanager
    async def connect() -> AsyncIterator[Connection]:
        if len(slept) == len(pauses):
            raise asyncio.CancelledError
        raise error
        yield  # this makes it a generator

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    session = Session(Subscribed(), connect, lambda _: None, Status(), sleep=sleep, jitter=lambda: jitter)
    with suppress(asyncio.CancelledError):
        asyncio.run(session.run())
    assert slept == pytest.approx(pauses)


def test_an_outage_is_one_warning_however_long_it_lasts() -> None:
    """A reason that changes is a new one. Every attempt is still logged at DEBUG."""
    left = ["down", "down", "down", "maintenance", "maintenance"]

    @asynccontextmanager
    async def connect() -> AsyncIterator[Connection]:
        if not left:
            raise asyncio.CancelledError
        raise Dropped("Unreachable", left.pop(0))
        yield  # this makes it a generator

    async def sleep(seconds: float) -> None:
        del seconds

    session = Session(Subscribed(), connect, lambda _: None, Status(), sleep=sleep)
    with logged_by(live_session, "_log") as logs, suppress(asyncio.CancelledError):
        asyncio.run(session.run())
    assert [line["log_level"] for line in logs] == ["warning", "debug", "debug", "warning", "debug"]
    assert [line["error"] for line in logs if line["log_level"] == "warning"] == ["down", "maintenance"]


def test_a_reader_that_sees_a_new_state_sees_what_belongs_to_it() -> None:
    """The publisher's thread reads while the session's thread writes: gap, state and reason come last."""
    seen: dict[str, tuple[bool, str]] = {}

    class Watched(Status):
        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if name in ("reason", "connected", "gaps") and hasattr(self, "gaps"):
                seen[name] = self.connected, self.message

    status = Watched()
    status.ready("everything", 1)
    assert seen["connected"] == (True, "everything")
    status.ended(Dropped("Dropped", "ended"), 2)
    assert seen["reason"][1] == "ended"
    assert seen["gaps"] == (False, "ended")
