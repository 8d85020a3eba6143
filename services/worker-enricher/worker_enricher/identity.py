"""Names and order of messages: what makes storing twice store once, and late arrive late."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

Kind = Literal["underlying", "option_quote", "option_chain"]


def document_id(kind: Kind, feed: str, mid: str) -> bytes:
    """The `_id` of a message: BLAKE2b-96 of its names, not of its body, for equal quotes are two events."""
    return blake2b(f"{kind}\0{feed}\0{mid}".encode(), digest_size=12).digest()


def tick_order(ts: int, mid: str) -> str:
    """(ts, epoch, seq) as fixed-width decimals: compares as a string, also in Lua and MongoDB."""
    epoch, _, seq = mid.partition(":")
    return f"{ts:019d}-{epoch:0>10}-{seq:0>15}"


def cache_order(replay: int, ts: int, mid: str) -> str:
    """(replay, ts, epoch, seq) as fixed-width decimals: which of two messages is the newer for `latest:*`."""
    return f"{replay:017d}-{tick_order(ts, mid)}"
