"""Decode and validate the JSON of a market message, or refuse it with a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

import msgspec

from .market_consistency import MAX_SKEW_NS, check_chain, check_quote, check_replay, check_times
from .market_messages import Message, OptionChain, OptionQuote, is_plain
from .market_refusal import RefusedError

MAX_BODY_BYTES = 1 << 20
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_NOT_FINITE = re.compile(rb"[\[:,]\s*-?(NaN|nan|Infinity|inf)\b")
_plain_quotes: dict[tuple[type, bool], int] = {}


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
        if _NOT_FINITE.search(body):
            raise RefusedError("not_finite", "NaN and Infinity are not JSON numbers") from None
        raise RefusedError("not_json", str(error)) from None
    if _repeats(message, body):
        json.loads(body, object_pairs_hook=_members)
    if message.feed != feed:
        raise RefusedError("inconsistent", f"$.feed: is {message.feed}, but the stream's feed is {feed}")
    if message.replay:
        check_replay(message.mid, message.replay)
    if isinstance(message, OptionChain):
        check_chain(message)
    elif isinstance(message, OptionQuote):
        check_quote(message)
    check_arrival(message, arrived_ms=arrived_ms, products=products)
    return message


def check_arrival(message: Message, *, arrived_ms: int | None, products: Collection[str]) -> None:
    """Check what depends on the feed and on the time: `read` does so with the same arguments.

    Raises RefusedError.
    """
    if products and message.product not in products:
        raise RefusedError(
            "inconsistent", f"$.product: {message.product} is not in spec.products of the feed"
        )
    if arrived_ms is not None:
        _check_clock(message, arrived_ms * 1_000_000)


def _check_clock(message: Message, arrived_ns: int) -> None:
    skew_ns = message.ts - arrived_ns
    if not message.replay and abs(skew_ns) > MAX_SKEW_NS:
        seconds = skew_ns // 1_000_000_000
        detail = f"$.ts: differs from its arrival by {seconds} s; the limit for live messages is 300 s"
        raise RefusedError("clock_skew", detail)
    check_times(message.ts, message.sent_ts, message.replay, arrived_ns)


def _repeats(message: Message, body: bytes) -> bool:
    """Return whether the JSON of `message` has more quotation marks than its members account for.

    No text of a message may contain one, and the decoder uses the last of two equal members. This count finds
    the second one in a fraction of the time that parsing with Python takes. Messages of one kind without
    optional members all have the same number, which no other message can have.
    """
    kind = (type(message), message.truth is not None)
    found = body.count(b'"')
    if found == _plain_quotes.get(kind):
        return False
    expected = msgspec.json.encode(message).count(b'"')
    if is_plain(message):
        _plain_quotes[kind] = expected
    return found != expected


def _members(pairs: list[tuple[str, Any]]) -> None:
    """Raise RefusedError if a JSON object names a member twice."""
    seen = set()
    for name, _ in pairs:
        if name in seen:
            raise RefusedError("inconsistent", f"$.{name}: given twice")
        seen.add(name)
