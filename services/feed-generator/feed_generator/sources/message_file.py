"""Read a file of market messages, one a line, as `deltastream convert` makes it from a recording.

The first line says what the file holds. A file is compressed with gzip or plain. It is read line by line, so
memory does not grow with it. docs/recording-format.md describes it.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from feed_generator.errors import BadRecording
from feed_generator.messages import Kind

FORMAT, VERSION = "deltastream-messages", 1
_GZIP = b"\x1f\x8b"
_MAX_LINE_BYTES = 1 << 20
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


def read(path: str) -> Iterator[Recorded]:
    """Yield the messages of the file. Raises BadRecording at a bad line, or where the file is cut off."""
    number = 1
    try:
        with _opened(path) as file:
            file.readline()
            while line := file.readline(_MAX_LINE_BYTES):
                number += 1
                head = _head.decode(line)
                if not (line.startswith(b"{") and line.endswith(b"\n") and 0 <= head.ts <= _MAX_NS):
                    raise msgspec.DecodeError("no object of less than 1 MiB with a time before 2100")
                yield Recorded(head.kind, head.product, head.ts, line.rstrip())
    except msgspec.DecodeError as error:
        raise BadRecording(
            path, number, "-", f"is no message: {error}; convert the recording again"
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise BadRecording(path, number, "-", f"the file is damaged or cut off: {error}") from None


def _opened(path: str) -> BinaryIO:
    with Path(path).open("rb") as file:
        compressed = file.read(2) == _GZIP
    return cast(BinaryIO, gzip.open(path)) if compressed else Path(path).open("rb")
