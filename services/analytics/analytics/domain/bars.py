"""OHLC bars: read them from the cache and from storage, merge them, and build the response.

Two bars of one window merge by first, max, min and last. So the result is right even if each source has seen
only some of the ticks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from analytics.domain.values import Broken, Json, epoch_seconds, number, rfc3339, whole

_ORDER = re.compile(r"[0-9]{19}-[0-9]{10}-[0-9]{15}")


class Bar(NamedTuple):
    """The bar of one window, which starts at `start` (epoch seconds).

    `open_order` and `close_order` identify the first and the last tick as `{ts in ns}-{epoch}-{sequence}`.
    Each part has a fixed width, so the order of the strings is the order of the ticks.
    """

    start: int
    open: float
    high: float
    low: float
    close: float
    open_order: str
    close_order: str

    def merge(self, other: Bar) -> Bar:
        """Return the bar of the ticks of both. Merging is commutative, associative and idempotent."""
        first = self if self.open_order <= other.open_order else other
        last = self if self.close_order >= other.close_order else other
        return Bar(
            self.start,
            first.open,
            max(self.high, other.high),
            min(self.low, other.low),
            last.close,
            first.open_order,
            last.close_order,
        )


def cached_bar(raw: Json) -> Bar:
    """Read a bar of the Redis hash `ohlc:{P}:{N}m`. Raises Broken if it is invalid."""
    return _bar(raw, whole(raw.get("start")))


def stored_bar(raw: Json) -> Bar:
    """Read a bar of a storage response. Raises Broken if it is invalid."""
    return _bar(raw, epoch_seconds(raw.get("start")))


def _bar(raw: Json, start: int | None) -> Bar:
    # A bar needs all four prices: unlike the fields of a chain, they are useful only together.
    if start is None or start < 0:
        raise Broken("start")
    prices = []
    for name in ("open", "high", "low", "close"):
        value = number(raw.get(name))
        if value is None or value <= 0:
            raise Broken(name)
        prices.append(float(value))
    orders = []
    for name in ("open_order", "close_order"):
        order = raw.get(name)
        if not isinstance(order, str) or not _ORDER.fullmatch(order):
            raise Broken(name)
        orders.append(order)
    return Bar(start, prices[0], prices[1], prices[2], prices[3], orders[0], orders[1])


def newest(bars: Iterable[Bar], limit: int) -> list[Bar]:
    """Merge the bars of each window and return the `limit` newest windows, newest first."""
    merged: dict[int, Bar] = {}
    for bar in bars:
        merged[bar.start] = merged[bar.start].merge(bar) if bar.start in merged else bar
    return [merged[start] for start in sorted(merged, reverse=True)[:limit]]


def answer(product: str, minutes: int, bars: list[Bar], *, complete: bool) -> Json:
    """Build the response from `bars`: at least one, newest first, each `minutes` long.

    The newest bar is also at the top level, where the original had its only bar. `complete` is false if
    storage did not contribute.
    """
    rows = [_row(bar, minutes) for bar in bars]
    latest = bars[0]
    return {
        "product": product,
        "window": f"{minutes}m",
        "window_minutes": minutes,
        **{name: rows[0][name] for name in ("open", "high", "low", "close")},
        "start_time": rfc3339(_ts(latest.open_order)),
        "end_time": rfc3339(_ts(latest.close_order)),
        "count": len(rows),
        "bars": rows,
        "complete": complete,
        "reasons": {} if complete else {"bars": "storage_unavailable"},
    }


def _row(bar: Bar, minutes: int) -> Json:
    return {
        "start": rfc3339(bar.start * 1_000_000_000),
        "end": rfc3339((bar.start + minutes * 60) * 1_000_000_000),
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
    }


def _ts(order: str) -> int:
    return int(order[:19])
