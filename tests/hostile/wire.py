"""Raw sockets and WebSocket frames, to send bytes that no well-behaved library sends."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
from collections.abc import Iterator

from tests.hostile.target import Target

HOLD_S = 1.0  # how long an attack stays in place: many times the witness' pace


def hold() -> None:
    """Stay connected while the witness goes on."""
    time.sleep(HOLD_S)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


@contextlib.contextmanager
def sockets(target: Target, count: int) -> Iterator[list[socket.socket]]:
    """Open up to `count` connections, fewer if the server refuses some. They are closed at the end."""
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(count):
            with contextlib.suppress(OSError):
                opened.append(stack.enter_context(connect(target.port)))
        yield opened


def answers(target: Target, request: bytes) -> bytes:
    """Send bytes. Returns everything that the server sends until it closes or is silent for 2 s."""
    with connect(target.port) as one:
        one.settimeout(2)
        output = b""
        with contextlib.suppress(OSError):
            one.sendall(request)
            while piece := one.recv(65536):
                output += piece
        return output


def frame(payload: bytes = b"", opcode: int = 1, *, fin: bool = True, mask: bytes = bytes(4)) -> bytes:
    """A WebSocket frame of a client."""
    size = len(payload)
    first = bytes([(0x80 if fin else 0) | opcode])
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)) if any(mask) else payload
    if size < 126:
        return first + bytes([0x80 | size]) + mask + masked
    if size < 65536:
        return first + b"\xfe" + struct.pack("!H", size) + mask + masked
    return first + b"\xff" + struct.pack("!Q", size) + mask + masked


def websocket(port: int, session: str = "") -> socket.socket:
    """Open a connection up to the WebSocket handshake, without Socket.IO's CONNECT.

    With the id of a polling session it begins the upgrade of that session.
    """
    one = connect(port)
    one.sendall(
        f"GET /socket.io/?EIO=4&transport=websocket{'&sid=' * bool(session)}{session} HTTP/1.1\r\n"
        "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        piece = one.recv(4096)
        if not piece:
            break
        head += piece
    if not head.startswith(b"HTTP/1.1 101"):
        one.close()
        raise ConnectionRefusedError(head[:60])
    return one


def polling_session(target: Target) -> str:
    """Open an Engine.IO session that polls, make it a client, and return its id."""
    opened = answers(target, b"GET /socket.io/?EIO=4&transport=polling HTTP/1.0\r\nHost: localhost\r\n\r\n")
    session = str(json.loads(opened.partition(b"\r\n\r\n0")[2])["sid"])
    assert b" 200 " in answers(target, poll(session, b"40"))[:20]
    return session


def poll(session: str, body: bytes | None = None) -> bytes:
    """A request of a polling session: a POST with `body`, or a GET without one."""
    method, length = ("GET", "") if body is None else ("POST", f"Content-Length: {len(body)}\r\n")
    line = f"{method} /socket.io/?EIO=4&transport=polling&sid={session} HTTP/1.1\r\nHost: localhost\r\n"
    return f"{line}Connection: close\r\n{length}\r\n".encode() + (body or b"")


def ends(one: socket.socket) -> bool:
    """Read until the server closes the connection. Returns False if it does not within 20 s."""
    until = time.monotonic() + 20
    while (left := until - time.monotonic()) > 0:
        one.settimeout(left)
        try:
            if not one.recv(65536):
                return True
        except TimeoutError:
            return False
        except OSError:
            return True
    return False


def flood(one: socket.socket, piece: bytes, seconds: float = HOLD_S) -> bool:
    """Write `piece` repeatedly for `seconds`. Returns True if the server closed the connection."""
    until = time.monotonic() + seconds
    block = piece * max(1, 16384 // len(piece))
    one.settimeout(0.2)
    while time.monotonic() < until:
        try:
            one.send(block)
        except TimeoutError:
            if _ended(one):  # the buffer is full, or the server has closed the connection
                return True
        except OSError:
            return True
    return False


def _ended(one: socket.socket) -> bool:
    try:
        return not one.recv(65536)
    except TimeoutError:
        return False
    except OSError:
        return True
