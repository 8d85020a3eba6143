"""Make the screenshots of the documentation smaller without loss: no row filters, and zlib's highest level.

Chromium filters each row, which suits photographs. Tables of text repeat, so unfiltered rows compress better.
"""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

SIGNATURE, PIXEL = b"\x89PNG\r\n\x1a\n", {2: 3, 6: 4}  # bytes of a pixel by colour type: RGB, RGBA


def packed(png: bytes) -> bytes:
    """Return the same picture in fewer bytes. Raises ValueError for other than 8-bit RGB and RGBA."""
    chunks = dict[bytes, bytes]()
    at = len(SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind = png[at + 4 : at + 8]
        chunks[kind] = chunks.get(kind, b"") + png[at + 8 : at + 8 + length]
        at += 12 + length
    width, _, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    if depth != 8 or colour not in PIXEL or interlaced:
        raise ValueError("the picture must have 8-bit RGB or RGBA pixels and no interlacing")
    rows = _unfiltered(zlib.decompress(chunks[b"IDAT"]), width * PIXEL[colour], PIXEL[colour])
    chunks[b"IDAT"] = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    kinds = (b"IHDR", b"IDAT", b"IEND")
    return SIGNATURE + b"".join(_chunk(kind, chunks.get(kind, b"")) for kind in kinds)


def _unfiltered(data: bytes, length: int, pixel: int) -> list[bytearray]:
    """Return the rows of `length` bytes without their filters (PNG specification, section 9)."""
    rows, above = list[bytearray](), bytearray(length)
    for start in range(0, len(data), length + 1):
        kind, row = data[start], bytearray(data[start + 1 : start + 1 + length])
        for i in range(length if kind else 0):
            left, corner = (row[i - pixel], above[i - pixel]) if i >= pixel else (0, 0)
            row[i] = (row[i] + _predicted(kind, left, above[i], corner)) & 255
        rows.append(row)
        above = row
    return rows


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 4:
        return min((left, up, corner), key=lambda value: abs(left + up - corner - value))
    return (0, left, up, (left + up) // 2)[kind]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        file = Path(name)
        smaller = min(packed(file.read_bytes()), file.read_bytes(), key=len)
        file.write_bytes(smaller)
        print(f"{name}: {len(smaller) / 1000:.0f} kB")
