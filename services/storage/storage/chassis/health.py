"""Liveness, readiness and metrics endpoints: WSGI middleware for HTTP services, a small server for others.

`python -m {package}.chassis.health [PORT ...]` probes local processes. The images' HEALTHCHECK runs it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from http.client import HTTPConnection, HTTPException
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

WSGIApp = Callable[..., Iterable[bytes]]
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_MAX_HEAD_BYTES = 16 << 10
_HEAD_S = 5.0  # time for the whole head of a request
_LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # where to reach a wildcard


class Health:
    """Answers `/livez`, `/readyz` (alias `/health`) and `/metrics`.

    `checks` maps a dependency's name to a function that returns if the dependency answers and raises if not.
    A check must have its own timeout. Results are cached for one second, so that probes stay cheap.
    With `stalled_after_s` (seconds), liveness fails if `beat()` has not been called for that long.
    """

    def __init__(
        self,
        service: str,
        checks: Mapping[str, Callable[[], object]],
        *,
        stalled_after_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service, self._checks = service, checks
        self._stalled_after_s, self._clock = stalled_after_s, clock
        self._last_beat = clock()
        self._lock = threading.Lock()
        self._seen: tuple[float, dict[str, str]] | None = None

    def beat(self) -> None:
        """Record that the service's main loop is alive."""
        self._last_beat = self._clock()

    def live(self) -> bool:
        """Return whether the main loop called `beat` recently. Always true without `stalled_after_s`."""
        return self._stalled_after_s is None or self._clock() - self._last_beat <= self._stalled_after_s

    def readiness(self) -> dict[str, str]:
        """Return the state of each dependency by name: "ok" or "unavailable"."""
        with self._lock:
            if self._seen is None or self._clock() - self._seen[0] > 1:
                self._seen = (self._clock(), {name: self._run(name) for name in self._checks})
            return self._seen[1]

    def _run(self, name: str) -> str:
        try:
            self._checks[name]()
        except Exception as error:  # each client library has its own errors; all mean "unavailable"
            structlog.get_logger("health").warning("not_ready", dependency=name, error=type(error).__name__)
            return "unavailable"
        return "ok"

    def middleware(self, app: WSGIApp) -> WSGIApp:
        """Return a WSGI application that answers the probes and passes other requests to `app`."""

        def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            path = environ.get("PATH_INFO", "")
            if path == "/metrics":
                start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST), *_headers(environ)])
                return [generate_latest()]
            if path not in ("/livez", "/readyz", "/health"):
                return app(environ, start_response)
            checks = {} if path == "/livez" else self.readiness()
            good = self.live() and all(state == "ok" for state in checks.values())
            body = {"status": "healthy" if good else "unhealthy", "service": self._service, "checks": checks}
            status = "200 OK" if good else "503 Service Unavailable"
            start_response(status, [("Content-Type", "application/json"), *_headers(environ)])
            return [json.dumps(body).encode()]

        return wrapped

    def serve(self, host: str, port: int) -> WSGIServer:
        """Serve only the probes, in a daemon thread. Call `shutdown()` on the returned server to stop it."""

        def not_found(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            headers = _headers(environ)
            problem = {"type": "about:blank", "title": "Not Found", "status": 404, "code": "not_found"}
            body = {
                **problem,
                "detail": "only probes are served here",
                "request_id": dict(headers)["X-Request-ID"],
            }
            start_response("404 Not Found", [("Content-Type", "application/problem+json"), *headers])
            return [json.dumps(body).encode()]

        server = make_server(host, port, self.middleware(not_found), _server_class(host), _Quiet)
        threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
        return server


def _headers(environ: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the headers of every response. A caller's request id is kept if it is well-formed."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    return [
        ("X-Request-ID", request_id),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
    ]


class _Server(ThreadingMixIn, WSGIServer):
    """Uses one thread per connection, at most 32. A further connection closes the oldest one.

    Idle peers therefore cannot block the probes.
    """

    daemon_threads = True
    most = 32
    request_queue_size = 2 * most  # with socketserver's default of 5, a probe waits seconds behind a burst

    def server_bind(self) -> None:
        self._open: dict[socket.socket, None] = {}  # ordered from oldest to newest
        if self.address_family == socket.AF_INET6:  # `::` also accepts IPv4
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open[request] = None
        while len(self._open) > self.most:
            oldest = next(iter(self._open))
            del self._open[oldest]
            with contextlib.suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)  # its thread reads the end of the stream and closes it
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a peer may disconnect at any time, and a traceback may repeat what it sent."""


def _server_class(host: str) -> type[_Server]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return type("HealthServer", (_Server,), {"address_family": family})


class _Quiet(WSGIRequestHandler):
    timeout = 5  # seconds for each write
    default_request_version = "HTTP/1.0"  # with 0.9 the answer to a malformed request has no headers

    def handle(self) -> None:
        """Read the head, then answer it. A head that is late or too large gets no answer.

        The standard library accepts 6 MiB of headers from each peer, for as long as single bytes arrive.
        """
        deadline, head = time.monotonic() + _HEAD_S, b""
        while not _HEAD_END.search(head):
            self.connection.settimeout(max(deadline - time.monotonic(), 0.001))
            piece = self.connection.recv(_MAX_HEAD_BYTES - len(head))
            if not piece:  # the peer has closed, or the head is too large
                return
            head += piece
        self.connection.settimeout(self.timeout)
        self.rfile = io.BufferedReader(io.BytesIO(head))
        super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: probes are frequent, and a malformed request may contain a token."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer a malformed request. The response repeats nothing of it."""
        self.close_connection = True
        self.send_response(code)
        for name, value in _headers({}):
            self.send_header(name, value)
        self.send_header("Content-Type", "application/problem+json")
        self.end_headers()
        body = {"type": "about:blank", "title": "Bad Request", "status": code, "code": "bad_input"}
        self.wfile.write(json.dumps({**body, "detail": "the request cannot be parsed"}).encode())


def main(ports: list[str]) -> int:
    """Probe /livez on each port (default: `PORT`). Returns 0 if all answer 200, else 1 after a message."""
    host = os.environ.get("HOST", "")
    for port in ports or [os.environ.get("PORT", "")]:
        try:
            connection = HTTPConnection(_LOOPBACK.get(host, host), int(port), timeout=3)
            connection.request("GET", "/livez")
            answer = connection.getresponse().status
        except (ValueError, OSError, HTTPException) as error:
            print(f"port {port!r}: {error!r}", file=sys.stderr)
            return 1
        if answer != 200:
            print(f"port {port!r}: /livez answers {answer}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
