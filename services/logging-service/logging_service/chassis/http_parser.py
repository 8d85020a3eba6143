"""Parse HTTP requests strictly: waitress' parser with more checks. Refusals are problem+json."""

from __future__ import annotations

import json
import re
from copy import copy
from typing import Any

import structlog
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask
from waitress.utilities import BadRequest, Error, RequestEntityTooLarge

from .log_setup import bind_request

MAX_HEAD_BYTES = 32 << 10
MAX_FIELDS = 100
_MAX_CHUNK_LINE = 1024
_SINGLE = (b"host", b"content-length", b"transfer-encoding", b"content-type", b"authorization")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t\x20-\x7e\x80-\xff]*")
_NO_TRAILER = (*_SINGLE, b"trailer", b"te", b"connection", b"expect", b"cookie")
_CODES = {400: "bad_input", 408: "request_timeout", 413: "body_too_large", 431: "head_too_large"}


class RequestTimeout(Error):  # type: ignore[misc]
    """The head or the body of the request did not arrive in time."""

    code = 408
    reason = "Request Timeout"


class Chunked:
    """Decodes a chunked body as in RFC 9112, section 7.1.

    waitress' own decoder is too lenient: it accepts empty lines and bare LF for chunk sizes, and any trailer.
    """

    def __init__(self, buf: Any) -> None:
        self._buf = buf
        self.completed, self.error = False, None
        self._line, self._left, self._expects = b"", 0, "size"

    def received(self, data: bytes) -> int:
        """Consume the bytes of `data` that belong to this body. Returns their number."""
        at = 0
        while at < len(data) and not self.completed and self.error is None:
            if self._left:
                piece = data[at : at + self._left]
                self._buf.append(piece)
                self._left -= len(piece)
                at += len(piece)
                continue
            end = data.find(b"\n", at) + 1
            self._line += data[at : end or len(data)]
            at = end or len(data)
            if len(self._line) > _MAX_CHUNK_LINE:
                self.error = BadRequest("a line of the chunked body is too long")
            elif end:
                self._take(self._line)
                self._line = b""
        return at

    def _take(self, line: bytes) -> None:
        text, size = line[:-2], _CHUNK_SIZE.fullmatch(line[:-2])
        if not line.endswith(b"\r\n"):
            self.error = BadRequest("a line of the chunked body does not end with CRLF")
        elif self._expects == "end of chunk":
            self._expects = "size"
            if text:
                self.error = BadRequest("a chunk is longer than its size")
        elif self._expects == "trailer":
            self.completed = not text
            field = _TRAILER.fullmatch(text)
            if text and (field is None or field[1].lower() in _NO_TRAILER):
                self.error = BadRequest("a trailer of the chunked body is not allowed")
        elif size is None:
            self.error = BadRequest("a chunk size is not a hexadecimal number of at most 8 digits")
        else:
            self._left = int(size[1], 16)
            self._expects = "end of chunk" if self._left else "trailer"

    def __len__(self) -> int:
        return len(self._buf)

    def getfile(self) -> Any:
        return self._buf.getfile()

    def getbuf(self) -> Any:
        return self._buf


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """Refuses requests that two parsers could interpret differently, to prevent request smuggling."""

    adj: Any
    error: Any
    body_rcv: Any
    completed: bool
    path = ""  # waitress logs the path if the client of a malformed request disconnects early

    def received(self, data: bytes) -> int:
        """Parse as waitress does. An exception in its helpers means that the request is malformed."""
        try:
            taken = int(super().received(data))
            if isinstance(self.error, RequestEntityTooLarge):  # waitress' text counts one byte more
                limit = self.adj.max_request_body_size - 1
                self.error = RequestEntityTooLarge(
                    f"the body is longer than {limit} bytes; send a shorter one"
                )
            if self.completed:  # refused, or without a body: there is nothing to send 100 Continue for
                self.expect_continue = False
            return taken
        except Exception:
            self.error, self.completed = BadRequest("the request cannot be parsed"), True
            return len(data)

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the head as waitress does, with more checks.

        Raises ParsingError if the head is malformed, or ambiguous about the length of the body.
        """
        lines = header_plus.split(b"\r\n")[1:]
        if any(line.startswith((b" ", b"\t")) for line in lines):
            raise ParsingError("a header is folded over lines")
        names = [line.partition(b":")[0].lower() for line in lines if line]
        if len(names) > MAX_FIELDS:
            raise ParsingError(f"there are more than {MAX_FIELDS} headers")
        for name in _SINGLE:
            if names.count(name) > 1:
                raise ParsingError(f"the header {name.decode()} is given twice")
        try:
            super().parse_header(header_plus)
        except ParsingError:  # waitress' text repeats the line, which may contain a token
            raise ParsingError("the head of the request is malformed") from None
        if self.version not in ("1.0", "1.1"):
            raise ParsingError("the version is neither HTTP/1.0 nor HTTP/1.1")
        if self.version == "1.1" and b"host" not in names:
            raise ParsingError("the header host is missing")
        for prefix, size in self.adj.larger_bodies.items():
            if self.path.startswith(prefix):
                self.adj = copy(self.adj)
                self.adj.max_request_body_size = size + 1
        if b"transfer-encoding" in names:
            if self.version == "1.0" or b"content-length" in names or not self.chunked:
                raise ParsingError("the header transfer-encoding is not allowed here")
            self.body_rcv = Chunked(self.body_rcv.getbuf())

    @property
    def buffered_bytes(self) -> int:
        """The memory in bytes that the unfinished request takes."""
        return len(self.header_plus) + int(self.body_bytes_received)


class Refusal(ErrorTask):  # type: ignore[misc]
    """Answers a refused request as the application does: a problem with the request's id.

    The response repeats nothing of the request.
    """

    def execute(self) -> None:
        error = self.request.error
        request_id, _ = bind_request(lambda name: self.request.headers.get(name.upper().replace("-", "_")))
        body = {
            "type": "about:blank",
            "title": error.reason,
            "status": error.code,
            "detail": str(error.body),
            "code": _CODES.get(error.code, "http_error"),
            "request_id": request_id,
        }
        structlog.get_logger("access").info("refused", status=error.code, reason=str(error.body))
        content = json.dumps(body).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [
            ("Content-Type", "application/problem+json"),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Request-ID", request_id),
        ]
        self.set_close_on_finish()
        self.content_length = len(content)
        self.write(content)
