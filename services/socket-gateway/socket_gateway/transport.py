"""Access to engineio and gevent-websocket internals; no other module depends on them.

constraints.txt pins both libraries. engineio queues packets per client without a limit, and its close waits
for ever for a peer that has stopped reading. `Transport` adds the length of the queue, a wait with a timeout
until the queue is sent, and a way to cut the connection.
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
from geventwebsocket.exceptions import ProtocolError, WebSocketError  # type: ignore[import-untyped]
from geventwebsocket.websocket import Header  # type: ignore[import-untyped]
from socketio import packet as socketio_packet

from socket_gateway import client_frames, metrics
from socket_gateway.limits import TokenBucket

CLIENT_EVENT = "client event"  # the handler of all events from clients

_SLACK = 1024  # bytes for frame headers and control frames in addition to a message
MAX_QUEUED = 256  # packets; acks bypass the outbox, so a client that reads nothing needs a limit
_BYTES_A_READ = 256  # a frame is read in two to four pieces; a longer piece counts as several reads


_PACKET_TYPES = tuple("0123456")


class Limits:
    """Limits on what one connection may send. bootstrap.py sets them once at start."""

    max_message_bytes: ClassVar[int] = 65_536
    reads_a_second: ClassVar[float] = 100
    reads_at_once: ClassVar[int] = 2000


def packet_budget() -> TokenBucket:
    """Return the rate limit of one connection's input. Each read costs one token, and more for its bytes."""
    burst = Limits.reads_at_once + Limits.max_message_bytes // _BYTES_A_READ
    return TokenBucket(Limits.reads_a_second, burst)


def is_packet(text: str) -> bool:
    """Return whether engineio can parse `text`.

    engineio fails in an undefined state for an empty text, an unknown type or deeply nested JSON.
    """
    return text[:1] in _PACKET_TYPES and text[1:2] not in ("[", "{")


class _Text(str):
    """A packet's text with its cached websocket frame. It is unmasked, so all clients share the bytes."""

    _frame: bytes | None = None

    @property
    def frame(self) -> bytes:
        if self._frame is None:
            body = self.encode()
            self._frame = Header.encode_header(True, 1, b"", len(body), 0) + body
        return self._frame


def event_packet(name: str, payload: object) -> Any:
    """Return an engineio packet with a Socket.IO event of the namespace `/`, encoded once for all clients."""
    text = "2" + orjson.dumps([name, payload]).decode()
    packet = engine.Packet(engine.MESSAGE, text)
    packet.encode_cache = _Text("4" + text)
    return packet


class ClientPacket(socketio_packet.Packet):  # type: ignore[misc]
    """A packet from a client. Binary packets are refused, and all events go to one handler.

    Binary packets would accumulate attachments without limit, and the protocol does not use them. The name of
    an event is moved into its arguments: python-socketio would otherwise call the handler of that name, also
    `connect`. engineio catches the ValueError and drops the packet.
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
    """The client has exceeded the limit of frames or bytes."""


class GatewayWebSocket:
    """The websocket for engineio, with limited reads, writes that never interleave, and shared frames."""

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
        # NB: gevent-websocket reads any length that a peer announces. And its reading greenlet could write a
        # pong in the middle of a frame that the writing greenlet is sending.
        self._read = self._ws.raw_read
        self._ws.raw_read = self._ws.stream.read = self._bounded_read
        self._ws.raw_write = self._write
        client_frames.install(self._ws)
        self._engine = self._handler.__self__  # type: ignore[attr-defined]
        self._engine.session["websocket"] = self
        try:
            result: Iterable[bytes] = self._handler(self)
        except WebSocketError:  # the client has gone away during an upgrade
            self._engine.upgrading = False
            return []
        return result

    def wait(self) -> Any:
        """Return the next text packet, or None at the end of the connection or for a malformed packet.

        In engineio a malformed packet would end the greenlet with an error and leak the session.
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
        """End the connection immediately. Wakes a blocked reader and a blocked writer."""
        with contextlib.suppress(OSError):  # already closed
            self._raw.shutdown(stdlib_socket.SHUT_RDWR)

    def _write(self, data: bytes) -> None:
        with self._lock:
            self._raw.sendall(data)

    def _bounded_read(self, size: int) -> bytes:
        gevent.sleep(0)  # NB: yield to other greenlets: a flood never waits for its socket
        if not self._budget.take(1 + size / _BYTES_A_READ):
            metrics.EVICTIONS.labels("flood").inc()
            self.cut()
            raise Flood("too many frames")
        if self._engine.queue.qsize() > MAX_QUEUED:
            self.cut()
            raise Flood("the client does not read its responses")
        self._read_bytes += size
        if self._read_bytes > Limits.max_message_bytes + _SLACK:
            raise ProtocolError("message is too large")
        data: bytes = self._read(size)
        return data


class Transport:
    """The sending side of one client's connection."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    @property
    def closed(self) -> bool:
        return bool(self._socket.closed or self._socket.closing)

    def backlog(self) -> int:
        """Return the number of packets in engineio's queue."""
        size: int = self._socket.queue.qsize()
        return size

    def send(self, packet: Any) -> None:
        """Queue one packet. It is dropped if the connection is closing."""
        if not self.closed:
            self._socket.queue.put(packet)

    def drain(self, within_s: float) -> bool:
        """Wait until the queue has been sent. Returns False if this takes longer than `within_s` seconds."""
        return bool(self._socket.queue.join(timeout=within_s))

    def close(self, flush_s: float) -> None:
        """Send the queue for at most `flush_s` seconds, close, then cut the connection."""
        self.drain(flush_s)
        with gevent.Timeout(flush_s, False):
            self._socket.close(wait=False)
            self.drain(flush_s)
        websocket = self._socket.session.get("websocket")
        if websocket is not None:
            websocket.cut()
