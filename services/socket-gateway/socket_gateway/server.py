"""The process: run the HTTP server and the listener until a signal, then shut down cleanly."""

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
    """Serves until SIGTERM or SIGINT, then disconnects all clients and exits with status 0.

    It uses gevent's own server instead of gunicorn: one process instead of two, also with one greenlet per
    client.
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
        # NB: gevent-websocket answers 101 before it calls the application. If the hook returns True, it calls
        # the application as for plain HTTP, which can then refuse.
        self._http.pre_start_hook = lambda handler: self._refused_early(handler.environ)

    def _refused_early(self, environ: dict[str, Any]) -> bool:
        """Return whether a handshake must get a plain HTTP error: foreign origin, or the limit is reached."""
        return self._admission.is_foreign(environ) or self._admission.refusal(environ) is not None

    def serve_until_signal(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, self._stop.set)
        listening = gevent.spawn(self._listen)
        listening.link(
            lambda _: self._stop.set()
        )  # NB: without its listener the process must end, not look idle
        sweeping = gevent.spawn(self._sweep)
        self._http.start()
        _free_import_memory()
        _log.info("serving", host=self._settings.host, port=self._settings.port)
        self._stop.wait()
        failed = listening.ready()
        self._shut_down(listening, sweeping)
        if failed:
            raise SystemExit("the listener stopped unexpectedly")

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
        """Close connections that do not become clients, or do not finish their upgrade, in time."""
        seen: dict[str, float] = {}
        while True:
            gevent.sleep(_SWEEP_S)
            now = time.monotonic()
            sessions = list(self._sio.eio.sockets.items())
            unfinished = [sid for sid, one in sessions if one.upgrading or not self._gateway.knows(sid)]
            seen = {sid: seen.get(sid, now) for sid in unfinished}
            for sid, since in seen.items():
                if now - since > self._settings.handshake_seconds:
                    self._admission.end(sid)


def _free_import_memory() -> None:
    """Free the temporary memory of the imports (about 10 MiB), and exclude them from later collections."""
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)
