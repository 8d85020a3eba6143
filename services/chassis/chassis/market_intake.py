"""Decode and validate the JSON of a market message, or refuse it with a reason."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import msgspec

from .market_consistency import MAX_SKEW_NS, check_chain, check_quote, check_replay, check_times
from .market_messages import Message, OptionChain, OptionQuote, Underlying
from .market_refusal import RefusedError

MAX_BODY_BYTES = 1 << 20
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_quotes: dict[tuple[type, bool], int] = {}


def read(
    body: bytes, *, feed: str, arrived_ms: int | None, products: Collection[str] = frozenset()
) -> Message:
    """Return the message in `body`, which is in the stream of `feed` or is meant for it.

    `products` are those of the feed; empty allows any.

    `arrived_ms` is when Redis received the entry, in milliseconds since the epoch. The time of a live event
    must be within five minutes of it. The check does not use the current time, because a message in a backlog
    is late but valid. None skips the check, for an entry replayed from the dead letters.
    Raises RefusedError if the message is invalid.
    """
    if len(body) > MAX_BODY_BYTES:
        raise RefusedError("too_large", f"the body has {len(body)} bytes; the limit is {MAX_BODY_BYTES}")
    try:
        message = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise RefusedError("schema", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if any(word in body for word in (b"NaN", b"Infinity", b"nan", b"inf")):
            raise RefusedError("not_finite", "NaN and Infinity are not JSON numbers") from None
        raise RefusedError("not_json", str(error)) from None
    if body.count(b'"') != _expected_quotes(message, body):
        json.loads(body, object_pairs_hook=_members)
    if message.feed != feed:
        raise RefusedError("inconsistent", f"$.feed: is {message.feed}, but the stream's feed is {feed}")
    if products and message.product not in products:
        raise RefusedError(
            "inconsistent", f"$.product: {message.product} is not in spec.products of the feed"
        )
    if message.replay:
        check_replay(message.mid, message.replay)
    if isinstance(message, OptionChain):
        check_chain(message)
    elif isinstance(message, OptionQuote):
        check_quote(message)
    if arrived_ms is not None:
        _check_clock(message, arrived_ms * 1_000_000)
    return message


def _check_clock(message: Message, arrived_ns: int) -> None:
    skew_ns = message.ts - arrived_ns
    if not message.replay and abs(skew_ns) > MAX_SKEW_NS:
        seconds = skew_ns // 1_000_000_000
        detail = f"$.ts: differs from its arrival by {seconds} s; the limit for live messages is 300 s"
        raise RefusedError("clock_skew", detail)
    check_times(message.ts, message.sent_ts, message.replay, arrived_ns)


def _expected_quotes(message: Message, body: bytes) -> int:
    """Return the number of quotation marks in the JSON of such a message.

    It depends only on the kind: no text of a message may contain one. The decoder uses the last of two equal
    members. This count finds the second one in a fraction of the time that parsing with Python takes.
    """
    kind = (type(message), message.truth is not None)
    if kind not in _quotes:
        _quotes[kind] = msgspec.json.encode(message).count(b'"')
    optional = isinstance(message, Underlying) and message.truth is not None and b'"drift"' not in body
    return _quotes[kind] - 2 * optional


def _members(pairs: list[tuple[str, Any]]) -> None:
    """Raise RefusedError if a JSON object names a member twice."""
    seen = set()
    for name, _ in pairs:
        if name in seen:
            raise RefusedError("inconsistent", f"$.{name}: given twice")
        seen.add(name)
