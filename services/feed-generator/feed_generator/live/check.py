"""Prove a live source: connect, count what comes for some seconds, and end. Nothing is published."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import msgspec

from feed_generator.live.market import LiveMarket
from feed_generator.live.report import total
from feed_generator.live.source import POLL_NS

CONNECT_WITHIN_S = 30.0


class SourceCheck(msgspec.Struct):
    """What a source gave in `seconds`. `contracts`: options quoted. `age_ms`: of the newest tick.

    `refusal` says why the first of the `refused` frames cannot be used.
    """

    feed: str
    source: str
    connected: bool
    authorized: bool
    reason: str
    message: str
    seconds: float
    frames: int
    frame_bytes: int
    refused: int
    refusal: str
    underlying: int
    option_quote: int
    option_chain: int
    contracts: int
    age_ms: int | None


def check(
    market: LiveMarket,
    *,
    feed: str,
    source: str,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    now_ns: Callable[[], int] = time.time_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> SourceCheck:
    """Run the market for `seconds` after it has connected, for which it has 30 s."""
    kinds: Counter[str] = Counter()
    symbols: set[str] = set()
    started, deadline = clock(), clock() + CONNECT_WITHIN_S
    connected_at = None
    market.thread.start()
    while clock() < deadline and not (market.thread.failure or _hopeless(market)):
        sleep(POLL_NS / 1e9)
        for message in market.source.advance().messages:
            kinds[message.kind] += 1
            if message.symbol:
                symbols.add(message.symbol)
        if connected_at is None and total(market.statuses).connected:
            connected_at = started = clock()
            deadline = connected_at + seconds
    market.thread.stop()
    if market.thread.failure:
        raise market.thread.failure
    status = total(market.statuses)
    return SourceCheck(
        feed=feed,
        source=source,
        connected=status.connected,
        authorized=status.authorized,
        reason=status.reason,
        message=status.message,
        seconds=round(clock() - started, 1),
        frames=status.frames,
        frame_bytes=status.frame_bytes,
        refused=status.refused,
        refusal=status.refusal,
        underlying=kinds["underlying"],
        option_quote=kinds["option_quote"],
        option_chain=kinds["option_chain"],
        contracts=len(symbols),
        age_ms=(now_ns() - status.newest_ts) // 1_000_000 if status.newest_ts else None,
    )


def _hopeless(market: LiveMarket) -> bool:
    """Return True if only a person can help: waiting longer shows nothing new."""
    return any(status.hopeless for status in market.statuses)
