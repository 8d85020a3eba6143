"""Kite's text messages: what the client asks for, and what the ticker says beside market data.

The ticker sends errors, messages of the broker and the account's order updates. An order update is private:
only its kind is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from feed_generator.live.kite.frames import Mode

_SHOWN = 200


class Notice(msgspec.Struct, frozen=True):
    """A text message. `text` is set for an error and a message of the broker, at most 200 characters."""

    kind: str
    text: str = ""


class _Text(msgspec.Struct):
    type: str
    data: msgspec.Raw = msgspec.Raw(b"null")


_decode = msgspec.json.Decoder(_Text).decode
_encode = msgspec.json.Encoder().encode


def subscribe(tokens: Sequence[int], mode: Mode) -> tuple[str, str]:
    """Return the two requests after which the ticker sends these instruments in this mode."""
    return _text({"a": "subscribe", "v": tokens}), _text({"a": "mode", "v": [mode, tokens]})


def _text(request: object) -> str:
    # The transport sends bytes as a binary message, which the ticker does not read.
    return _encode(request).decode()


def decode(message: str | bytes) -> Notice:
    """Return what a text message says. One that is not Kite's JSON has the kind "unreadable"."""
    try:
        found = _decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Notice("unreadable")
    if found.type not in ("error", "message"):
        return Notice(found.type[:_SHOWN])
    try:
        text = msgspec.json.decode(found.data, type=str)
    except msgspec.DecodeError:
        text = bytes(found.data).decode(errors="replace")
    return Notice(found.type, text[:_SHOWN])
