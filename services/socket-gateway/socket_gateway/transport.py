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

from socket_gateway import metrics
from socket_gateway.limits import TokenBucket

CLIENT_EVENT = "client event"  # the one handler of all events that clients name

_SLACK = 1024  # frame headers and control frames on top of a message
MOST_QUEUED = 256  # answers that nobody takes: acks go past the outbox
_BYTES_A_READ = 256  # a frame is read in two to four pieces; a longer piece counts as several


_PACKET_TYPES = tuple("0123456")


class Limits:
    """What one connection may send; set once at start."""

    max_message_bytes: ClassVar[int] = 65_536
    reads_a_second: ClassVar[float] = 100
    reads_at_once: ClassVar[int] = 2000


def packet_budget() -> TokenBucket:
    """What one connection may send before it is cut: each piece read costs one, and its bytes."""
    burst = Limits.reads_at_once + Limits.max_message_bytes // _BYTES_A_READ
    return TokenBucket(Limits.reads_a_second, burst)


def is_packet(text: str) -> bool:
    """Whether engineio can read it: on nothing, a wrong type or deeply nested JSON it fails half-way."""
    return text[:1] in _PACKET_TYPES and text[1:2] not in ("[", "{")


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


class ClientPacket(socketio_packet.Packet):  # type: ignore[misc]
    """A packet of a client: text, of a type and namespace that we have, and no name of a handler in it.

    Binary packets would pile up their attachments unbounded, and nobody sends us any. An event's name is
    moved into its arguments: python-socketio would look for a handler of that name, and call `connect` so.
    engineio catches the error and drops the packet.
    """

    data: Any

    def decode(self, encoded_packet: Any) -> Any:
        if not isinstance(encoded_packet, str) or encoded_packet[:1] in ("5", "6"):
            raise ValueError("binary packets are not accepted")
        attachments = super().decode(encoded_packet)
        if self.packet_type == socketio_packet.EVENT:
            named = isinstance(self.data, list) and self.data
            self.data = [CLIENT_EVENT, *(self.data if named else [None])]
        return attachments


class Flood(ProtocolError):  # type: ignore[misc]
    """More frames or bytes than any client of ours has a reason to send."""


class GatewayWebSocket:
    """engineio's view of a websocket: bounded reads, writes that never interleave, shared frames."""

    def __init__(self, handler: Callable[[Any], Any], _server: object) -> None:
        self._handler = handler
        self._lock = RLock()
        self._ws: Any = None
        self._raw: Any = None
        self._read_bytes = 0
        self._budget = packet_budget()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self._ws = environ.get("wsgi.websocket")
        if self._ws is None:
            start_response("400 Bad Request", [("Content-Type", "text/plain")])
            return [b"a websocket handshake is needed\n"]
        self._raw = self._ws.handler.socket
        # NB: gevent-websocket reads whatever length a peer announces, and its pong from the reading
        # greenlet could land inside a frame that the writing greenlet has half sent.
        self._read = self._ws.raw_read
        self._ws.raw_read = self._ws.stream.read = self._bounded_read
        self._ws.raw_write = self._write
        self._engine = self._handler.__self__  # type: ignore[attr-defined]
        self._engine.session["websocket"] = self
        result: Iterable[bytes] = self._handler(self)
        return result

    def wait(self) -> Any:
        """The next packet of text; None at the end of the connection, which a malformed packet is too.

        engineio would let its error end the greenlet, and leave the session behind.
        """
        while True:
            self._read_bytes = 0
            message = self._ws.receive()
            if isinstance(message, str) and is_packet(message):
                return message
            if not isinstance(message, bytearray):
                return None

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
        gevent.sleep(0)  # NB: a flood never waits for its socket; the others get their turn here
        if not self._budget.take(1 + size / _BYTES_A_READ):
            metrics.EVICTIONS.labels("flood").inc()
            self.cut()
            raise Flood("too many frames")
        if self._engine.queue.qsize() > MOST_QUEUED:
            self.cut()
            raise Flood("answers are not taken")
        self._read_bytes += size
        if self._read_bytes > Limits.max_message_bytes + _SLACK:
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
