"""Write frames to a client's socket: without blocking, and several frames in one system call."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any

import gevent
from gevent.lock import RLock

_MOST_FRAMES = 512  # in one system call; Linux accepts 1024 buffers
_MOST_BYTES = 65_536  # taken frames that may wait for the end of the turn, so a slow client holds little


class Outlet:
    """The sending side of one connection. It writes every frame whole and in order.

    There are two ways in. `take` never blocks: the frame is written at the end of the event loop's turn. What
    the socket does not accept then is the rest; `on_rest` must arrange that another greenlet calls `write`.
    `write` blocks until the rest and its own bytes are written.
    """

    def __init__(self, sock: Any, on_rest: Callable[[], None]) -> None:
        self._socket, self._on_rest = sock, on_rest
        self._lock = RLock()
        self._taken: list[bytes] = []
        self._taken_bytes = 0
        self._rest = b""
        self._writing = False

    @property
    def has_taken(self) -> bool:
        """Return whether frames wait for the end of the turn: the next one must then follow by `take`."""
        return bool(self._taken)

    @property
    def is_free(self) -> bool:
        """Return whether nothing is waiting or being written."""
        return not (self._taken or self._writing or self._rest)

    def take(self, frame: bytes) -> None:
        """Write `frame` at the end of the turn, or earlier if much is waiting. Never blocks."""
        if not self._taken:
            gevent.get_hub().loop.run_callback(self.flush)
        self._taken.append(frame)
        self._taken_bytes += len(frame)
        if self._taken_bytes > _MOST_BYTES or len(self._taken) >= _MOST_FRAMES:
            self.flush()

    def flush(self) -> None:
        """Write the taken frames as far as the socket accepts them. Never blocks."""
        if not self._taken:
            return
        frames, size = self._taken, self._taken_bytes
        self._taken, self._taken_bytes = [], 0
        sent = 0
        if not (self._writing or self._rest):
            try:
                sent = self._socket.sendmsg(frames, (), socket.MSG_DONTWAIT)
            except BlockingIOError:
                pass
            except OSError:  # the connection is lost
                self.cut()
                return
        if sent < size:
            self._rest += b"".join(frames)[sent:]
            self._on_rest()

    def write(self, data: bytes) -> None:
        """Write the rest and `data`. Blocks while the socket accepts nothing; calls do not interleave."""
        with self._lock:
            self._writing = True
            try:
                rest, self._rest = self._rest, b""
                self._socket.sendall(rest + data if rest else data)
            finally:
                self._writing = False

    def cut(self) -> None:
        """End the connection immediately. Wakes a blocked reader and a blocked writer."""
        with contextlib.suppress(OSError):  # already closed
            self._socket.shutdown(socket.SHUT_RDWR)
