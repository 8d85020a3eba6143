"""Read a file of market messages, one a line, as `deltastream convert` makes it from a recording.

The first line says what the file holds. A file is compressed with gzip or plain. It is read line by line, so
memory does not grow with it. The gzip members that `convert` writes say from when to when their messages go,
so a time is found without reading all before it. docs/recording-format.md describes it.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import msgspec

from feed_generator.errors import BadRecording
from feed_generator.messages import Kind
from feed_generator.sources.span import EVERYTHING, Span

FORMAT, VERSION = "deltastream-messages", 1
_GZIP = b"\x1f\x8b"
# A gzip header with an extra field of 36 bytes: the subfield DS and its 32 bytes.
_INDEXED, _MARK = _GZIP + b"\x08\x04", b"\x24\x00DS\x20\x00"
_MEMBER = struct.Struct("<4s6s6sQQQQ")
_MAX_LINE_BYTES, _MAX_MEMBER_BYTES = 1 << 20, 16 << 20
_MAX_NS = 4_102_444_800_000_000_000


class Header(msgspec.Struct, rename={"format_name": "format"}):
    """The first line: the products of the file and its first and last event time in ns."""

    format_name: str
    version: int
    products: list[str]
    first_ts: int
    last_ts: int


class _Head(msgspec.Struct):
    """The members of a message that the replay needs."""

    kind: Kind
    product: str
    ts: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """A message of the file. `line` is its JSON object without the members that a producer writes."""

    kind: Kind
    product: str
    ts: int
    line: bytes


_header = msgspec.json.Decoder(Header)
_head = msgspec.json.Decoder(_Head)


def header_of(path: str) -> Header | None:
    """Return the first line of a file of messages, or None if the file is something else.

    Raises BadRecording if the file cannot be read or has another version.
    """
    try:
        with _opened(path) as file:
            header = _header.decode(file.readline(_MAX_LINE_BYTES))
    except (msgspec.DecodeError, gzip.BadGzipFile, zlib.error, EOFError, IsADirectoryError):
        return None
    except OSError as error:
        raise BadRecording(path, 0, "-", f"cannot be read: {error.strerror}") from None
    if header.format_name != FORMAT:
        return None
    if header.version != VERSION:
        rule = f"is {header.version}; this release reads {VERSION}: convert the recording again"
        raise BadRecording(path, 1, "version", rule)
    return header


def read(path: str, span: Span = EVERYTHING, from_ns: int = 0) -> Iterator[Recorded]:
    """Yield the messages of the file, at least those in `span`, from the first one at or after `from_ns` on.

    It skips the members of a file that have none of them. Raises BadRecording at a bad line, or where
    the file is cut off.
    """
    number = 1
    try:
        for lines in _members(path, span, from_ns):
            number = lines.before
            for line in lines:
                number += 1
                if number == 1:
                    continue  # the header
                head = _head.decode(line)
                if not line.endswith(b"\n"):
                    raise msgspec.DecodeError("the line has no end, or is longer than 1 MiB")
                if not (line.startswith(b"{") and 0 <= head.ts <= _MAX_NS):
                    raise msgspec.DecodeError("no object with a time before 2100")
                yield Recorded(head.kind, head.product, head.ts, line.rstrip())
    except msgspec.DecodeError as error:
        raise BadRecording(
            path, number, "-", f"is no message: {error}; convert the recording again"
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise BadRecording(path, number, "-", f"the file is damaged or cut off: {error}") from None


class _Lines:
    """Lines of the file, and the number of lines before them."""

    def __init__(self, file: BinaryIO, before: int) -> None:
        self._file, self.before = file, before

    def __iter__(self) -> Iterator[bytes]:
        while line := self._file.readline(_MAX_LINE_BYTES):
            yield line


def _members(path: str, span: Span, from_ns: int) -> Iterator[_Lines]:
    """Yield the lines of each member that may have a wanted message, or of a whole file without an index."""
    with Path(path).open("rb") as file:
        if _indexed(file.read(_MEMBER.size)) is None:
            with _opened(path) as whole:
                yield _Lines(whole, 0)
            return
        at = before = 0
        begun = False
        while (member := _indexed(_at(file, at, _MEMBER.size))) is None or member.lines:
            if member is None:
                raise EOFError("its end is missing")
            begun = begun or (before > 0 and member.last_ts >= from_ns)
            if not before or (begun and span.meets(member.first_ts, member.last_ts)):  # the header, or wanted
                with gzip.GzipFile(fileobj=BytesIO(_at(file, at, member.size))) as lines:
                    yield _Lines(cast(BinaryIO, lines), before)
            at, before = at + member.size, before + member.lines


class _Index(NamedTuple):
    """What the header of a member says of it: bytes, lines, and its first and last event time in ns."""

    size: int
    lines: int
    first_ts: int
    last_ts: int


def _indexed(head: bytes) -> _Index | None:
    """Return the index in a member's header; None if `deltastream convert` did not write it."""
    if len(head) < _MEMBER.size:
        return None
    magic, _, mark, *values = _MEMBER.unpack(head)
    found = _Index(*values)
    whole = magic == _INDEXED and mark == _MARK and _MEMBER.size < found.size <= _MAX_MEMBER_BYTES
    return found if whole else None


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _opened(path: str) -> BinaryIO:
    with Path(path).open("rb") as file:
        compressed = file.read(2) == _GZIP
    return cast(BinaryIO, gzip.open(path)) if compressed else Path(path).open("rb")
