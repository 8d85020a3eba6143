"""Malformed requests, among them ones that hide a second request, and oversized ones."""

from __future__ import annotations

import contextlib

from tests.hostile.endure import SECRET
from tests.hostile.target import Target, attack
from tests.hostile.wire import answers, sockets

_POST = b"POST /x HTTP/1.1\r\nHost: localhost\r\n"
_SMUGGLED = b"\r\n\r\nabcdeGET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
MALFORMED = {
    "two lengths": _POST + b"Content-Length: 5\r\nContent-Length: 50" + _SMUGGLED,
    "two equal lengths": _POST + b"Content-Length: 5\r\nContent-Length: 5" + _SMUGGLED,
    "a list of lengths": _POST + b"Content-Length: 5, 5" + _SMUGGLED,
    "a signed length": _POST + b"Content-Length: +5" + _SMUGGLED,
    "a negative length": _POST + b"Content-Length: -5" + _SMUGGLED,
    "a length with an underscore": _POST + b"Content-Length: 0_5" + _SMUGGLED,
    "an empty length": _POST + b"Content-Length: " + _SMUGGLED,
    "a length and chunks": _POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked" + _SMUGGLED,
    "two encodings": _POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked" + _SMUGGLED,
    "a folded field": _POST + b"X: a\r\n b: c" + _SMUGGLED,
    "a space before the colon": _POST + b"Content-Length : 5" + _SMUGGLED,
    "a field without a colon": _POST + b"Content-Length" + _SMUGGLED,
    "a null byte": _POST + b"X: a\0b" + _SMUGGLED,
    "lines without CR": b"GET / HTTP/1.1\nHost: localhost\n\n",
    "letters as chunk size": _POST + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nab\r\n0\r\n\r\n",
    "a prefix in a chunk size": _POST + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n",
    "no chunk size": _POST + b"Transfer-Encoding: chunked\r\n\r\n\r\nab\r\n0\r\n\r\n",
}


@attack("malformed requests")
def malformed_requests(target: Target) -> None:
    """The server answers each request at most once, and never with 500."""
    for name, request in MALFORMED.items():
        output = answers(target, request)
        assert output.count(b"HTTP/1.1 ") <= 1, name
        assert b" 500 " not in output[:20], name


@attack("malformed requests")
def tokens_in_requests_that_fail(target: Target) -> None:
    secret = SECRET.encode()
    for line in (b"GET /?token=%s HTTP/9.9", b"POST /?token=%s", b"GET /?token=%s x HTTP/1.1", b"?token=%s"):
        answers(target, line % secret + b"\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n" % secret)
    answers(target, _POST + b"Content-Length: %s\r\n\r\n" % secret)
    answers(target, _POST + b"Authorization: Bearer %s\r\nbad\r\n\r\n" % secret)


@attack("oversized requests")
def oversized_heads_and_bodies(target: Target) -> None:
    shapes = (
        b"GET /" + b"x" * 200_000,
        b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000,
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000,
        _POST + b"Content-Length: 99999999999999999999\r\n\r\n" + b"x" * 200_000,
    )
    for shape in shapes:
        with sockets(target, 4) as opened:
            for one in opened:
                with contextlib.suppress(OSError):
                    one.settimeout(1)
                    one.sendall(shape)
