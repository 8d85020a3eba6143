"""One connection of the HTTP server, and the deadline of each of its phases.

The class extends waitress' channel, in which a connection occupies a thread only while the application
computes the response. It adds a deadline for each phase, an error response to a request that is late or
incomplete, and a close that does not lose that response.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from typing import Any

from waitress.channel import HTTPChannel
from waitress.task import WSGITask
from waitress.utilities import BadRequest

from .addresses import network
from .http_parser import Parser, Refusal, RequestTimeout

# Maximum time in each phase, in seconds. The application limits the phase "serving".
PHASES_S = {"head": 10.0, "body": 10.0, "sending": 60.0, "idle": 15.0, "closing": 2.0}


class _Task(WSGITask):  # type: ignore[misc]
    wrote_header: bool
    version: str
    has_body: bool
    _keeps_open = False

    def start(self) -> None:
        super().start()
        if self.channel.server.stopping:
            self.set_close_on_finish()

    def write(self, data: bytes) -> None:
        if self.request.command == "HEAD":  # the client would read a body as the next response
            super().write(b"")
            return
        if not self.wrote_header and self.complete and data and self.has_body:
            self.channel.head, self.wrote_header = self.build_response_header(), True
        super().write(data)

    def build_response_header(self) -> bytes:
        # waitress closes after a response without a length. 204 and 304 never have a body, so they need none.
        asked_to_close = self.request.headers.get("CONNECTION", "").lower() == "close"
        self._keeps_open = self.version == "1.1" and not self.has_body and not asked_to_close
        try:
            return bytes(super().build_response_header())
        finally:
            self._keeps_open = False

    def set_close_on_finish(self) -> None:
        if not self._keeps_open:
            super().set_close_on_finish()

    def finish(self) -> None:
        if self.request.command == "HEAD":
            self.chunked_response = False  # else waitress sends the last chunk of a body
        super().finish()
        if self.channel.head:
            self.channel.write_soon(b"")


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection. `since` is the monotonic time at which it entered its phase."""

    parser_class, task_class, error_task_class = Parser, _Task, Refusal
    request: Any
    close_when_flushed: bool
    head = b""  # response head, held back to go out in one packet with the first piece of the body

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: Any = None) -> None:
        self.requests_received = 0  # complete requests so far
        self.closing = False
        self.seen, self.since = ("head", 0), time.monotonic()
        self.network = network(addr[0])
        super().__init__(server, sock, addr, adj, map=map)

    def phase(self) -> str:
        """Return the connection's phase: a key of PHASES_S, or "serving"."""
        if self.closing:
            return "closing"
        if self.requests:
            return "serving"
        if self.total_outbufs_len:
            return "sending"
        if self.request is not None:
            return "body" if self.request.headers_finished else "head"
        return "idle" if self.requests_received else "head"

    def buffered_bytes(self) -> int:
        """Return the memory in bytes that the unfinished request and the unsent response take."""
        return int(self.total_outbufs_len) + (self.request.buffered_bytes if self.request else 0)

    def check_deadline(self, now: float) -> None:
        """Close the connection if it exceeds its phase's deadline. A request that has begun gets a 408 first.

        `now` is monotonic time in seconds.
        """
        seen = (self.phase(), self.requests_received)
        if seen != self.seen:
            self.seen, self.since = seen, now
        if now - self.since <= PHASES_S.get(seen[0], float("inf")):
            return
        if seen[0] in ("head", "body") and self.request is not None:
            self.refuse(RequestTimeout(f"the {seen[0]} of the request did not arrive in time"))
        else:
            self.handle_close()

    def refuse(self, error: Any) -> None:
        """Answer the incomplete request with `error`, then close the connection."""
        with self.requests_lock:
            request, self.request = self.request, None
            request.error, request.completed = error, True
            self.requests.append(request)
            self.server.add_task(self)

    def readable(self) -> bool:
        return self.closing or super().readable()

    def handle_read(self) -> None:
        try:
            data = self.socket.recv(self.adj.recv_bytes)
        except BlockingIOError:
            return
        except OSError:
            self.handle_close()
            return
        if data and not self.closing:
            self.received(data)
        elif not data and self.request is not None and not self.closing:
            self.refuse(BadRequest("the request ends early"))
        elif not data:
            self.handle_close()

    def received(self, data: bytes) -> None:
        super().received(data)
        if self.request is not None and self.request.headers_finished:
            self.server.shed()

    def write_soon(self, data: Any) -> int:
        if self.head:
            data, self.head = self.head + data, b""
        return int(super().write_soon(data))

    def service(self) -> None:
        super().service()
        if self.total_outbufs_len:
            self.server.shed_soon()

    def handle_write(self) -> None:
        # Closing a socket with unread input resets the connection, and the peer may lose the response.
        # So close only the sending side first, and discard input for the time of the phase "closing".
        if self.close_when_flushed and not self.requests and not self.will_close:
            self._flush_exception(self._flush_some)
            if not self.connected:
                return
            if not self.total_outbufs_len and not self.will_close:
                self.close_when_flushed = False
                self.closing = True
                with contextlib.suppress(OSError):
                    self.socket.shutdown(socket.SHUT_WR)
            return
        super().handle_write()

    def handle_error(self) -> None:
        """Close this connection only. Log no error text, because it may repeat the request."""
        logging.getLogger("http").warning("connection failed")
        self.handle_close()
