"""Floods of every kind of frame and packet of Socket.IO, Engine.IO and WebSocket."""

from __future__ import annotations

import contextlib
import socket
import threading

from tests.hostile.target import Target, attack
from tests.hostile.wire import flood, frame, websocket

FLOODS = {
    "pongs": frame(b"3"),
    "pings": frame(b"2"),
    "opens": frame(b"0"),
    "noops": frame(b"6"),
    "upgrades": frame(b"5"),
    "acks": frame(b"431[]"),
    "namespaces": frame(b"40/foreign,"),
    "malformed packets": frame(b"42["),
    "nested": frame(b"42" + b"[" * 2000),
    "binary events": frame(b'451-["x",{"_placeholder":true,"num":0}]') + frame(b"x", 2),
    "binary messages": frame(b"x" * 100, 2),
    "empty messages": frame(),
    "no packets": frame(b"nonsense"),
    "continuations": frame(b"", 0),
    "fragments": frame(b"", 1, fin=False) + frame(b"", 0, fin=False) * 1000,
    "websocket pings": frame(b"", 9),
    "websocket pongs": frame(b"", 10),
    "reserved opcodes": frame(b"", 3),
    "big messages": frame(b"4" * 60_000),
    "disconnects": frame(b"41") + frame(b"40"),
}

CUT_WITHIN_S = 20  # a limit for failing tests; the server's cut ends the flood at once


def _flood(target: Target, first: bytes) -> None:
    uncut = []
    for name, piece in FLOODS.items():
        with websocket(target.port) as one:
            one.sendall(first)
            if not flood(one, piece, CUT_WITHIN_S):
                uncut.append(name)
    assert not uncut, f"never cut: {uncut}"


@attack("floods of frames", of="socket")
def floods_before_admission(target: Target) -> None:
    """The rate limit counts every frame, so the server must cut each flood."""
    _flood(target, b"")


@attack("floods of frames", of="socket")
def floods_after_admission(target: Target) -> None:
    _flood(target, frame(b"40"))


@attack("floods of frames", of="socket")
def large_messages_on_many_connections(target: Target) -> None:
    """Each connection stays within its limits, but all send at once what takes longest to decode."""
    message = frame("4é".encode() + "é".encode() * 30_000, mask=b"mask")
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(websocket(target.port)) for _ in range(400)]
        threads = [threading.Thread(target=_until_pong, args=(one, message * 8)) for one in opened]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _until_pong(one: socket.socket, data: bytes) -> None:
    """Send the data and a ping, and wait until the server has read all of it."""
    one.settimeout(60)
    with contextlib.suppress(OSError):
        one.sendall(data + frame(b"", 9))
        while (said := one.recv(65536)) and b"\x8a\0" not in said:
            pass
