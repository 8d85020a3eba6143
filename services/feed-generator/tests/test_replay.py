"""Replay of a recording: event times, speed, and numbered passes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from feed_generator.domain.rulebook import rules
from feed_generator.sources.loading import Loaded
from feed_generator.sources.recording import RecordedChain, Snapshot
from feed_generator.sources.replay import QUOTED_STRIKES, Replay

Load = Callable[..., Loaded]
AS_OF = datetime(2024, 6, 20, 7, tzinfo=UTC)
TS = 1_718_866_800_000_000_000
SECOND = 10**9
LEGS = {
    "bid": "bid",
    "ask": "ask",
    "last": "ltp",
    "bid_size": "bid_qty",
    "ask_size": "ask_qty",
    "volume": "vol",
    "open_interest": "oi",
    "previous_close": "close",
    "previous_open_interest": "prev_oi",
}


def _replay(snapshots: list[Snapshot], **settings: Any) -> Replay:
    known = {"NIFTY": rules("NIFTY")}
    usual = {"speed_percent": 100, "interval_ns": SECOND, "forever": True}
    return Replay(feed="nifty-replay", terms=known, snapshots=snapshots, **usual | settings)


def _leg(**values: float) -> dict[str, float | int]:
    return dict.fromkeys(LEGS, 0) | values


def _snapshot(ts: int, spot: float = 23500.0) -> Snapshot:
    chain = RecordedChain(date(2024, 6, 27))
    chain.add(23500.0, True, _leg(bid=spot / 200))
    return Snapshot(ts, spot, {chain.expiry: chain}, "NIFTY")


def _bodies(source: Replay) -> list[dict[str, Any]]:
    return [json.loads(message.body) for message in source.advance().messages]


def test_the_values_of_a_shipped_recording_are_sent_unchanged(sample: Path, load: Load) -> None:
    """Every cell of the CSV is in the chain. A leg that the file does not have is all zeros."""
    with sample.open() as file:
        rows = {(r["expiry"], float(r["strike"]), r["side"]): r for r in csv.DictReader(file)}
    tick, *others = _bodies(_replay(load(str(sample), as_of=AS_OF).snapshots))
    spot = float(next(iter(rows.values()))["spot"])
    assert (tick["price"], tick["ts"], tick["truth"]) == (spot, TS, None)
    chains = [body for body in others if body["kind"] == "option_chain"]
    assert {chain["expiry"] for chain in chains} == {expiry for expiry, _, _ in rows}
    found = 0
    for chain in chains:
        assert chain["strikes"] == sorted({k for expiry, k, _ in rows if expiry == chain["expiry"]})
        for side, legs in (("C", chain["calls"]), ("P", chain["puts"])):
            for index, strike in enumerate(chain["strikes"]):
                row = rows.get((chain["expiry"], strike, side))
                found += row is not None
                for ours, theirs in LEGS.items():
                    assert legs[ours][index] == (float(row[theirs]) if row else 0)
    assert found == len(rows)


def test_quotes_are_the_strikes_nearest_to_the_spot(sample: Path, load: Load) -> None:
    """Each chain's nearest strikes are quoted on both sides, with the chain's values."""
    bodies = _bodies(_replay(load(str(sample), as_of=AS_OF).snapshots))
    for chain in (body for body in bodies if body["kind"] == "option_chain"):
        near = sorted(chain["strikes"], key=lambda k: abs(k - chain["spot_price"]))[:QUOTED_STRIKES]
        quotes = [b for b in bodies if b["kind"] == "option_quote" and b["expiry"] == chain["expiry"]]
        assert {quote["strike"] for quote in quotes} == set(near)
        for quote in quotes:
            legs = chain["calls" if quote["option_type"] == "CALL" else "puts"]
            index = chain["strikes"].index(quote["strike"])
            for column in ("bid", "ask", "last", "bid_size", "ask_size", "volume", "open_interest"):
                assert quote[column] == legs[column][index]


def test_messages_have_the_contract_rules_of_the_recordings_date(sample: Path, load: Load) -> None:
    """In June 2024 NIFTY's lot size was 25, and contracts expired at 15:30 in India."""
    for body in _bodies(_replay(load(str(sample), as_of=AS_OF).snapshots))[1:]:
        assert (body["lot_size"], body["exercise"], body["oi_unit"]) == (25, "European", "shares")
        at_close = datetime.fromisoformat(f"{body['expiry']}T15:30:00+05:30")
        assert body["expiry_ts"] == int(at_close.timestamp()) * SECOND


@pytest.mark.parametrize(("speed", "gap"), [(100, 60 * SECOND), (200, 30 * SECOND), (50, 120 * SECOND)])
def test_the_speed_changes_no_event_time(speed: int, gap: int) -> None:
    """The speed changes when a snapshot is published, but not its event time."""
    source = _replay([_snapshot(TS), _snapshot(TS + 60 * SECOND, 23600.0)], speed_percent=speed)
    dues, times = [], []
    for _ in range(4):
        dues.append(source.due_ns())
        times.append({body["ts"] for body in _bodies(source)})
    assert dues == [0, gap, gap + SECOND, 2 * gap + SECOND]
    assert times == [{TS}, {TS + 60 * SECOND}] * 2


def test_passes_are_numbered_and_have_equal_event_times() -> None:
    """Two passes have the same event times, so the pass number orders them."""
    source = _replay([_snapshot(TS), _snapshot(TS + SECOND)])
    batches = [source.advance() for _ in range(6)]
    assert [batch.pass_number for batch in batches] == [1, 1, 2, 2, 3, 3]
    assert batches[0].messages == batches[2].messages == batches[4].messages


def test_once_ends_after_the_last_snapshot() -> None:
    """After the last snapshot no further batch is due."""
    source = _replay([_snapshot(TS), _snapshot(TS + SECOND)], forever=False)
    source.advance()
    assert source.due_ns() == SECOND
    source.advance()
    assert source.due_ns() is None


def test_a_skipped_gap_changes_no_time_of_a_recording() -> None:
    """`skip` changes neither the event times nor the due times of a recording."""
    source = _replay([_snapshot(TS), _snapshot(TS + SECOND)])
    source.skip(10**12)
    assert {body["ts"] for body in _bodies(source)} == {TS}
    assert source.due_ns() == SECOND


def test_a_strike_with_one_leg_has_zeros_on_the_other_side() -> None:
    """The missing leg also gets no quote message."""
    tick, chain, *quotes = _bodies(_replay([_snapshot(TS)]))
    assert tick["kind"] == "underlying"
    assert chain["calls"]["bid"] == [117.5]
    assert chain["puts"].pop("previous_open_interest") == [None]
    assert all(column == [0] for column in chain["puts"].values())
    assert [quote["symbol"] for quote in quotes] == ["NIFTY20240627C23500"]
