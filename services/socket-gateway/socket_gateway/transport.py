"""The one module that knows engineio's and gevent-websocket's insides (both pinned in constraints.txt).

engineio queues packets per client without a bound and closes politely, which waits for ever on a peer that
stopped reading. `Transport` gives what the gateway needs instead: how much is queued, a bounded wait until
it is handed on, and a way to cut the connection.
"""

from __future__ import annotations

import contextlib
import socket as stdlib_socket
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import gevent
import orjson
from engineio import packet as engine  # type: ignore[import-untyped]
from gevent.lock import RLock
from geventwebsocket.exceptions import ProtocolError  # type: ignore[import-untyped]
from geventwebsocket.websocket import Header  # type: ignore[import-untyped]
from socketio import packet as socketio_packet

_SLACK = 1024  # frame headers and control frames on top of a message


class _Text(str):
    """A packet's text that keeps its websocket frame: unmasked, so the same bytes for every client."""

    _frame: bytes | None = None

    @property
    def frame(self) -> bytes:
        if self._frame is None:
            body = self.encode()
            self._frame = Header.encode_header(True, 1, b"", len(body), 0) + body
        return self._frame


def event_packet(name: str, payload: object) -> Any:
    """An engineio packet with a Socket.IO event of the namespace `/`, encoded once for all receivers."""
    text = "2" + orjson.dumps([name, payload]).decode()
    packet = engine.Packet(engine.MESSAGE, text)
    packet.encode_cache = _Text("4" + text)
    return packet


class TextOnlyPacket(socketio_packet.Packet):  # type: ignore[misc]
    """Refuses binary packets: nobody sends us any, and their attachments would pile up unbounded.

    engineio catches the error and drops the packet.
    """

    def decode(self, encoded_packet: Any) -> Any:
        if not isinstance(encoded_packet, str) or encoded_packet[:1] in ("5", "6"):
            raise ValueError("binary packets are not accepted")
        return super().decode(encoded_packet)


class GatewayWebSocket:
    """engineio's view of a websocket: bounded reads, writes that never interleave, shared frames."""

    max_message_bytes: ClassVar[int] = 65_536

    def __init__(self, handler: Callable[[Any], Any], _server: object) -> None:
        self._handler = handler
        self._lock = RLock()
        self._ws: Any = None
        self._raw: Any = None
        self._read_bytes = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self._ws = environ.get("wsgi.websocket")
        if self._ws is None:
            start_response("400 Bad Request", [("Content-Type", "text/plain")])
            return [b"a websocket handshake is needed\n"]
        self._raw = self._ws.handler.socket
        # NB: gevent-websocket reads whatever length a peer announces, and its pong from the reading
        # greenlet could land inside a frame that the writing greenlet has half sent.
        self._read, self._ws.raw_read = self._ws.raw_read, self._bounded_read
        self._ws.raw_write = self._write
        self._handler.__self__.session["websocket"] = self  # type: ignore[attr-defined]
        result: Iterable[bytes] = self._handler(self)
        return result

    def wait(self) -> Any:
        self._read_bytes = 0
        return self._ws.receive()

    def send(self, message: Any) -> None:
        if isinstance(message, _Text):
            self._write(message.frame)
        else:
            self._ws.send(message)

    def close(self) -> None:
        if not self._ws.closed:
            self._ws.close()
        self.cut()

    def cut(self) -> None:
        """End the connection now: wakes a blocked reader and a blocked writer."""
        with contextlib.suppress(OSError):  # already gone
            self._raw.shutdown(stdlib_socket.SHUT_RDWR)

    def _write(self, data: bytes) -> None:
        with self._lock:
            self._raw.sendall(data)

    def _bounded_read(self, size: int) -> bytes:
        self._read_bytes += size
        if self._read_bytes > self.max_message_bytes + _SLACK:
            raise ProtocolError("message is too large")
        data: bytes = self._read(size)
        return data


class Transport:
    """One client's connection, seen from the sender."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    @property
    def closed(self) -> bool:
        return bool(self._socket.closed or self._socket.closing)

    def backlog(self) -> int:
        """Packets that engineio has queued and not yet handed to the connection."""
        size: int = self._socket.queue.qsize()
        return size

    def send(self, packet: Any) -> None:
        """Queue one packet; dropped when the connection is closing."""
        if not self.closed:
            self._socket.queue.put(packet)

    def drain(self, within_s: float) -> bool:
        """Wait until the queue is handed on; False if it was not within `within_s`."""
        return bool(self._socket.queue.join(timeout=within_s))

    def close(self, flush_s: float) -> None:
        """Close after at most `flush_s` for what is queued, then cut whatever is left."""
        self.drain(flush_s)
        with gevent.Timeout(flush_s, False):
            self._socket.close(wait=False)
            self.drain(flush_s)
        websocket = self._socket.session.get("websocket")
        if websocket is not None:
            websocket.cut()
