"""Replay of a file of messages: what was recorded, at any speed, from one time to another, in many passes."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from feed_generator.bootstrap.sources import source
from feed_generator.config import Settings
from feed_generator.domain.pressure import CONFLATE
from feed_generator.errors import BadRecording
from feed_generator.publisher import Publisher
from feed_generator.sources.base import EmptySource, Source
from feed_generator.sources.message_replay import _LOOKED_AT, MessageReplay

SECOND = 10**9
START = 1_718_866_800 * SECOND  # 2024-06-20T07:00:00Z
Replay = Callable[..., Source]


def tick(at_s: float, product: str = "NIFTY") -> dict[str, Any]:
    return {"kind": "underlying", "product": product, "ts": START + int(at_s * SECOND), "price": 23500.0}


def written(path: Path, messages: Sequence[Any], *, compressed: bool = True, **changed: Any) -> Path:
    times = [message["ts"] for message in messages if isinstance(message, dict)]
    products = sorted({message["product"] for message in messages if isinstance(message, dict)})
    header = {"format": "deltastream-messages", "version": 1, "products": products}
    header |= {"first_ts": min(times, default=0), "last_ts": max(times, default=0), **changed}
    lines = [one if isinstance(one, str) else json.dumps(one) for one in (header, *messages)]
    text = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text) if compressed else text)
    return path


def replay(path: Path, **settings: Any) -> Source:
    usual = {"feed": "again", "source": "replay", "products": "NIFTY", "redis_url": "redis://127.0.0.1"}
    return source(Settings.model_validate(usual | {"replay_path": str(path)} | settings), 0, print)


def taken(made: Source, batches: int) -> list[tuple[float, list[dict[str, Any]], int]]:
    """Return when each batch is due in seconds, its bodies, and its pass."""
    found = []
    for _ in range(batches):
        due = made.due_ns()
        assert due is not None
        batch = made.advance()
        found.append((due / SECOND, [json.loads(m.body) for m in batch.messages], batch.pass_number))
    return found


@pytest.mark.parametrize("compressed", [True, False])
def test_every_message_is_sent_as_it_was_recorded(
    tmp_path: Path, compressed: bool, bodies: list[Any]
) -> None:
    """Only the feed is the replay's. Also the truth of a synthetic market stays."""
    recorded = [{name: value for name, value in body.items() if name != "feed"} for body in bodies[:500]]
    products = ",".join({body["product"] for body in recorded})
    made = replay(
        written(tmp_path / "day", recorded, compressed=compressed), products=products, replay_loop="Once"
    )
    sent = []
    while made.due_ns() is not None:
        sent += [json.loads(message.body) for message in made.advance().messages]
    assert sent == [{"feed": "again", **body} for body in recorded]


@pytest.mark.parametrize(("percent", "due"), [(100, [0, 1.5, 4]), (5000, [0, 0.03, 0.08]), (50, [0, 3, 8])])
def test_the_gaps_pass_at_the_given_speed(tmp_path: Path, percent: int, due: list[float]) -> None:
    """Messages of one instant come together."""
    file = written(tmp_path / "day", [tick(0), tick(1.5), tick(1.5), tick(4)])
    batches = taken(replay(file, speed_percent=percent, replay_loop="Once"), 3)
    assert [at for at, _, _ in batches] == due
    assert [len(sent) for _, sent, _ in batches] == [1, 2, 1]


def test_a_time_that_goes_back_takes_no_time(tmp_path: Path) -> None:
    """A recording of a replay has passes; the messages keep their order and their times."""
    file = written(tmp_path / "day", [tick(0), tick(2), tick(0), tick(2)])
    batches = taken(replay(file, replay_loop="Once"), 4)
    assert [at for at, _, _ in batches] == [0, 2, 2, 4]


def test_passes_are_numbered_and_an_interval_apart(tmp_path: Path) -> None:
    """`Once` ends after the first one."""
    file = written(tmp_path / "day", [tick(0), tick(2)])
    batches = taken(replay(file, replay_interval_millis=500), 5)
    assert [(at, number) for at, _, number in batches] == [(0, 1), (2, 1), (2.5, 2), (4.5, 2), (5, 3)]
    once = replay(file, replay_loop="Once")
    taken(once, 2)
    assert once.due_ns() is None


@pytest.mark.parametrize(
    ("first", "last", "seconds"),
    [
        ("2024-06-20T07:00:02Z", None, [2, 3, 4]),
        (None, "2024-06-20T12:30:02+05:30", [0, 1, 2]),
        ("2024-06-20T07:00:01Z", "2024-06-20T07:00:01.5Z", [1]),
    ],
)
def test_a_replay_goes_from_one_time_to_another(
    tmp_path: Path, first: str | None, last: str | None, seconds: list[int]
) -> None:
    """Both are included, and the first message is due at once."""
    file = written(tmp_path / "day", [tick(at) for at in range(5)])
    made = replay(file, replay_from=first, replay_to=last, replay_loop="Once")
    batches = taken(made, len(seconds))
    assert [(body["ts"] - START) // SECOND for _, sent, _ in batches for body in sent] == seconds
    assert batches[0][0] == 0
    assert made.due_ns() is None


def test_a_csv_is_replayed_from_one_time_to_another_too(tmp_path: Path, sample: Path) -> None:
    """The snapshots outside are left out."""
    text = sample.read_text()
    timed = "timestamp" in text.splitlines()[0]
    given = {} if timed else {"replay_as_of": "2024-06-20T07:00:00Z"}
    whole = taken(replay(sample, **given, replay_loop="Once"), 1)
    ts = whole[0][1][0]["ts"]
    assert ts > 0
    with pytest.raises(BadRecording, match="has nothing to replay between the given times"):
        replay(sample, **given, replay_to="2001-01-01T00:00:00Z")


def test_a_feed_replays_the_products_that_it_lists(tmp_path: Path) -> None:
    """Each of its shards replays its own; a product that the file lacks is named."""
    file = written(tmp_path / "day", [tick(0), tick(1, "SPY"), tick(2)])
    (_, sent, _), (second, more, _) = taken(replay(file, replay_loop="Once"), 2)
    assert [body["product"] for body in sent + more] == ["NIFTY", "NIFTY"]
    assert second == 2
    shards = [
        replay(file, products="NIFTY,SPY", shard_count=3, shard_index=index, replay_loop="Once")
        for index in range(3)
    ]
    assert sum(isinstance(shard, EmptySource) for shard in shards) >= 1
    found = []
    for shard in shards:
        while shard.due_ns() is not None:
            found += [json.loads(message.body)["product"] for message in shard.advance().messages]
    assert sorted(found) == ["NIFTY", "NIFTY", "SPY"]
    with pytest.raises(BadRecording, match="has no QQQ: the feed may list NIFTY, SPY"):
        replay(file, products="NIFTY,QQQ")


def test_a_file_that_cannot_be_replayed_is_one_line_with_the_fix(tmp_path: Path) -> None:
    """Found at the start, or where the replay reaches the damage."""
    ticks = [tick(at) for at in range(1000)]
    with pytest.raises(BadRecording, match="is 2; this release reads 1"):
        replay(written(tmp_path / "newer", ticks, version=2))
    with pytest.raises(BadRecording, match=r"goes from 2024-06-20T07:00:00.* to 2024-06-20T07:16:39"):
        replay(written(tmp_path / "day", ticks), replay_from="2030-01-01T00:00:00Z")
    parquet = tmp_path / "day.parquet"
    parquet.write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    with pytest.raises(BadRecording, match="run `deltastream convert"):
        replay(parquet)
    cut = tmp_path / "cut"
    whole = written(tmp_path / "whole", ticks).read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadRecording, match="damaged or cut off"):
        taken(replay(cut), 1000)
    for line in ("not JSON", '{"kind":"trade","product":"NIFTY","ts":1}', "[1]", '{"kind":"underlying"}'):
        made = replay(written(tmp_path / "bad", [tick(0), tick(1), line]))
        with pytest.raises(BadRecording, match=r"line 4.*is no message"):
            taken(made, 2)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Ten times the messages need at most half as much again."""
    peaks = []
    for count in (5_000, 50_000):
        made = replay(written(tmp_path / str(count), [tick(at) for at in range(count)]), replay_loop="Once")
        tracemalloc.start()
        while made.due_ns() is not None:
            made.advance()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] <= 1.5 * peaks[0], peaks


def test_back_pressure_pauses_a_replay_and_drops_nothing(
    tmp_path: Path, make_bench: Any, counted: Callable[[str], float]
) -> None:
    """A live market drops quotes when the enrichers lag. A recording can wait."""
    quotes = [tick(at / 10) | {"kind": "option_quote", "symbol": "A"} for at in range(100)]
    bench = make_bench()
    bench.market = replay(written(tmp_path / "day", quotes), replay_loop="Once")
    assert isinstance(bench.market, MessageReplay)
    bench.publisher = Publisher(
        bench.market, bench.stream, bench.buffer, high_water=100, stop=bench.stop, beat=lambda: None,
        pause_at=CONFLATE, clock=lambda: bench.now, jitter=lambda: 1.0,
    )  # fmt: skip
    bench.run(2)
    assert bench.behind(1.1) == bench.behind(3) <= 24
    bench.stream.behind = 0
    bench.run(20)
    assert len(bench.stream.got) == 100
    assert (counted("feed_quotes_dropped_total"), counted("feed_quotes_conflated_total")) == (0, 0)


@pytest.mark.parametrize("settings", [{}, {"replay_to": "2024-06-20T07:00:00Z"}])
def test_a_long_part_that_is_not_replayed_takes_many_steps(tmp_path: Path, settings: dict[str, str]) -> None:
    """Of other products, or behind `to`. The publisher goes on meanwhile, and the market keeps its time."""
    others = [tick(1, "SPY") for _ in range(3 * _LOOKED_AT)]
    made = replay(written(tmp_path / "day", [tick(0), *others, tick(2)]), **settings)
    assert isinstance(made, MessageReplay)
    assert len(made.advance().messages) == 1
    steps = 0
    while made.due_ns() == steps + 1:
        assert made.advance().messages == ()
        steps += 1
        made.step(steps)
    assert steps == 2
    assert made.due_ns() == (1 if settings else 2) * SECOND
    assert made.advance().pass_number == (2 if settings else 1)


def test_a_sought_time_is_due_when_it_is_found(tmp_path: Path) -> None:
    """The time that the search takes is not made up for by a burst of messages."""
    ticks = [tick(at / 1000) for at in range(3 * _LOOKED_AT)]
    made = replay(written(tmp_path / "day", ticks))
    assert isinstance(made, MessageReplay)
    made.seek(ticks[-1]["ts"])
    now = 0
    while len(made.advance().messages) == 0:
        now += SECOND
        made.step(now)
    assert now >= 3 * SECOND
    made.step(now)
    assert made.due_ns() == now + SECOND  # the next pass, after the interval
