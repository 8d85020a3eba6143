"""Answer repeated reads before Flask.

What Flask checks and adds depends only on path, query, Host and the absence of an Origin, except for the
token and the rate limit. So once Flask has answered a read, its repetitions need only those two checks and an
answer that is still shared (recent.py).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from api_gateway import metrics
from api_gateway.identity import Identity, caller_of
from api_gateway.limits import ReadLimit
from api_gateway.recent import Read, Recent

READ = "deltastream.read"  # environ: (key of the shared answer, route template), set by proxy.py
MAX_KNOWN = 4096
_PREFIXES = ("/api/data/", "/api/analytics/")
_OF_A_BODY = frozenset({"content-type", "content-length", "content-encoding", "etag"})
_TITLES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
Headers = list[tuple[str, str]]
WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Request = tuple[str, str, str]  # path, query, host


@dataclass(frozen=True)
class _Known:
    """A read that Flask has answered: the key and ETag of its answer, and Flask's headers."""

    key: str
    route: str
    etag: str
    headers: Headers

    def plain_headers(self) -> Headers:
        """Return the headers that do not describe a body."""
        return [(name, value) for name, value in self.headers if name.lower() not in _OF_A_BODY]


class Repeats:
    """WSGI middleware in front of Flask. What it cannot answer goes to Flask, which then also counts it."""

    def __init__(self, app: WSGIApp, identity: Identity, recent: Recent, limit: ReadLimit) -> None:
        self._app, self._identity, self._recent, self._limit = app, identity, recent, limit
        self._lock = threading.Lock()
        self._known: dict[Request, _Known] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = _plain_read(environ)
        if request is None:
            return self._app(environ, start_response)
        known = self._known.get(request)
        if known is not None:
            answered = self._repeat(environ, known)
            if answered is not None:
                status, headers, body = answered
                metrics.REQUESTS.labels(known.route, "GET", status).inc()
                length = [("Content-Length", str(len(body)))] if status != 304 else []
                start_response(_TITLES[status], headers + length)
                return [body]

        def start(status: str, headers: Headers, *rest: Any) -> Any:
            if status.startswith("200") and READ in environ:
                self._learn(request, headers, *environ[READ])
            return start_response(status, headers, *rest)

        return self._app(environ, start)

    def _repeat(self, environ: dict[str, Any], known: _Known) -> tuple[int, Headers, bytes] | None:
        """Return the response to a known read, or None if Flask must answer it."""
        verified = self._identity.verify(environ.get("HTTP_AUTHORIZATION"))
        if isinstance(verified, Exception):
            return None
        caller = caller_of(verified, environ.get("REMOTE_ADDR"))
        wait_s = self._limit.wait_s(caller)
        if wait_s is not None:
            return self._refused(environ, known, wait_s)
        read = self._recent.kept(known.key)
        if read is None or read.etag != known.etag or not self._limit.hit(caller):
            return None
        return _answer(environ, known, read)

    def _refused(self, environ: dict[str, Any], known: _Known, wait_s: int) -> tuple[int, Headers, bytes]:
        body = {
            "type": "about:blank",
            "title": HTTPStatus.TOO_MANY_REQUESTS.phrase,
            "status": 429,
            "detail": self._limit.detail,
            "code": "rate_limited",
            "request_id": environ.get("deltastream.request_id", ""),
        }
        kind = ("Content-Type", "application/problem+json")
        return 429, [*known.plain_headers(), kind, ("Retry-After", str(wait_s))], json.dumps(body).encode()

    def _learn(self, request: Request, headers: Headers, key: str, route: str) -> None:
        etag = next(value for name, value in headers if name == "ETag")
        kept = [(name, value) for name, value in headers if name != "Content-Length"]
        with self._lock:
            self._known.pop(request, None)
            self._known[request] = _Known(key, route, etag, kept)
            if len(self._known) > MAX_KNOWN:
                del self._known[next(iter(self._known))]


def _plain_read(environ: dict[str, Any]) -> Request | None:
    """Return what identifies a GET without a body and without an Origin, else None."""
    path = environ.get("PATH_INFO", "")
    if (
        environ["REQUEST_METHOD"] != "GET"
        or not path.startswith(_PREFIXES)
        or "HTTP_ORIGIN" in environ
        or environ.get("CONTENT_LENGTH")
        or "HTTP_TRANSFER_ENCODING" in environ
    ):
        return None
    return path, environ.get("QUERY_STRING", ""), environ.get("HTTP_HOST", "")


def _answer(environ: dict[str, Any], known: _Known, read: Read) -> tuple[int, Headers, bytes]:
    if read.is_known_to(environ.get("HTTP_IF_NONE_MATCH")):
        return 304, [*known.plain_headers(), ("ETag", read.etag)], b""
    return 200, known.headers, read.answer.body
