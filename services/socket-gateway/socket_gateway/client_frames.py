"""Read the WebSocket frames of clients strictly, and fast enough for floods of large ones.

gevent-websocket removes the mask and checks UTF-8 in Python loops over every byte. For a message of 60,000
bytes these take 20 ms, in which no other client is served, and each of many connections can send some.
"""

from __future__ import annotations

from typing import Any

from geventwebsocket import websocket  # type: ignore[import-untyped]
from geventwebsocket.exceptions import ProtocolError  # type: ignore[import-untyped]


class ClientHeader(websocket.Header):  # type: ignore[misc]
    """The header of a client's frame, which must have a mask (RFC 6455, section 5.1)."""

    length: int
    mask: bytes

    @classmethod
    def decode_header(cls, stream: Any) -> Any:
        header = super().decode_header(stream)
        if not header.mask:
            raise ProtocolError("a frame of a client has no mask")
        return header

    def unmask_payload(self, payload: bytes) -> bytearray:
        size = len(payload)
        mask = int.from_bytes((self.mask * (size // 4 + 1))[:size], "little")
        return bytearray((int.from_bytes(payload, "little") ^ mask).to_bytes(size, "little"))


class WholeMessages:
    """Replaces the UTF-8 check of each piece of a message: the complete message is decoded strictly."""

    def reset(self) -> None:
        """Do nothing: there is no state."""

    def validate(self, _piece: bytes) -> tuple[bool, bool, int, int]:
        return True, True, 0, 0


websocket.Header = ClientHeader  # gevent-websocket has no other way to choose the class


def install(connection: Any) -> None:
    """Make a connection of gevent-websocket check its messages' UTF-8 only once."""
    connection.utf8validator = WholeMessages()
