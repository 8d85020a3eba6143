"""Attacks with requests that never end, and with clients that never read."""

from __future__ import annotations

from tests.hostile.target import Target, attack
from tests.hostile.wire import flood, hold, sockets

_HEAD = b"POST /x HTTP/1.1\r\nHost: localhost\r\n"
_SHAPES = {
    "silence": b"",
    "half a request line": b"GET /",
    "half a head": b"GET / HTTP/1.1\r\nX: ",
    "half a body": _HEAD + b"Content-Length: 1000\r\n\r\n{",
    "half a chunk": _HEAD + b"Transfer-Encoding: chunked\r\n\r\n400\r\nabc",
    "half a chunk size": _HEAD + b"Transfer-Encoding: chunked\r\n\r\n4",
    "half a trailer": _HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ",
}


@attack("half requests")
def requests_that_never_end(target: Target) -> None:
    """Open 32 connections of each kind at the same time."""
    with sockets(target, 32 * len(_SHAPES)) as opened:
        for index, one in enumerate(opened):
            one.sendall(list(_SHAPES.values())[index % len(_SHAPES)])
        hold()


@attack("half requests")
def a_body_of_chunks_without_end(target: Target) -> None:
    with sockets(target, 4) as opened:
        for one in opened:
            one.sendall(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for one in opened:
            flood(one, b"1\r\nx\r\n", 0.3)


@attack("half requests")
def a_head_of_fields_without_end(target: Target) -> None:
    with sockets(target, 4) as opened:
        for one in opened:
            one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        for one in opened:
            flood(one, b"X: y\r\n", 0.3)


@attack("slow readers")
def clients_that_never_read(target: Target) -> None:
    """Pipeline requests without reading any answer."""
    with sockets(target, 4) as opened:
        for one in opened:
            flood(one, f"GET {target.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), 0.3)
