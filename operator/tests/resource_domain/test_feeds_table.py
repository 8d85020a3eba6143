"""Test the feeds table: it follows its contract, whatever is known of a feed, and its size is bounded."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.contracts import example, validator
from tests.support.feeds import NOON, a_feed, decided, load, serving, wrote

from deltastream_operator.domain.feed import (
    ConfigMapRef,
    Deribit,
    External,
    Kite,
    Replay,
    Source,
    Synthetic,
)
from deltastream_operator.domain.feeds_table import FEEDS_MAX, POINTS_MAX, Entry, History, build
from deltastream_operator.domain.signals import WAITING, Reading

BUSY = load(lag=27833, pending=512, oldest_seconds=4.21, arrivals_per_second=4011.66, service_seconds=165e-6)


def entry(name: str = "a", reading: Reading = BUSY, **known: Any) -> Entry:
    """An Automatic feed whose enrichers were scaled from 1 to 4, of which 2 serve."""
    status = wrote(decided(reading=reading), serving(1, 2), wrote(decided(reading=WAITING), serving(1, 1)))
    return Entry(**{"name": name, "feed": a_feed(), "status": status, "reading": reading, **known})


def built(*entries: Entry, history: History | None = None) -> dict[str, Any]:
    table = build(entries, history or History(), now=NOON, authority="local")
    validator("feeds-table").validate(table)
    return table


def test_a_row_has_what_the_operator_knows_and_decided() -> None:
    """Mode, load, replicas, conditions, and the decisions in the operator's own words."""
    (row,) = built(entry())["feeds"]
    assert set(row) == set(example("feeds-table")["feeds"][0])
    assert (row["name"], row["mode"], row["source"], row["products"]) == (
        "a",
        "Automatic",
        "synthetic",
        ["P0"],
    )
    assert row["generator"] == {"desired": 1, "ready": 1}
    assert row["enricher"]["ready"] == 2
    assert row["enricher"]["desired"] == row["decisions"][-1]["to"] > 1
    numbers = ("lag", "oldest_seconds", "arrivals_per_second", "service_seconds", "load_reason")
    assert [row[name] for name in numbers] == [27833, 4.2, 4011.7, 0.000165, None]
    assert row["decisions"][-1]["message"].startswith("enricher 1 -> ")
    assert {one["type"] for one in row["conditions"]} >= {"Ready", "Paused", "ScalingLimited"}


@pytest.mark.parametrize(
    ("source", "kind", "origin"),
    [
        (Synthetic(seed=5), "synthetic", "seed 5"),
        (Replay(path=Path("/somewhere/nifty.csv")), "replay", "nifty.csv"),
        (Replay(config_map=ConfigMapRef(name="nifty")), "replay", "nifty/recording.csv"),
        (External(), "external", ""),
        (Deribit(currencies=("BTC", "ETH")), "deribit", "BTC, ETH at www.deribit.com"),
        (Kite(url="wss://user:word@example.com/?key=word"), "kite", "example.com"),
    ],
)
def test_a_row_names_the_source_and_its_origin(source: Source, kind: str, origin: str) -> None:
    """The API gateway accepts messages only for an external feed. Nothing of a URL but its host is shown."""
    (row,) = built(entry(feed=replace(a_feed(), source=source)))["feeds"]
    assert (row["source"], row["origin"]) == (kind, origin)


def test_an_unknown_load_is_null_with_its_reason() -> None:
    """An unknown number is never 0."""
    (row,) = built(entry(reading=WAITING))["feeds"]
    numbers = ("lag", "oldest_seconds", "arrivals_per_second", "service_seconds")
    assert [row[name] for name in numbers] == [None] * 4
    assert row["load_reason"] == "FirstReading: rates need a second reading"


def test_a_feed_without_spec_or_status_has_a_row() -> None:
    """A new feed, and one whose spec cannot be read, are listed too."""
    (row,) = built(entry(feed=None, status={}))["feeds"]
    assert (row["mode"], row["source"], row["products"], row["conditions"]) == (None, None, [], [])
    assert row["enricher"] == {"desired": None, "ready": 0}


def test_a_status_that_a_person_edited_gives_a_valid_row() -> None:
    """The CRD requires no field of a decision, and allows longer messages than the table."""
    status = dict(entry().status)
    status["decisions"] = [{"reason": "x"}, *status["decisions"]]
    status["conditions"] = [{**one, "message": "m" * 30_000} for one in status["conditions"]]
    (row,) = built(entry(status=status))["feeds"]
    assert [one["component"] for one in row["decisions"]] == [
        one["component"] for one in status["decisions"][1:]
    ]


@pytest.mark.parametrize("seconds", [2, 10, 25])
def test_the_history_has_a_point_each_ten_seconds_for_ten_minutes(seconds: int) -> None:
    """It is bounded, oldest first, and its columns have equal lengths."""
    history = History()
    for number in range(1200 // seconds):
        now = NOON + timedelta(seconds=seconds * number)
        history.add([entry(reading=load(lag=number) if number % 2 else WAITING)], now)
    (row,) = built(entry(), history=history)["feeds"]
    at, lag, enrichers = (row["history"][name] for name in ("at", "lag", "enrichers"))
    assert len(at) == len(lag) == len(enrichers) == min(POINTS_MAX, 1200 // max(10, seconds))
    steps = {later - sooner for sooner, later in itertools.pairwise(at)}
    assert steps == {max(10, seconds)}
    assert None in lag
    assert set(enrichers) == {2}


def test_the_history_survives_a_clock_that_was_set_back_and_forgets_a_deleted_feed() -> None:
    """Otherwise it would stop for as long as the clock was wrong, or never end."""
    history = History()
    for now in (NOON, NOON - timedelta(hours=1), NOON - timedelta(hours=1, seconds=-2)):
        history.add([entry()], now)
    assert len(history.of("a")) == 2
    history.add([entry("b")], NOON)
    assert history.of("a") == []


def test_the_table_is_bounded_and_says_what_it_omits() -> None:
    """200 feeds with full histories take about 1 MB; further feeds are counted."""
    history = History()
    replay = replace(a_feed(), source=Replay(), products=tuple(f"P{n}" for n in range(150)))
    entries = [entry(f"f-{number:03d}", feed=replay) for number in range(FEEDS_MAX + 5)]
    for number in range(POINTS_MAX):
        history.add(entries, NOON + timedelta(seconds=10 * number))
    table = built(*reversed(entries), history=history)
    assert table["omitted"] == 5
    assert [row["name"] for row in table["feeds"]] == [f"f-{number:03d}" for number in range(FEEDS_MAX)]
    assert {(len(row["products"]), row["product_count"]) for row in table["feeds"]} == {(100, 150)}
    size = len(json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode())
    print(f"{FEEDS_MAX} feeds: {size:,} bytes")
    assert size < 2_000_000
