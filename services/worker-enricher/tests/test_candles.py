"""Tests that candles do not depend on the order, repetition or split of ticks."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from worker_enricher.candles import WINDOWS_MINUTES, Bar, bars
from worker_enricher.identity import tick_order

Tick = tuple[str, int, float, str]

ticks_strategy = st.lists(
    st.tuples(st.integers(0, 4 * 3600 * 10**9), st.floats(1, 1e6), st.integers(1, 10**6)),
    min_size=1,
    max_size=60,
    unique_by=lambda tick: (tick[0], tick[2]),
)


def as_ticks(drawn: list[tuple[int, float, int]]) -> list[Tick]:
    return [("NIFTY", ts, price, tick_order(ts, f"1:{seq}")) for ts, price, seq in drawn]


def oracle(ticks: list[Tick], minutes: int) -> list[Bar]:
    """Compute the bars in a slow and obvious way, to compare with."""
    groups: dict[int, list[Tick]] = {}
    for tick in sorted(ticks, key=lambda t: t[3]):
        groups.setdefault(tick[1] // (minutes * 60 * 10**9) * minutes * 60, []).append(tick)
    return [
        Bar(start, g[0][2], max(t[2] for t in g), min(t[2] for t in g), g[-1][2], g[0][3], g[-1][3])
        for start, g in sorted(groups.items())
    ]


@given(ticks_strategy, st.randoms())
def test_bars_equal_the_sorted_fold_in_any_order(
    drawn: list[tuple[int, float, int]], rng: random.Random
) -> None:
    """Workers process ticks in any order. A bar depends only on the set of ticks."""
    ticks = as_ticks(drawn)
    shuffled = rng.sample(ticks, len(ticks))
    for minutes in WINDOWS_MINUTES:
        assert bars(shuffled)["NIFTY", minutes] == oracle(ticks, minutes)


@given(ticks_strategy, st.integers(0, 60))
def test_merging_parts_equals_the_whole_even_with_repetition(
    drawn: list[tuple[int, float, int]], cut: int
) -> None:
    """A batch that is delivered twice, or split between two workers, gives the same bar."""
    ticks = as_ticks(drawn)
    whole = {bar.start: bar for bar in bars(ticks)["NIFTY", 60]}
    for part in (ticks[:cut], ticks[cut // 2 :], ticks):
        for bar in bars(part).get(("NIFTY", 60), []):
            assert whole[bar.start].merge(bar) == whole[bar.start] == bar.merge(whole[bar.start])


def test_windows_are_aligned_to_the_clock() -> None:
    """A 15-minute bar starts at :00, :15, :30 or :45 UTC, independent of its first tick's time."""
    noon_ns = 1_795_608_000 * 10**9
    made = bars([("SPY", noon_ns + 7 * 60 * 10**9, 5.0, "o")])
    assert [made["SPY", n][0].start % (n * 60) for n in WINDOWS_MINUTES] == [0, 0, 0, 0]
    assert made["SPY", 15][0].start == noon_ns // 10**9
