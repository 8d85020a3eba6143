"""Bars are merged from the cache and storage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from devcluster.ports import free_port
from tests.support.contracts import example, validator
from tests.support.problems import assert_problem

START = 1_718_963_940


def test_a_cached_and_a_stored_bar_of_one_window_are_merged(
    get: Any, cached: Any, storage: Any, make_stored: Callable[..., Any]
) -> None:
    """The newest bar is also at the top level, where the original had its only bar."""
    validator("cache-ohlc-bar").validate(cached.bar())
    storage.bars = [make_stored("ohlc_bars")]
    bar = {"open": 23500.2, "high": 23502.0, "low": 23499.9, "close": 23501.1}
    assert get("/ohlc/NIFTY", window=1).json == {
        "product": "NIFTY",
        "window": "1m",
        "window_minutes": 1,
        **bar,
        "start_time": "2024-06-21T09:59:01.000Z",
        "end_time": "2024-06-21T09:59:59.000Z",
        "count": 1,
        "bars": [{"start": "2024-06-21T09:59:00.000Z", "end": "2024-06-21T10:00:00.000Z", **bar}],
        "complete": True,
        "reasons": {},
    }
    assert storage.seen[0].query == {"window": "1", "limit": "100"}


def test_the_first_open_and_the_last_close_of_both_sources_win(
    get: Any, cached: Any, storage: Any, make_stored: Callable[..., Any]
) -> None:
    """The cache lacks the start of the window, and storage lacks the end."""
    early, late = "1718963940000000000", "1718963999500000000"
    tail = "-0000000003-000000000000001"
    cached.bar(
        open=23501.0,
        open_order=early[:-10] + "5" + early[-9:] + tail,
        close=9.5,
        low=9.5,
        close_order=late + tail,
    )
    storage.bars = [make_stored("ohlc_bars", open=1.5, low=1.5, high=99999.0, open_order=early + tail)]
    (bar,) = get("/ohlc/NIFTY", window=1).json["bars"]
    assert (bar["open"], bar["high"], bar["low"], bar["close"]) == (1.5, 99999.0, 1.5, 9.5)


def test_closed_bars_come_from_storage_newest_first(
    get: Any, cached: Any, storage: Any, make_stored: Callable[..., Any]
) -> None:
    """The current bar comes from the cache, older ones from storage, and each window appears once."""
    cached.bar()
    storage.bars = [make_stored("ohlc_bars", start=f"2024-06-21T09:{minute}:00Z") for minute in (56, 57, 59)]
    storage.bars.append(make_stored("ohlc_bars", window_minutes=5))
    starts = [bar["start"][11:16] for bar in get("/ohlc/NIFTY", window=1).json["bars"]]
    assert starts == ["09:59", "09:57", "09:56"]
    assert [bar["start"][11:16] for bar in get("/ohlc/NIFTY", window=1, limit=2).json["bars"]] == starts[:2]


@pytest.mark.parametrize("minutes", [1, 5, 15, 60])
def test_every_length_has_its_own_bars(get: Any, cached: Any, minutes: int) -> None:
    """`window` selects the length."""
    start = START // (60 * minutes) * 60 * minutes
    cached.bar(minutes, start=start, close=float(minutes))
    answer = get("/ohlc/NIFTY", window=minutes).json
    assert (answer["window_minutes"], answer["close"]) == (minutes, float(minutes))


def test_the_default_window_is_five_minutes(get: Any, cached: Any) -> None:
    """The default is the original's."""
    cached.bar(5, start=START - 240)
    assert get("/ohlc/NIFTY").json["window"] == "5m"


def test_enough_cached_bars_need_no_storage(get: Any, cached: Any, storage: Any) -> None:
    """Only the oldest cached bar can be incomplete, so more bars than the limit are enough."""
    for number in range(4):
        cached.bar(start=START - 60 * number)
    assert get("/ohlc/NIFTY", window=1, limit=3).json["count"] == 3
    assert storage.seen == []
    assert get("/ohlc/NIFTY", window=1, limit=4).json["count"] == 4
    assert len(storage.seen) == 1


@pytest.mark.parametrize(("limit", "asked"), [("0", "1"), ("-3", "1"), ("5000", "1000")])
def test_a_limit_is_clamped(get: Any, cached: Any, storage: Any, limit: str, asked: str) -> None:
    """Limits are clamped to 1..1000."""
    cached.bar()
    assert get("/ohlc/NIFTY", window=1, limit=limit).status_code == 200
    assert storage.seen[0].query["limit"] == asked


def test_without_storage_the_cached_bars_are_marked_incomplete(make_get: Any, cached: Any) -> None:
    """The response has the cached bars and is marked as incomplete."""
    cached.bar()
    get = make_get(storage_url=f"http://127.0.0.1:{free_port()}")
    answer = get("/ohlc/NIFTY", window=1).json
    assert (answer["count"], answer["complete"]) == (1, False)
    assert answer["reasons"] == {"bars": "storage_unavailable"}


def test_without_a_cache_storage_has_all_bars(
    make_get: Any, storage: Any, make_stored: Callable[..., Any]
) -> None:
    """The enricher stores data before it caches it, so storage has every bar."""
    storage.bars = [make_stored("ohlc_bars")]
    get = make_get(redis_url=f"redis://127.0.0.1:{free_port()}/0")
    answer = get("/ohlc/NIFTY", window=1).json
    assert (answer["count"], answer["complete"]) == (1, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"close": None},
        {"high": "1"},
        {"low": 0},
        {"open_order": "1-2-3"},
        {"start": -60},
        {"close_order": None},
    ],
)
def test_a_bar_that_violates_its_contract_is_omitted(get: Any, cached: Any, changes: dict[str, Any]) -> None:
    """A bar is usable only with all its fields."""
    cached.bar(start=START - 60)
    cached.bar(**changes)
    assert get("/ohlc/NIFTY", window=1).json["count"] == 1


def test_no_bars_anywhere_is_not_found(get: Any) -> None:
    """An empty list would imply that the product exists."""
    body = assert_problem(get("/ohlc/NIFTY", window=15), 404, "unknown_product")
    assert body["detail"] == "no bars of NIFTY with a window of 15 minutes are known"


def test_the_golden_bar_is_the_golden_document() -> None:
    """The two golden examples are the same bar, so these tests merge the same bar."""
    names = ("open", "high", "low", "close", "open_order", "close_order")
    bar, document = example("cache-ohlc-bar"), example("document-ohlc_bars")
    assert {name: bar[name] for name in names} == {name: document[name] for name in names}
