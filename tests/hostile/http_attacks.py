"""Raw HTTP requests of an attacker, and a measure of how fast other clients are served."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

WITNESSED = 30


@dataclass(frozen=True)
class Answer:
    """The server's response to a raw request."""

    status: int
    headers: dict[str, str]
    body: bytes


def post(path: str, *headers: str, body: bytes = b"") -> bytes:
    """A POST with content type JSON. The caller gives the body and the header with its length."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chunked(path: str, body: bytes) -> bytes:
    return post(path, "Transfer-Encoding: chunked", body=body)


def half_requests(path: str) -> dict[str, bytes]:
    """Every kind of incomplete request, by name."""
    return {
        "silent": b"",
        "request line": f"POST {path}".encode(),
        "head": f"POST {path} HTTP/1.1\r\nX: ".encode(),
        "body": post(path, "Content-Length: 100", body=b'{"'),
        "chunk size": chunked(path, b"5"),
        "chunk": chunked(path, b"5\r\nab"),
        "trailer": chunked(path, b"2\r\n{}\r\n0\r\nX: "),
        "continue": post(path, "Content-Length: 100", "Expect: 100-continue"),
    }


def connect(
    port: int, *, receive_buffer: int | None = None, host: str = "127.0.0.1", source: str | None = None
) -> socket.socket:
    """Return a connection to the server, from the address `source` if it is given."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if source:
        made.bind((source, 0))
    if receive_buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    made.settimeout(20)
    made.connect((host, port))
    return made


@contextlib.contextmanager
def held(port: int, data: bytes, count: int, host: str = "127.0.0.1") -> Iterator[None]:
    """Keep `count` connections open that have sent `data`."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            one = stack.enter_context(connect(port, host=host))
            with contextlib.suppress(OSError):  # the server may close it to make room
                one.sendall(data)
        yield


def answer(port: int, data: bytes, *, half_close: bool = False, source: str | None = None) -> Answer:
    """Send raw bytes and return the response. Fails if none arrives within 20 s."""
    with connect(port, source=source) as one:
        with contextlib.suppress(OSError):  # the server may refuse before all is sent
            one.sendall(data)
            if half_close:
                one.shutdown(socket.SHUT_WR)
        got = http.client.HTTPResponse(one)
        got.begin()
        return Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())


def witness(port: int, path: str, *, host: str = "127.0.0.1") -> float:
    """Send 30 requests one after the other, each on a new connection. Returns the seconds that they take.

    Fails if one of them is answered with a server error.
    """
    started = time.monotonic()
    for _ in range(WITNESSED):
        with contextlib.closing(http.client.HTTPConnection(host, port, timeout=20)) as connection:
            connection.request("GET", path)
            got = connection.getresponse()
            got.read()
            assert got.status < 500, got.status
    return time.monotonic() - started


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def json_bodies() -> dict[str, bytes]:
    """Bodies that may break a JSON parser or its caller, by name."""
    return {
        "no JSON": b"{",
        "bad UTF-8": b'{"email": "\xff\xfe"}',
        "lone surrogate": b'{"email": "\\ud800", "password": "x", "service": "\\ud800"}',
        "NaN": b'{"email": NaN, "context": {"a": NaN}}',
        "Infinity": b'{"email": -Infinity}',
        "huge integer": b'{"email": ' + b"9" * 5000 + b"}",
        "huge exponent": b'{"email": 1e999999}',
        "deep": nested(7000),
        "deep object": b'{"a":' * 2500 + b"1" + b"}" * 2500,
        "wrong types": json.dumps({"email": [], "password": {}, "service": 1, "level": None}).encode(),
        "list": b"[[], 1, null]",
        "twice": b'{"email": "a@b.c", "email": 5, "level": "info", "level": []}',
        "NUL": b'{"email": "a\\u0000@b.c", "password": "\\u0000", "service": "\\u0000"}',
        "BOM": b"\xef\xbb\xbf{}",
        "UTF-16": "{}".encode("utf-16"),
        "empty": b"",
    }
