"""Recordings that do not fit in memory: they replay like others, and memory does not grow with them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from feed_generator.domain.rulebook import known_rules
from feed_generator.sources import loading
from feed_generator.sources.formats.row import Told
from feed_generator.sources.loading import Loaded
from feed_generator.sources.recording import Snapshot
from feed_generator.sources.replay import Replay

Load = Callable[..., Loaded]
HEADER = "timestamp,expiry,strike,spot,side,ltp,bid,ask,bid_qty,ask_qty,vol,oi,prev_oi,close"
SECOND = 10**9


def _day(path: Path, snapshots: int, *, descending: bool = False) -> Path:
    """A recording of NIFTY with one strike, a snapshot a second."""
    rows = [
        f"2024-06-21T{10 + at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}+05:30,2024-06-27,23500,"
        f"23501.5,{side},{at},100,101,25,25,25,25,25,100"
        for at in range(snapshots)
        for side in "CP"
    ]
    if descending:
        rows.reverse()
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def _replay(
    loaded: Loaded, *, forever: bool = False, wanted: Callable[[Snapshot], bool] = lambda _: True
) -> Replay:
    return Replay(
        feed="nifty-replay",
        terms=known_rules(["NIFTY"]),
        snapshots=loaded.snapshots,
        wanted=wanted,
        speed_percent=100,
        interval_ns=SECOND,
        forever=forever,
        span=(loaded.first_ts, loaded.last_ts),
    )


def _bodies(replay: Replay, instants: int) -> list[bytes]:
    return [message.body for _ in range(instants) for message in replay.advance().messages]


@pytest.mark.parametrize("descending", [False, True])
def test_a_long_recording_replays_like_one_in_memory(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, descending: bool
) -> None:
    """Each pass reads the file again, with the same messages. Rows may be out of order."""
    path = str(_day(tmp_path / "day.csv", 40, descending=descending))
    kept = load(path)
    monkeypatch.setattr(loading, "KEPT_ROWS", 10)
    long = load(path)
    assert isinstance(kept.snapshots, list)
    assert not isinstance(long.snapshots, list)
    assert (long.first_ts, long.last_ts) == (kept.snapshots[0].ts, kept.snapshots[-1].ts)
    assert long.last_ts - long.first_ts == 39 * SECOND
    assert _bodies(_replay(long, forever=True), 90) == _bodies(_replay(kept, forever=True), 90)


def test_a_seek_in_a_long_recording_looks_at_a_part_of_the_file_in_a_step(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first instant at or after the time is the next one."""
    monkeypatch.setattr(loading, "KEPT_ROWS", 10)
    loaded = load(str(_day(tmp_path / "day.csv", 200)))
    replay, steps = _replay(loaded), 0
    replay.seek(loaded.first_ts + 180 * SECOND - 1)
    while replay.due_ns() == steps + 1:
        steps += 1
        replay.step(steps)
    assert steps == 180 // 50 + 1
    assert replay.position_ts == loaded.first_ts + 180 * SECOND
    assert len(_bodies(replay, 200)) == 20 * 4  # a tick, a chain and two quotes


def test_a_part_that_is_not_replayed_is_looked_at_in_steps_too(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before `from`, behind `to`, and the products of other generators."""
    monkeypatch.setattr(loading, "KEPT_ROWS", 10)
    loaded = load(str(_day(tmp_path / "day.csv", 200)))
    begin = loaded.first_ts + 180 * SECOND
    replay = _replay(loaded, wanted=lambda one: one.ts >= begin)
    steps = 0
    while replay.due_ns() == steps + 1:
        steps += 1
        replay.step(steps)
    assert steps == 180 // 50  # the first part is read at the start
    assert replay.position_ts == begin
    assert len(_bodies(replay, 200)) == 20 * 4


def test_each_reading_of_a_long_recording_beats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the liveness probe would end the generator while it reads."""
    monkeypatch.setattr(loading, "KEPT_ROWS", 10)
    monkeypatch.setattr(loading, "_BEAT_ROWS", 100)
    path, beats = str(_day(tmp_path / "day.csv", 200)), []
    terms = known_rules(["NIFTY"])
    told = Told(products=("NIFTY",), lots=loading.lots_of(terms))
    loaded = loading.load(path, "auto", told, terms, lambda: beats.append(1))
    assert len(beats) == 4  # two rows a snapshot
    assert len(list(loaded.snapshots)) == 200
    assert len(beats) == 8


def test_memory_does_not_grow_with_a_recording(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither when it is checked nor when it is replayed."""
    monkeypatch.setattr(loading, "KEPT_ROWS", 10)
    monkeypatch.setattr(loading, "_WINDOW", 100)
    peaks = []
    for snapshots in (300, 3000):
        path = str(_day(tmp_path / "day.csv", snapshots))
        tracemalloc.start()
        replay = _replay(load(path))
        while replay.due_ns() is not None:
            replay.advance()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert all(after < 1.5 * before for before, after in pairwise(peaks)), peaks
