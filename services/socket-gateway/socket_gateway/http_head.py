"""Strict validation of the head of an HTTP/1.1 request (RFC 9112).

pywsgi and Python's e-mail parser accept heads that a proxy in front may parse differently: two lengths,
folded fields, lines without CR. Such differences enable request smuggling.
"""

from __future__ import annotations

import re

MAX_HEAD_BYTES = 16_384
_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32} [\x21-\x7e\x80-\xff]+ HTTP/1\.[01]")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_LENGTH = re.compile(rb"[0-9]{1,12}")
_ONCE = (b"host", b"content-length", b"transfer-encoding")


class BadHead(Exception):
    """An invalid head, answered with `status`. The reason never quotes the request (it may have a token)."""

    def __init__(self, reason: str, status: str = "400 Bad Request") -> None:
        super().__init__(reason)
        self.reason, self.status = reason, status


def check(head: bytes) -> None:
    """Raise BadHead unless `head`, which ends with its empty line, is unambiguous."""
    lines = head.split(b"\r\n")
    if lines[-2:] != [b"", b""] or b"\n" in head.replace(b"\r\n", b""):
        raise BadHead("a line does not end in CRLF")
    if not _REQUEST_LINE.fullmatch(lines[0]):
        raise BadHead("the request line is malformed")
    fields = [_FIELD.fullmatch(line) for line in lines[1:-2]]
    values: dict[bytes, bytes] = {}
    for field in fields:
        if field is None:
            raise BadHead("a header field is malformed")
        name = field[1].lower()
        if name in _ONCE and name in values:
            raise BadHead(f"{name.decode()} is given twice")
        values[name] = field[2].strip(b" \t")
    if b"host" not in values and lines[0].endswith(b"1.1"):
        raise BadHead("host is missing")
    length, encoding = values.get(b"content-length"), values.get(b"transfer-encoding")
    if length is not None and not _LENGTH.fullmatch(length):
        raise BadHead("content-length is not a number")
    if encoding is not None and (length is not None or lines[0].endswith(b"1.0")):
        raise BadHead("transfer-encoding is not allowed with content-length or HTTP/1.0")
    if encoding is not None and encoding.lower() != b"chunked":
        raise BadHead("transfer-encoding is not chunked", "501 Not Implemented")
