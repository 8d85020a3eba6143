"""The process: gevent's WSGI server, admission before any state is made, and a clean end."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import signal
import time
from collections.abc import Callable, Iterable
from typing import Any

import gevent
import socketio
import structlog
from gevent.event import Event
from gevent.pywsgi import WSGIServer
from geventwebsocket.handler import WebSocketHandler  # type: ignore[import-untyped]

from socket_gateway import metrics
from socket_gateway.config import Settings
from socket_gateway.gateway import Gateway
from socket_gateway.health import WSGIApp
from socket_gateway.listener import Listener

_SWEEP_S = 2.0
_log = structlog.get_logger("server")


class Server:
    """Serves until SIGTERM or SIGINT: then clients get their disconnect, and the process ends with 0.

    gevent's own server and no gunicorn: one process instead of two, and the same one greenlet a client.
    """

    def __init__(
        self, settings: Settings, sio: socketio.Server, gateway: Gateway, listener: Listener, app: WSGIApp
    ) -> None:
        self._settings, self._sio, self._gateway, self._listener = settings, sio, gateway, listener
        self._most = settings.max_connections
        self._stop = Event()
        self._http = WSGIServer(
            (settings.host, settings.port), app, handler_class=_Handler, log=None, error_log=_Errors()
        )

        # NB: gevent-websocket answers 101 before the application can say no; True makes it ask first.
        self._http.pre_start_hook = lambda handler: self._refuses(handler.environ)

    def _refuses(self, environ: dict[str, Any]) -> bool:
        """Whether a handshake comes from a foreign origin or finds no place: a plain HTTP answer then."""
        origin, allowed = environ.get("HTTP_ORIGIN"), self._sio.eio._cors_allowed_origins(environ)
        foreign = origin is not None and allowed is not None and origin not in allowed
        return foreign or is_full(environ, self._sio, self._most)

    def serve_until_signal(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, self._stop.set)
        listening = gevent.spawn(self._listener.run)
        listening.link(lambda _: self._stop.set())  # NB: a dead listener must not look like a quiet market
        sweeping = gevent.spawn(self._sweep)
        self._http.start()
        _settle_memory()
        _log.info("serving", host=self._settings.host, port=self._settings.port)
        self._stop.wait()
        failed = listening.ready()
        self._shut_down(listening, sweeping)
        if failed:
            raise SystemExit("the listener ended by itself")

    def _shut_down(self, *greenlets: gevent.Greenlet) -> None:
        _log.info("stopping")
        self._http.stop_accepting()
        self._listener.stop()
        self._gateway.close_all(self._settings.grace_seconds)
        self._http.stop(timeout=1)
        with gevent.Timeout(1, False):
            self._sio.shutdown()
        gevent.killall(greenlets, timeout=1)
        _log.info("stopped")

    def _sweep(self) -> None:
        """Close connections that never became a client: they hold memory and no token."""
        seen: dict[str, float] = {}
        while True:
            gevent.sleep(_SWEEP_S)
            now = time.monotonic()
            strangers = [sid for sid in list(self._sio.eio.sockets) if not self._gateway.knows(sid)]
            seen = {sid: seen.get(sid, now) for sid in strangers}
            for sid, since in seen.items():
                if now - since > self._settings.handshake_seconds:
                    gevent.spawn(self._sio.eio.disconnect, sid)


def _settle_memory() -> None:
    """Give back what the imports used for a moment (about 10 MiB), and keep them out of later collections."""
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def is_full(environ: dict[str, Any], sio: socketio.Server, most: int) -> bool:
    """Whether a request opens an engine.io connection past the `most` that there may be."""
    new = "sid=" not in environ.get("QUERY_STRING", "")
    return new and environ.get("PATH_INFO", "").startswith("/socket.io") and len(sio.eio.sockets) >= most


def admission(app: WSGIApp, sio: socketio.Server, most: int) -> WSGIApp:
    """Refuse new engine.io connections past `most`, before they cost a session."""

    def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if is_full(environ, sio, most):
            metrics.REFUSED.labels("server_full").inc()
            return _problem(start_response, "503 Service Unavailable", "server_full")
        return app(environ, start_response)

    return wrapped


def not_found(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Whatever is neither Socket.IO nor a probe."""
    return _problem(start_response, "404 Not Found", "not_found")


def _problem(start_response: Callable[..., Any], status: str, code: str) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "application/problem+json")])
    number, title = status.split(" ", 1)
    return [json.dumps({"type": "about:blank", "title": title, "status": int(number), "code": code}).encode()]


class _Handler(WebSocketHandler):  # type: ignore[misc]
    """Gives up on a peer that is silent for a minute; engine.io's pings come every 25 s."""

    def handle(self) -> None:
        self.socket.settimeout(60)
        super().handle()

    def log_request(self) -> None:
        """Nothing: an access line would show `?token=`; the gateway logs who connects and leaves."""


class _Errors:
    """pywsgi's error stream as log lines."""

    def write(self, text: str) -> None:
        if text.strip():
            _log.warning("http_error", detail=text.strip()[-500:])

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        """Nothing is held back."""
