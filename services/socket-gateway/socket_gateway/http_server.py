"""gevent's WSGI server with strict head parsing, deadlines per request and limits on connections."""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import Iterable
from io import BytesIO
from typing import Any

import gevent
import structlog
from gevent.pywsgi import Input, WSGIServer, headers_factory
from geventwebsocket.handler import WebSocketHandler  # type: ignore[import-untyped]

from socket_gateway.chassis.health import WSGIApp
from socket_gateway.config import Settings
from socket_gateway.http_head import MAX_HEAD_BYTES, BadHead, check
from socket_gateway.limits import TokenBucket
from socket_gateway.places import Places, client_address

_IDLE_S = 60  # longest pause between two requests or two frames; pings come every 25 s
_REQUESTS_A_SECOND, _REQUESTS_AT_ONCE = 50, 200  # per connection; further requests wait
_OTHER_FILES = 64  # file descriptors for Redis, the log and the event loop
_MAX_LINES = 100
_SLACK_BYTES = 8192
_log = structlog.get_logger("server")


class HttpServer(WSGIServer):  # type: ignore[misc]
    """The HTTP server. `places` limits its connections; a new connection may replace an idle one."""

    max_accept = 16  # NB: gevent's default of 100 blocks other greenlets during a flood of connections

    def __init__(self, settings: Settings, app: WSGIApp) -> None:
        self.settings = settings
        # Behind a proxy all connections have its address. admission.py still limits sessions per address.
        most = _raise_file_limit(2 * settings.max_connections)
        per_address = most if settings.trusted_proxies else 2 * settings.connections_per_address
        self.places = Places(most, per_address)
        super().__init__(
            (settings.host, settings.port),
            app,
            handler_class=_Handler,
            log=None,
            error_log=_Errors(),
            environ={"SERVER_NAME": settings.host},  # otherwise gevent queries DNS
        )

    def init_socket(self) -> None:
        # An IPv6 wildcard address also accepts IPv4, independent of the system's default.
        if not hasattr(self, "socket"):
            host, port = self.address[:2]
            self.socket = socket.create_server(
                (host, port),
                family=socket.AF_INET6 if ":" in host else socket.AF_INET,
                backlog=1024,
                dualstack_ipv6=host == "::",
            )
            # Accepted connections inherit it. Without it an event can wait 40 ms for the client's delayed
            # ACK.
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.setblocking(False)
        super().init_socket()

    def handle(self, sock: Any, address: Any) -> None:
        if self.places.take(sock, client_address(address[0], "", 0), lambda: _cut(sock)):
            try:
                super().handle(sock, address)
            finally:
                self.places.leave(sock)


class _Late(Exception):
    """A head or a body did not arrive in time."""


class _Handler(WebSocketHandler):  # type: ignore[misc]
    """Handles the requests of one connection."""

    wsgi_input: Input

    def handle(self) -> None:
        self._place = self.socket
        self._bucket = TokenBucket(_REQUESTS_A_SECOND, _REQUESTS_AT_ONCE)
        self._wait_s = self.server.settings.handshake_seconds  # for the first byte of the first request
        super().handle()

    def handle_one_request(self) -> Any:
        gevent.sleep(0)  # NB: yield to other greenlets: pipelined requests never wait for their socket
        while not self._bucket.take():
            gevent.sleep(1 / _REQUESTS_A_SECOND)
        within_s = self.server.settings.handshake_seconds
        try:
            with gevent.Timeout(self._wait_s, _Late("no request arrived in time")):
                if not self.rfile.peek(1):
                    return None
            with gevent.Timeout(within_s, _Late("the head did not arrive in time")):
                head = self._read_head()
            check(head)
            self._line, self._fields = head.split(b"\r\n", 1)
            return super().handle_one_request()
        except (BadHead, _Late) as error:
            status = error.status if isinstance(error, BadHead) else "408 Request Timeout"
            _log.debug("bad_request", reason=str(error))
            self.time_finish = self.time_start
            return status, f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()
        except OSError:  # the client has closed the connection
            return None
        finally:
            self._wait_s = _IDLE_S
            self.server.places.idle(self._place, lambda: _cut(self._place))

    def _read_head(self) -> bytes:
        head = bytearray()
        lines = 0
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline(MAX_HEAD_BYTES + 1)
            head += line
            lines += 1
            if len(head) > MAX_HEAD_BYTES or lines > _MAX_LINES:
                raise BadHead("the head is too large", "431 Request Header Fields Too Large")
            if not line.endswith(b"\r\n"):
                raise BadHead("a line does not end in CRLF")
        return bytes(head)

    def read_requestline(self) -> str:
        return self._line.decode("latin-1")

    def MessageClass(self, _rfile: object, *args: Any) -> Any:  # noqa: N802  (pywsgi's name)
        return headers_factory(BytesIO(self._fields), *args)

    def get_environ(self) -> dict[str, Any]:
        """Return the WSGI environment with the whole body, so that applications never wait for a client."""
        environ: dict[str, Any] = super().get_environ()
        if environ["wsgi.input_terminated"]:
            self.socket.settimeout(self.server.settings.slow_client_seconds)
            body = self._read_body()
            environ["wsgi.input"] = BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
            environ.pop("HTTP_TRANSFER_ENCODING", None)
        elif self.content_length or "HTTP_TRANSFER_ENCODING" in environ:
            raise BadHead("an upgrade request must not have a body")
        else:
            self.socket.settimeout(_IDLE_S)
        self.server.places.keep(self._place)
        return environ

    def _read_body(self) -> bytes:
        most = self.server.settings.max_payload_bytes
        if (self.content_length or 0) > most:
            raise BadHead("the body is too large", "413 Content Too Large")
        self.wsgi_input.rfile = _Bounded(self.rfile, 2 * most)  # twice, because chunk headers count too
        try:
            with gevent.Timeout(
                self.server.settings.handshake_seconds, _Late("the body did not arrive in time")
            ):
                body: bytes = self.wsgi_input.read()
        except (OSError, ValueError):
            raise BadHead("the body is malformed") from None
        if len(body) > most:
            raise BadHead("the body is too large", "413 Content Too Large")
        self.wsgi_input = Input(BytesIO(), 0)  # pywsgi must not discard the rest
        return body

    def _handle_client_error(self, _error: Exception) -> Any:
        _log.debug(
            "bad_request", reason="the request is malformed"
        )  # NB: pywsgi would log the request, with its `?token=`
        return "400", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

    def _log_error(self, kind: Any, error: Any, trace: Any) -> None:
        """Log an internal error: pywsgi would print it and the environment outside the log."""
        if not issubclass(kind, gevent.GreenletExit):
            _log.error("request_failed", exc_info=(kind, error, trace))

    def log_request(self) -> None:
        """Log nothing: an access log would contain `?token=`. The gateway logs connects and disconnects."""


class _Bounded:
    """A body on the wire. Raises BadHead beyond its size limit, and yields to other greenlets."""

    def __init__(self, rfile: Any, most: int) -> None:
        self._rfile, self._left, self._reads = rfile, most + _SLACK_BYTES, 0

    def read(self, size: int) -> bytes:
        self._reads += 1
        if self._reads % 64 == 0:
            gevent.sleep(0)
        data: bytes = self._rfile.read(min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise BadHead("the body is too large", "413 Content Too Large")
        return data


class _Errors:
    """Turns pywsgi's error stream into log lines."""

    def write(self, text: str) -> None:
        if text.strip():
            _log.warning("http_error", detail=text.strip()[-500:])

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        """Do nothing: writes are not buffered."""


def _cut(sock: Any) -> None:
    """Shut a connection down, which wakes its reader and writer; its greenlet then closes it."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _raise_file_limit(wanted: int) -> int:
    """Raise the limit of open files for `wanted` connections. Returns how many the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted + _OTHER_FILES <= hard or soft < hard < wanted + _OTHER_FILES:
        soft = min(hard, wanted + _OTHER_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(wanted, soft - _OTHER_FILES)
