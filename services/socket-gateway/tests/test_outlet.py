"""The outlet writes frames whole and in order, several at once, and `take` never blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent import socket

from socket_gateway.outlet import Outlet


class Pair:
    """An outlet, the system calls that it made, and the peer's end of its connection."""

    def __init__(self) -> None:
        self.ours, self.peer = socket.socketpair()
        self.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.rests = 0
        self.sizes: list[int] = []
        self.outlet = Outlet(self, self._rest)

    def _rest(self) -> None:
        self.rests += 1

    def sendmsg(self, buffers: list[bytes], *rest: Any) -> int:
        self.sizes.append(len(buffers))
        return int(self.ours.sendmsg(buffers, *rest))

    def sendall(self, data: bytes) -> None:
        self.ours.sendall(data)

    def shutdown(self, how: int) -> None:
        self.ours.shutdown(how)

    def received(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (piece := self.peer.recv(65536)):
            data += piece
        return data


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.ours.close()
    made.peer.close()


def test_the_frames_of_one_turn_are_one_system_call(pair: Pair) -> None:
    """Frames that are taken in one turn of the event loop go out together."""
    for frame in (b"one", b"two", b"three"):
        pair.outlet.take(frame)
    assert (pair.outlet.has_taken, pair.sizes) == (True, [])
    assert pair.received(11) == b"onetwothree"
    assert (pair.sizes, pair.outlet.is_free, pair.rests) == ([3], True, 0)


def test_what_the_socket_does_not_take_follows_in_order(pair: Pair) -> None:
    """A frame that was sent in part is completed before any other bytes, such as a pong, are sent."""
    frames = [bytes([65 + n]) * 50_000 for n in range(4)]
    for frame in frames:
        pair.outlet.take(frame)
    pair.outlet.flush()
    assert pair.rests >= 1
    assert not pair.outlet.is_free
    writing = gevent.spawn(pair.outlet.write, b"pong")
    assert pair.received(200_004) == b"".join(frames) + b"pong"
    writing.get()
    assert pair.outlet.is_free


def test_frames_wait_for_a_blocked_writer(pair: Pair) -> None:
    """While another greenlet writes, taken frames do not cut into its bytes."""
    long = b"x" * 500_000
    writing = gevent.spawn(pair.outlet.write, long)
    gevent.sleep(0)
    assert not pair.outlet.is_free
    pair.outlet.take(b"event")
    gevent.sleep(0)
    assert pair.rests == 1
    assert pair.received(len(long)) == long
    writing.get()
    pair.outlet.write(b"")
    assert pair.received(5) == b"event"


def test_a_lost_connection_is_cut(pair: Pair) -> None:
    """If the peer is gone, the frames are dropped and the reader of the connection is woken."""
    pair.peer.close()
    pair.outlet.take(b"event")
    pair.outlet.flush()
    assert pair.rests == 0
    assert pair.ours.recv(1) == b""
