"""Decide which requests reach engine.io, by host, origin, number of sessions and rate."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

import gevent
import socketio

from socket_gateway import metrics
from socket_gateway.chassis.health import WSGIApp
from socket_gateway.config import Settings
from socket_gateway.places import client_address
from socket_gateway.transport import MAX_QUEUED, Transport, is_packet, packet_budget

_FLUSH_S = 0.1


class Admission:
    """Limits engine.io's sessions in total and per address, and the packets that a polling session posts.

    `knows` returns whether a session belongs to an accepted client. When an address is at its limit, a new
    session replaces the oldest session of that address that does not.
    """

    def __init__(self, settings: Settings, sio: socketio.Server, knows: Callable[[str], bool]) -> None:
        self._settings, self._sio, self._knows = settings, sio, knows

    def refusal(self, environ: dict[str, Any]) -> tuple[str, str] | None:
        """Return HTTP status and error code if a request must not reach engine.io, else None."""
        if not environ.get("PATH_INFO", "").startswith("/socket.io"):
            return None
        if not self._settings.allows_host(environ):
            return "403 Forbidden", "host_not_allowed"
        session = self._sio.eio.sockets.get(_sid(environ))
        if session is not None and session.upgrading and environ.get("HTTP_UPGRADE"):
            return "400 Bad Request", "bad_request"  # engine.io would let two connections share the session
        # engine.io opens a session for every request whose `sid` it does not know.
        if session is None and not self._has_place(environ):
            return "503 Service Unavailable", "server_full"
        return None

    def is_foreign(self, environ: dict[str, Any]) -> bool:
        """Return whether the request comes from a web page of an origin that is not allowed."""
        origin = environ.get("HTTP_ORIGIN")
        return origin is not None and not self._settings.allows_origin(origin, environ)

    def middleware(self, app: WSGIApp) -> WSGIApp:
        """Return a WSGI application that answers refused requests and forwards all others to `app`."""

        def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            refusal = self.refusal(environ) or self._post_refusal(environ) or self._poll_refusal(environ)
            if refusal is not None:
                metrics.REFUSED.labels(refusal[1]).inc()
                return _problem(start_response, *refusal)
            polled = self._polled(environ)
            polled["polling"] = True
            try:
                return app(environ, start_response)
            finally:
                polled["polling"] = False

        return wrapped

    def end(self, sid: str) -> None:
        """End a session that is not an accepted client, that exceeds its limits or that stays unfinished."""
        session = self._sio.eio.sockets.pop(sid, None)
        if session is not None:
            gevent.spawn(Transport(session).close, _FLUSH_S)

    def _has_place(self, environ: dict[str, Any]) -> bool:
        sessions = self._sio.eio.sockets
        if len(sessions) >= self._settings.max_connections:
            return False
        address = self._address(environ)
        own = [sid for sid in sessions if self._address(self._sio.environ.get(sid, {})) == address]
        if len(own) < self._settings.connections_per_address:
            return True
        unknown = next((sid for sid in own if not self._knows(sid)), None)
        if unknown is None:
            return False
        self.end(unknown)
        return True

    def _address(self, environ: dict[str, Any]) -> str:
        if "deltastream.address" not in environ:
            peer, forwarded = environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", "")
            environ["deltastream.address"] = client_address(peer, forwarded, self._settings.trusted_proxies)
        return str(environ["deltastream.address"])

    def _post_refusal(self, environ: dict[str, Any]) -> tuple[str, str] | None:
        """Apply the limits of a WebSocket to a polling session's POST. Returns status and code if refused."""
        if environ["REQUEST_METHOD"] != "POST":
            return None
        sid = _sid(environ)
        session = self._sio.eio.sockets.get(sid)
        if session is None:
            return None  # engine.io answers it
        body = environ["wsgi.input"].read()
        environ["wsgi.input"].seek(0)
        packets = body.removeprefix(b"d=").split(b"\x1e")
        if "bucket" not in session.session:
            session.session["bucket"] = packet_budget()
        if not session.session["bucket"].take(3 * len(packets) + len(body) / 256):
            metrics.EVICTIONS.labels("flood").inc()
            self.end(sid)
            return "429 Too Many Requests", "rate_limited"
        if session.queue.qsize() > MAX_QUEUED:
            self.end(sid)
            return "429 Too Many Requests", "slow_client"
        if not all(is_packet(packet.decode("utf-8", "replace")) for packet in packets):
            self.end(sid)
            return "400 Bad Request", "bad_request"
        return None

    def _poll_refusal(self, environ: dict[str, Any]) -> tuple[str, str] | None:
        """Refuse a second poll of a session, as the protocol does: each holds its connection for 45 s."""
        if not self._polled(environ).get("polling"):
            return None
        self.end(_sid(environ))
        return "400 Bad Request", "bad_request"

    def _polled(self, environ: dict[str, Any]) -> dict[str, Any]:
        """Return the data of the session that a request polls, or an empty dict."""
        session = self._sio.eio.sockets.get(_sid(environ))
        polls = environ["REQUEST_METHOD"] == "GET" and not environ.get("HTTP_UPGRADE")
        data: dict[str, Any] = session.session if session is not None and polls else {}
        return data


def _sid(environ: dict[str, Any]) -> str:
    """Return the session id of a request, parsed as engine.io does."""
    return str(parse_qs(environ.get("QUERY_STRING", "")).get("sid", [""])[0])


def not_found(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer 404: the request is neither Socket.IO nor a probe."""
    return _problem(start_response, "404 Not Found", "not_found")


def _problem(start_response: Callable[..., Any], status: str, code: str) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "application/problem+json")])
    number, title = status.split(" ", 1)
    return [json.dumps({"type": "about:blank", "title": title, "status": int(number), "code": code}).encode()]
