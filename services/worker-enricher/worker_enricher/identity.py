"""Ids and sort keys of messages, for idempotent writes and for a cache that late messages do not change."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

Kind = Literal["underlying", "option_quote", "option_chain"]


def document_id(kind: Kind, feed: str, mid: str) -> bytes:
    """Return the `_id` of a message: the 12-byte BLAKE2b hash of kind, feed and mid.

    The body is not part of the hash: two equal quotes are two events.
    """
    return blake2b(f"{kind}\0{feed}\0{mid}".encode(), digest_size=12).digest()


def tick_order(ts: int, mid: str) -> str:
    """Return (ts, epoch, seq) as fixed-width decimals, which sort as strings, also in Lua and MongoDB."""
    epoch, _, seq = mid.partition(":")
    return f"{ts:019d}-{epoch:0>10}-{seq:0>15}"


def cache_order(replay: int, ts: int, mid: str) -> str:
    """Return (replay, ts, epoch, seq) as fixed-width decimals. `latest:*` keeps the largest."""
    return f"{replay:017d}-{tick_order(ts, mid)}"
