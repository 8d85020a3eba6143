"""Ids and sort keys of messages, for idempotent writes and for a cache that late messages do not change."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Literal

from msgspec import UnsetType

from worker_enricher.messages import OptionChain, OptionQuote

Kind = Literal["underlying", "option_quote", "option_chain"]


def document_id(kind: Kind, feed: str, mid: str) -> bytes:
    """Return the `_id` of a message: the 12-byte BLAKE2b hash of kind, feed and mid.

    The body is not part of the hash: two equal quotes are two events.
    """
    return blake2b(f"{kind}\0{feed}\0{mid}".encode(), digest_size=12).digest()


def series(terms: OptionQuote | OptionChain) -> str:
    """Return what identifies a contract's series within its product, besides the strikes.

    That is expiry instant, settlement session, multiplier and exercise. The expiry's date is not enough: SPX
    and SPXW expire on the same Friday with the same strikes, one at the open and one at the close.
    """
    return _series(terms.expiry_ts, terms.settlement_session, terms.multiplier, terms.exercise)


@lru_cache(maxsize=1024)
def _series(expiry_ts: int, session: str | UnsetType, multiplier: float | UnsetType, exercise: str) -> str:
    return f"{expiry_ts} {session or 'close'} {multiplier or '-'} {exercise}"


def tick_order(ts: int, mid: str) -> str:
    """Return (ts, epoch, seq) as fixed-width decimals, which sort as strings, also in Lua and MongoDB."""
    epoch, _, seq = mid.partition(":")
    return f"{ts:019d}-{epoch:0>10}-{seq:0>15}"


def epoch_of(order: str) -> int:
    """Return the epoch in an order of `cache_order`."""
    return int(order.split("-")[2])


def cache_order(replay: int, ts: int, mid: str) -> str:
    """Return (replay, ts, epoch, seq) as fixed-width decimals. `latest:*` keeps the largest."""
    return f"{replay:017d}-{tick_order(ts, mid)}"
