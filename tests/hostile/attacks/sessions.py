"""Attacks on Engine.IO's polling sessions and on their upgrade to a WebSocket."""

from __future__ import annotations

import contextlib

from tests.hostile.target import Target, attack
from tests.hostile.wire import answers, connect, ends, frame, hold, poll, polling_session, sockets, websocket


@attack("upgrades", of="socket")
def upgrades_that_are_never_finished(target: Target) -> None:
    """Stop before the probe, or before the packet that completes the upgrade. The server gives up."""
    opened = []
    for first in (b"", frame(b"2probe")) * 8:
        opened.append(websocket(target.port, polling_session(target)))
        opened[-1].sendall(first)
    for one in opened:
        assert ends(one)
        one.close()


@attack("upgrades", of="socket")
def upgrades_of_one_session_at_once(target: Target) -> None:
    """A session has one connection. The server refuses a second one while the first is upgrading."""
    session = polling_session(target)
    with websocket(target.port, session) as first:
        first.sendall(frame(b"2probe"))
        assert b"3probe" in first.recv(100)
        try:
            websocket(target.port, session).close()
        except ConnectionRefusedError:
            return
        raise AssertionError("two connections upgrade one session")


@attack("upgrades", of="socket")
def upgrades_that_fail(target: Target) -> None:
    """Send something else than the probe, or close the connection after it."""
    for piece in (b"", frame(b"3"), frame(b"2probe"), frame(b"2probe") * 500, frame(b"x"), b"\x81\x01"):
        for _ in range(4):
            with websocket(target.port, polling_session(target)) as one:
                one.sendall(piece)


@attack("polling", of="socket")
def requests_of_one_session_at_once(target: Target) -> None:
    """Post to a session on many connections, some with half a body, then poll it on many."""
    session = polling_session(target)
    with sockets(target, 100) as posts, sockets(target, 100) as polls:
        for index, one in enumerate(posts):
            request = poll(session, b'42["x"]' + b" " * (index % 2) * 1000)
            with contextlib.suppress(OSError):
                one.sendall(request[: len(request) - 500 * (index % 2)])
        for one in polls:
            one.sendall(poll(session))
        hold()
        assert all(ends(one) for one in polls)


@attack("polling", of="socket")
def guessed_sessions(target: Target) -> None:
    """Requests with invented ids reach no session and open none."""
    for number in range(300):
        assert b" 400 " in answers(target, poll(f"guess-{number}", b"40"))[:20]


@attack("polling", of="socket")
def sessions_that_are_never_polled(target: Target) -> None:
    """Ask for answers and never fetch them."""
    for _ in range(10):
        session = polling_session(target)
        for _ in range(20):
            with connect(target.port) as one:
                one.sendall(poll(session, b"\x1e".join([b'42["get_products"]'] * 10)))
                one.settimeout(5)
                with contextlib.suppress(OSError):
                    one.recv(4096)
