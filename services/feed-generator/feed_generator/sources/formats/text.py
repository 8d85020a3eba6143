"""Open a file and refuse what is no text in UTF-8 with commas, each with the fix."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from feed_generator.errors import BadRecording
from feed_generator.sources.formats.problems import NotReadable

HEAD_BYTES = 16_384
_LINE_BYTES = 1 << 20
_LOOKED_AT = 8
_MARK = b"\xef\xbb\xbf"
DBN_MAGIC = b"DBN"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_UTF16 = "is in UTF-16, not UTF-8: save it as `CSV UTF-8`, or run `iconv -f UTF-16 -t UTF-8 FILE > NEW`"
_PADDED = "has bytes of 0 instead of text, so the download is not complete: download it again"
_JSON = re.compile(rb"\s*[{\[]")
_REFUSED: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xfe", _UTF16),
    (b"\xfe\xff", _UTF16),
    (
        b"PK\x03\x04",
        "is an Excel workbook or a ZIP archive, no CSV: export the sheet as `CSV UTF-8`, or unpack it",
    ),
    (b"\xd0\xcf\x11\xe0", "is an old Excel workbook, no CSV: export the sheet as `CSV UTF-8`"),
    (
        b"PAR1",
        "is Parquet: if `deltastream record` or `export --as-recording` wrote it, run "
        "`deltastream convert FILE NEW.messages.gz` and replay the new file",
    ),
    (b"\x1f\x8b", "is compressed with gzip: run `gunzip` first"),
)
_WEB_PAGE = re.compile(rb"\s*<(!doctype|html|head|body|\?xml|script|!--)", re.IGNORECASE)


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open a file for reading. Raises BadRecording if that fails then or later."""
    try:
        # A pipe without a writer would block for ever.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise BadRecording(path, 0, "-", "is no file: name a file, or a folder of files")
        with Path(path).open("rb") as file:
            yield file
    except OSError as error:
        raise BadRecording(path, 0, "-", f"cannot be read: {error.strerror}") from None


def peeked(file: BinaryIO) -> bytes:
    """Return the first bytes of a file, which is then at its start again."""
    head = file.read(HEAD_BYTES)
    file.seek(0)
    return head


def is_dbn(head: bytes) -> bool:
    """Return whether a file begins as Databento's files do, compressed or not."""
    return head.startswith((DBN_MAGIC, ZSTD_MAGIC))


def check(head: bytes) -> None:
    """Raise NotReadable if the first bytes are not those of a CSV file in UTF-8."""
    if not head.strip():
        raise NotReadable("is empty: download or save it again")
    for magic, rule in _REFUSED:
        if head.startswith(magic):
            raise NotReadable(rule)
    if head.count(0) > len(head) // 4:
        # In UTF-16 without its mark every other byte of ASCII text is 0, and only those.
        fewer, more = sorted(half.count(0) for half in (head[::2], head[1::2]))
        raise NotReadable(_UTF16 if fewer < more // 2 else _PADDED)
    if _WEB_PAGE.match(head.removeprefix(_MARK)):
        raise NotReadable(
            "is a web page, no CSV: the site refused the download; open it in a browser and save again"
        )
    if _JSON.match(head.removeprefix(_MARK)):
        raise NotReadable(
            "is JSON, as an exchange's API answers: only CSV files can be read; download the CSV"
        )
    lines = [line for line in head.splitlines()[:_LOOKED_AT] if line.strip()]
    for separator, name in ((b";", "';'"), (b"\t", "a tab")):
        split = [
            line for line in lines if line.count(separator) >= 4 and line.count(b",") <= line.count(separator)
        ]
        if len(split) > len(lines) // 2:  # the lines above a table may be short
            raise NotReadable(
                f"has {name} between its cells: save it with ',' between them and '.' in numbers"
            )


def lines_of(file: BinaryIO) -> Iterator[str]:
    """Yield the lines of a file in UTF-8, with or without a byte order mark, in bounded memory.

    Raises NotReadable for a line that is too long, and UnicodeDecodeError.
    """
    number = 0
    while line := file.readline(_LINE_BYTES):
        number += 1
        if len(line) == _LINE_BYTES:
            raise NotReadable(f"is longer than {_LINE_BYTES:,} bytes, so the file is no CSV", line=number)
        yield (line.removeprefix(_MARK) if number == 1 else line).decode()
