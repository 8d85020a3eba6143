"""Writes the file of messages that a feed replays: compressed JSON lines, which need no library to read.

The file is gzip in members of about 1 MiB of text. The header of each member has its length, its number of
lines and the span of its event times, so a replay finds a time without reading everything before it.
docs/recording-format.md describes it.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from deltastream_cli.domain.recording import Contents
from deltastream_cli.errors import CommandError, UsageError

FORMAT, VERSION = "deltastream-messages", 1
_LEVEL = 6
_MEMBER_BYTES = _MOST_LINE_BYTES = 1 << 20
# gzip's header with the extra field DS: bytes, lines, first and last ts.
_HEAD = struct.Struct("<4sIBBH2sHQQQQ")
_TAIL = struct.Struct("<II")


def write(path: Path, messages: Iterable[Mapping[str, Any]], contents: Contents) -> None:
    """Write the messages to `path`, which appears only when it is complete. The first line has `contents`.

    Raises UsageError if the file exists, and CommandError if it cannot be written or a message is too long.
    """
    if path.exists():
        raise UsageError(f"{path} exists already: remove it, or name another file")
    new = path.with_name(path.name + ".new")
    try:
        with new.open("wb") as file:
            header = {"format": FORMAT, "version": VERSION, **contents.as_json()}
            file.write(_member([_line(header)], contents.first_ts, contents.last_ts))
            for member in _members(messages):
                file.write(member)
            file.write(_member([], 0, 0))  # the end: without it the file is cut off
        new.replace(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        new.unlink(missing_ok=True)


_OF_FEED = frozenset({"feed", "mid"})  # the feed that replays the file sets its own


def _members(messages: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    lines: list[bytes] = []
    times: list[int] = []
    size = 0
    for message in messages:
        line = _line({name: value for name, value in message.items() if name not in _OF_FEED})
        if len(line) > _MOST_LINE_BYTES:
            raise CommandError(f"message {message['mid']}: is larger than 1 MiB, so no feed can replay it")
        lines.append(line)
        times.append(message["ts"])
        size += len(line)
        if size >= _MEMBER_BYTES:
            yield _member(lines, min(times), max(times))
            lines, times, size = [], [], 0
    if lines:
        yield _member(lines, min(times), max(times))


def _member(lines: list[bytes], first_ts: int, last_ts: int) -> bytes:
    text = b"".join(lines)
    body = zlib.compress(text, _LEVEL, wbits=-zlib.MAX_WBITS)
    size = _HEAD.size + len(body) + _TAIL.size
    head = _HEAD.pack(b"\x1f\x8b\x08\x04", 0, 0, 255, 36, b"DS", 32, size, len(lines), first_ts, last_ts)
    return head + body + _TAIL.pack(zlib.crc32(text), len(text))


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"
