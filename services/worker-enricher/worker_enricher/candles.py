"""Build OHLC bars from ticks. The merge of bars does not depend on the order or repetition of ticks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

WINDOWS_MINUTES = (1, 5, 15, 60)


class Bar(NamedTuple):
    """An OHLC bar of the window [start, start + N min), aligned to UTC; `start` in seconds since the epoch.

    `open_order` and `close_order` are the `identity.tick_order` of the first and of the last tick.
    """

    start: int
    open: float
    high: float
    low: float
    close: float
    open_order: str
    close_order: str

    def merge(self, other: Bar) -> Bar:
        """Return the bar of the ticks of both bars. The merge is commutative, associative and idempotent."""
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


def bars(ticks: Iterable[tuple[str, int, float, str]]) -> dict[tuple[str, int], list[Bar]]:
    """Return the bars of (product, ts in ns, price, order) ticks, by (product, window in minutes).

    The bars of each window size are in ascending order of time.
    """
    finest: dict[tuple[str, int], Bar] = {}
    for product, ts, price, order in ticks:
        start = ts // 60_000_000_000 * 60
        bar = Bar(start, price, price, price, price, order, order)
        seen = finest.get((product, start))
        finest[product, start] = seen.merge(bar) if seen else bar
    merged: dict[tuple[str, int], dict[int, Bar]] = {}
    for (product, _), bar in finest.items():
        for minutes in WINDOWS_MINUTES:
            window = merged.setdefault((product, minutes), {})
            start = bar.start // (minutes * 60) * (minutes * 60)
            moved = bar._replace(start=start)
            window[start] = window[start].merge(moved) if start in window else moved
    return {key: [window[start] for start in sorted(window)] for key, window in merged.items()}
