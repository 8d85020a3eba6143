"""The publishing loop on a simulated clock: timing, steps of back-pressure, and outages of Redis."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from feed_generator.sources.base import Batch

MILLI = 1_000_000
SECOND = 1000 * MILLI
Counted = Callable[[str], float]


def test_every_message_is_sent_when_it_is_due(bench: Any, counted: Counted) -> None:
    """Messages are in order with mids 1:1, 1:2, ...; none is conflated or skipped."""
    bench.run(10)
    assert bench.counts() == {"underlying": 100, "option_chain": 100, "option_quote": 200}
    assert bench.turns("underlying") == list(range(100))
    assert [named.mid for named in bench.stream.got] == [f"1:{seq}" for seq in range(1, 401)]
    assert bench.stream.epochs == 1
    assert bench.beats >= 1000
    assert counted("feed_quotes_conflated_total") == counted("feed_skipped_seconds_total") == 0


def test_below_the_high_water_mark_there_is_no_back_pressure(bench: Any, counted: Counted) -> None:
    """With one entry less than the high water there is no back-pressure."""
    seen = bench.behind(0.99)
    bench.run(2)
    assert bench.counts(seen) == {"underlying": 20, "option_chain": 20, "option_quote": 40}
    assert counted("feed_quotes_conflated_total") == 0


def test_at_the_high_water_quotes_are_conflated_per_symbol(bench: Any, counted: Counted) -> None:
    """The newest quote of each symbol is sent once a second; ticks and chains are sent at once."""
    seen = bench.behind(1)
    bench.run(5)
    assert bench.counts(seen) == {"underlying": 50, "option_chain": 50, "option_quote": 10}
    assert counted("feed_quotes_conflated_total") > 0
    assert counted("feed_quotes_dropped_total") == counted("feed_skipped_seconds_total") == 0
    assert bench.turns("underlying") == list(range(60))


def test_at_one_and_a_half_times_the_market_runs_at_half_speed(bench: Any, counted: Counted) -> None:
    """The source makes half the messages, and `skip` keeps its event times near the clock."""
    bench.behind(1.5)
    before, skipped = bench.market.turn, bench.market.skipped
    bench.run(5)
    made = bench.market.turn - before
    assert made == 25
    assert bench.market.skipped - skipped == made * 100 * MILLI
    assert counted("feed_skipped_seconds_total") * SECOND == pytest.approx(bench.market.skipped)
    assert counted("feed_quotes_dropped_total") == 0


def test_at_twice_the_high_water_quotes_are_dropped_and_counted(bench: Any, counted: Counted) -> None:
    """Only quotes are dropped: every tick and chain is sent."""
    seen = bench.behind(2)
    dropped, turns = counted("feed_quotes_dropped_total"), bench.market.turn
    bench.run(2)  # the held quotes are sent in the first second, and no quote after them
    later = len(bench.stream.got)
    bench.run(4)
    assert bench.counts(later)["option_quote"] == 0
    made = bench.market.turn - turns
    assert counted("feed_quotes_dropped_total") - dropped == 2 * made
    assert bench.counts(seen)["underlying"] == bench.counts(seen)["option_chain"] == made
    assert bench.turns("underlying") == list(range(bench.market.turn))


@pytest.mark.parametrize("times", [0, 1, 1.5, 2])
def test_every_message_is_published_conflated_dropped_or_waiting(
    times: float, bench: Any, counted: Counted
) -> None:
    """At any moment, the counters account for every message."""
    bench.behind(times)
    bench.run(2.5)
    gone = counted("feed_quotes_conflated_total") + counted("feed_quotes_dropped_total")
    assert counted("feed_made_total") == 4 * bench.market.turn
    assert counted("feed_made_total") == len(bench.stream.got) + gone + len(bench.buffer)


def test_it_recovers_once_the_readers_catch_up(bench: Any) -> None:
    """The full rate and all quotes return."""
    bench.behind(2)
    seen = bench.behind(0)
    bench.run(1)
    assert bench.counts(seen) == {"underlying": 10, "option_chain": 10, "option_quote": 20}


def test_an_outage_loses_no_tick_and_no_chain(bench: Any, counted: Counted) -> None:
    """Quotes conflate during the outage. After it, all ticks and chains arrive in order."""
    bench.run(1)
    bench.stream.unavailable = True
    bench.run(30)
    assert bench.market.turn == 310
    bench.stream.unavailable = False
    bench.run(5)
    for kind in ("underlying", "option_chain"):
        assert bench.turns(kind) == list(range(360))
    assert counted("feed_quotes_conflated_total") > 500
    quotes = bench.turns("option_quote")
    assert quotes[-2:] == [359, 359]
    assert [named.mid for named in bench.stream.got] == [
        f"1:{seq}" for seq in range(1, len(bench.stream.got) + 1)
    ]


def test_messages_that_a_killed_redis_lost_are_sent_again_with_the_same_mids(bench: Any) -> None:
    """With `appendfsync everysec` Redis may lose two seconds of confirmed entries. Order and mids stay."""
    bench.run(10)
    bench.stream.unavailable = True
    bench.run(0.5)
    forgotten = [named for named in bench.stream.got if int(named.mid.split(":")[1]) > 320]
    bench.stream.got = [named for named in bench.stream.got if named not in forgotten]
    bench.stream.unavailable = False
    bench.run(5)
    assert len(forgotten) == 80
    assert [named.mid for named in bench.stream.got[:400]] == [f"1:{seq}" for seq in range(1, 401)]
    assert bench.turns("underlying") == list(range(155))


def test_only_the_last_seconds_are_sent_again(bench: Any) -> None:
    """Entries that were confirmed earlier are on disk. This limits the memory for resends."""
    bench.run(100)
    bench.stream.unavailable = True
    bench.run(0.5)
    bench.stream.unavailable = False
    bench.run(1)
    assert 0 < bench.stream.repeated <= 2.6 * 40


def test_a_start_without_redis_waits_for_its_epoch(bench: Any) -> None:
    """Messages wait without a mid until Redis returns a unique epoch."""
    bench.stream.unavailable = True
    bench.run(3)
    bench.stream.unavailable = False
    bench.run(3)
    assert bench.turns("underlying") == list(range(60))
    assert bench.stream.got[0].mid == "1:1"


def test_retries_wait_longer_each_time_up_to_two_seconds(bench: Any) -> None:
    """Longer delays limit the load that the retries of all generators put on Redis."""
    bench.stream.unavailable = True
    attempts: list[int] = []
    ask = bench.stream._check

    def asked() -> None:
        attempts.append(bench.now)
        ask()

    bench.stream._check = asked
    bench.run(20)
    waits = [(b - a) // MILLI for a, b in pairwise(attempts)]
    assert waits == sorted(waits)
    assert waits[0] == 100
    assert waits[-1] == 2000


def test_a_full_buffer_pauses_the_market_and_the_gap_is_skipped(make_bench: Any) -> None:
    """While the buffer is full the source makes no messages. After the outage the gap is skipped."""
    bench = make_bench(limit_bytes=2000)
    bench.run(1)
    bench.stream.unavailable = True
    bench.run(60)
    made = bench.market.turn
    assert made < 100
    assert bench.buffer.full
    bench.stream.unavailable = False
    bench.run(10)
    assert bench.turns("underlying") == list(range(bench.market.turn))
    assert bench.market.turn > made + 50
    assert bench.market.skipped > 40 * SECOND


def test_the_time_of_a_long_sleep_is_skipped(bench: Any, counted: Counted) -> None:
    """After an hour of sleep, a laptop does not replay the missed hour."""
    bench.run(1)
    bench.now += 3600 * SECOND
    bench.run(1)
    assert bench.market.turn <= 21
    assert counted("feed_skipped_seconds_total") == pytest.approx(3600, abs=0.2)


def test_a_new_epoch_is_requested_after_a_million_passes(bench: Any) -> None:
    """Publishing continues with mids of the next epoch."""
    advance = bench.market.advance

    def late_passes() -> Batch:
        return Batch(advance().messages, 999_998 + bench.market.turn // 10)

    bench.market.advance = late_passes
    bench.run(3)
    assert bench.stream.epochs == 2
    assert bench.turns("underlying") == list(range(30))
    epochs = {named.mid.split(":")[0]: named.pass_number // 1_000_000 for named in bench.stream.got}
    assert epochs == {"1": 0, "2": 1}


def test_stopping_sends_the_remaining_messages(bench: Any) -> None:
    """The flush also sends held quotes."""
    bench.behind(1)
    bench.run(0.5)
    assert len(bench.buffer) > 0
    bench.stop.set()
    bench.publisher.run()
    assert len(bench.buffer) == 0
    assert bench.turns("option_quote")[-1] == bench.market.turn - 1


@pytest.mark.parametrize(
    ("used", "made_in_5_s", "gives_way"),
    [(0.49, 50, None), (0.5, 50, "conflated"), (0.6, 25, "conflated"), (0.7, 25, "dropped"), (0.8, 0, None)],
)
def test_a_nearly_full_redis_causes_back_pressure_and_finally_pauses_the_market(
    used: float, made_in_5_s: int, gives_way: str | None, bench: Any, counted: Counted
) -> None:
    """All feeds share one Redis. Their streams stop growing while memory remains to process them."""
    bench.stream.used = used
    bench.run(1)
    made = bench.market.turn
    bench.run(5)
    assert bench.market.turn - made == made_in_5_s
    if gives_way:
        assert counted(f"feed_quotes_{gives_way}_total") > 0
    else:
        assert counted("feed_quotes_conflated_total") == counted("feed_quotes_dropped_total") == 0
    bench.stream.used = 0.1
    bench.run(3)
    assert bench.turns("underlying") == bench.turns("option_chain") == list(range(bench.market.turn))


def test_only_the_entries_that_a_full_redis_refused_are_sent_again(bench: Any) -> None:
    """A full Redis has lost no entry: resending confirmed entries would only use more memory."""
    bench.run(3)
    bench.stream.full = True
    bench.run(5)
    paused = bench.market.turn
    bench.run(5)
    assert bench.market.turn <= paused + 5, "the market pauses"
    bench.stream.full = False
    bench.run(5)
    assert bench.stream.repeated == 0
    assert bench.turns("underlying") == bench.turns("option_chain") == list(range(bench.market.turn))
    assert bench.market.turn > paused + 20


def test_a_paused_publisher_sleeps_until_its_next_check(bench: Any) -> None:
    """A paused publisher sleeps until its next check of the back-pressure."""
    bench.stream.used = 0.9
    bench.run(2)
    assert bench.publisher._pause_s() == pytest.approx(0.5)


def test_buffered_messages_are_held_while_redis_is_nearly_full(make_bench: Any) -> None:
    """After an outage a feed may have 64 MiB to send. It checks the memory every 256 KiB."""
    bench = make_bench(8 * 10**6)
    bench.stream.unavailable = True
    bench.run(1)
    tick = bench.market.advance().messages[0]
    large = type(tick)(tick.kind, None, tick.body.ljust(100_000))
    for _ in range(20):
        bench.buffer.add(large, 0, conflate=False)
    bench.stream.unavailable = False
    sent = 0

    def memory() -> float:
        nonlocal sent
        sent = sum(len(named.body) for named in bench.stream.got)
        return 0.8 if sent >= 500_000 else 0.1

    bench.stream.memory = memory
    bench.run(5)
    assert 500_000 <= sent <= 900_000
    bench.stream.memory = lambda: 0.1
    bench.run(5)
    assert sum(len(named.body) > 90_000 for named in bench.stream.got) == 20


def test_confirmed_messages_are_sent_again_after_a_full_redis_was_killed(bench: Any) -> None:
    """Redis may have lost the last two seconds, also if it rejected entries before."""
    bench.run(1)
    bench.stream.full = True
    bench.run(0.2)
    bench.stream.unavailable, bench.stream.full = True, False
    bench.run(1)
    bench.stream.unavailable = False
    bench.run(3)
    assert bench.stream.repeated > 0
    assert bench.turns("underlying") == list(range(bench.market.turn))
