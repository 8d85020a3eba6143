"""The process: gevent's WSGI server, admission before any state is made, and a clean end."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import signal
import time
from collections.abc import Callable
from typing import Any

import gevent
import socketio
import structlog
from gevent.event import Event

from socket_gateway.admission import Admission
from socket_gateway.chassis.health import WSGIApp
from socket_gateway.config import Settings
from socket_gateway.gateway import Gateway
from socket_gateway.http_server import HttpServer
from socket_gateway.listener import Listener

_SWEEP_S = 2.0
_log = structlog.get_logger("server")


class Server:
    """Serves until SIGTERM or SIGINT: then clients get their disconnect, and the process ends with 0.

    gevent's own server and no gunicorn: one process instead of two, and the same one greenlet a client.
    """

    def __init__(
        self,
        settings: Settings,
        sio: socketio.Server,
        gateway: Gateway,
        listener: Listener,
        listen: Callable[[], None],
        admission: Admission,
        app: WSGIApp,
    ) -> None:
        self._settings, self._sio, self._gateway = settings, sio, gateway
        self._listener, self._listen = listener, listen
        self._admission = admission
        self._stop = Event()
        self._http = HttpServer(settings, app)
        # NB: gevent-websocket answers 101 before the application can say no; True makes it ask first.
        self._http.pre_start_hook = lambda handler: self._refuses(handler.environ)

    def _refuses(self, environ: dict[str, Any]) -> bool:
        """Whether a handshake comes from a foreign origin or finds no place: a plain HTTP answer then."""
        return self._admission.is_foreign(environ) or self._admission.refusal(environ) is not None

    def serve_until_signal(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, self._stop.set)
        listening = gevent.spawn(self._listen)
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
                    self._admission.end(sid)


def _settle_memory() -> None:
    """Give back what the imports used for a moment (about 10 MiB), and keep them out of later collections."""
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)
