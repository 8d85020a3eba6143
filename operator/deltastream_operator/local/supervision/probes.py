"""Probe processes on loopback without blocking, because the local run has one thread."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from deltastream_operator.domain.liveness import Liveness, Rule
from deltastream_operator.local.supervision.net import HOST

# As in the chart: templates/_pod.tpl, and the StatefulSets of redis and mongodb.
SERVICE = Rule(period_s=10, timeout_s=5, failures=3, start_s=90)
REDIS = Rule(period_s=10, timeout_s=4, failures=4, start_s=60)
MONGOD = Rule(period_s=15, timeout_s=4, failures=4, start_s=120)
_MAX_REPLY = 64 << 10


@dataclass(frozen=True, kw_only=True)
class Request:
    """A probe's request to a loopback port. `alive` returns whether a reply counts as a sign of life.

    `closes` means that the server closes the connection after its reply.
    """

    what: str
    port: int
    request: bytes
    alive: Callable[[bytes], bool]
    rule: Rule
    closes: bool = False


def livez(port: int) -> Request:
    """Return the request to a service: `GET /livez`, as the kubelet sends it."""
    request = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    status = re.compile(rb"HTTP/1\.[01] [23]\d\d ")
    return Request(
        what="GET /livez",
        port=port,
        request=request,
        alive=lambda reply: status.match(reply) is not None,
        rule=SERVICE,
        closes=True,
    )


def redis_ping(port: int) -> Request:
    """Return the request to Redis. As in the chart's probe, -NOAUTH and -LOADING count as alive."""
    return Request(
        what="PING", port=port, request=b"PING\r\n", alive=lambda reply: reply[:1] in (b"+", b"-"), rule=REDIS
    )


def mongod_hello(port: int) -> Request:
    """Return the request to mongod: `hello` as OP_MSG, without login.

    A connection alone proves nothing, because the kernel accepts it for a stopped process too.
    """
    body = b"\x10hello\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0"
    document = struct.pack("<i", len(body) + 4) + body
    message = struct.pack("<iB", 0, 0) + document
    request = struct.pack("<iiii", 16 + len(message), 1, 0, 2013) + message
    return Request(
        what="hello",
        port=port,
        request=request,
        alive=lambda reply: reply[8:16] == struct.pack("<ii", 1, 2013),
        rule=MONGOD,
    )


class PendingRequest:
    """A request that was sent, with the reply received so far."""

    def __init__(self, request: Request) -> None:
        self._request, self._sent, self._reply = request, False, b""
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._socket.connect_ex((HOST, request.port))

    def answer(self) -> bool | None:
        """Return whether the reply shows life, or None until it has arrived."""
        try:
            if not self._sent:
                self._socket.send(self._request.request)  # so few bytes are sent completely or not at all
                self._sent = True
            while len(self._reply) < _MAX_REPLY and (some := self._socket.recv(4096)):
                self._reply += some
        except BlockingIOError:
            return None if self._request.closes or not self.shows_life() else True
        except OSError:
            return False
        return self.shows_life()

    def shows_life(self) -> bool:
        """Return whether the reply received so far shows life."""
        return self._request.alive(self._reply)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


class Probe:
    """Probes one run of a process, which started at `now`, by the rule of its request."""

    def __init__(self, request: Request, now: float) -> None:
        self.life = Liveness(request.rule, now)
        self._request = request
        self._pending: PendingRequest | None = None

    def poll(self, now: float) -> None:
        """Send a request if one is due, or read the reply to the open one."""
        if self._pending is None:
            if self.life.due(now):
                self._pending = PendingRequest(self._request)
                self.life.request_sent(now)
            return
        well = self._pending.answer()
        if well is None and self.life.overdue(now):
            well = self._pending.shows_life()
        if well is not None:
            self.close()
            self.life.answered(now, well=well)

    def close(self) -> None:
        """Drop the open request, if any."""
        if self._pending:
            self._pending.close()
            self._pending = None
