"""WebSocket frames that break RFC 6455: each must end its connection, and nothing else."""

from __future__ import annotations

import struct

from tests.hostile.target import Target, attack
from tests.hostile.wire import ends, frame, hold, websocket

BROKEN = {
    "a frame without a mask": b"\x81\x013",
    "a compressed frame, though no extension was agreed": b"\xc1" + frame(b"3")[1:],
    "the second reserved bit": b"\xa1" + frame(b"3")[1:],
    "the third reserved bit": b"\x91" + frame(b"3")[1:],
    "a reserved data opcode": frame(b"3", 5),
    "a reserved control opcode": frame(b"", 11),
    "a ping in fragments": frame(b"", 9, fin=False),
    "a ping of 126 bytes": frame(b"x" * 126, 9),
    "a continuation of nothing": frame(b"3", 0),
    "a message inside a message": frame(b"4", 1, fin=False) + frame(b"3"),
    "a close frame of one byte": frame(b"x", 8),
    "a close frame with a code that is none": frame(struct.pack("!H", 999), 8),
    "a close frame whose reason is not UTF-8": frame(struct.pack("!H", 1000) + b"\xff", 8),
    "text that is not UTF-8": frame(b"4\xff\xfe"),
    "text that is cut inside a character": frame(b"4\xc3", 1, fin=False) + frame(b"(", 0),
    "a length of 2^63": b"\x81\xff" + struct.pack("!Q", 1 << 63) + b"\0\0\0\0",
    "the largest length": b"\x81\xff" + b"\xff" * 8 + b"\0\0\0\0",
    "a length above the limit": b"\x81\xff" + struct.pack("!Q", 1 << 20) + b"\0\0\0\0" + b"x" * 70_000,
}
"""Bytes that end the connection, by what is wrong with them."""


@attack("broken frames", of="socket")
def broken_frames(target: Target) -> None:
    """Send each to a connection that is not yet a client, and to one that is."""
    for first in (b"", frame(b"40")):
        for name, broken in BROKEN.items():
            with websocket(target.port) as one:
                one.sendall(first + broken)
                assert ends(one), name


@attack("broken frames", of="socket")
def frames_that_never_end(target: Target) -> None:
    """Announce a message or a frame and send only its beginning."""
    beginnings = (b"\x81", frame(b"3")[:4], frame(b"4" * 60_000)[:1000], frame(b"4", 1, fin=False))
    opened = [websocket(target.port) for _ in range(25) for _ in beginnings]
    for index, one in enumerate(opened):
        one.sendall(frame(b"40") + beginnings[index % len(beginnings)])
    hold()
    for one in opened:
        one.close()
