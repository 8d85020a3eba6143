"""Put/call ratios: the newest and the history."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.contracts import validator

RECORDING = Path(__file__).parents[3] / "k8s" / "samples" / "data" / "nifty_2024-06-21_close.csv"
TS = 1_718_963_999_000_000_000
DAY = 86_400 * 10**9


def test_the_newest_ratios_of_an_expiry(get: Any, cached: Any, storage: Any) -> None:
    """They come from the cache alone, at the top level and in the object `latest`, as in the original."""
    shown = {name: value for name, value in cached.ratio().items() if not name.endswith("_reason")}
    answer = get("/pcr/NIFTY", expiry="2024-06-27").json
    assert answer == {
        "product": "NIFTY",
        "expiry": "2024-06-27",
        "pcr_oi": 0.7895,
        "pcr_volume": 0.8627,
        "latest": shown | {"pcr_oi": 0.7895, "pcr_volume": 0.8627, "reasons": {}},
        "source": "cache",
    }
    validator("cache-latest-pcr").validate(
        {name: value for name, value in answer["latest"].items() if name != "reasons"}
    )
    assert storage.seen == []


def test_the_newest_ratios_of_every_live_expiry(get: Any, cached: Any) -> None:
    """`latest` is a list, for clients that read `.latest[0]`; an expiry without a value is not live."""
    cached.ratio(expiry="2024-07-04", pcr_oi=1.25)
    cached.ratio()
    cached.ratio(expiry="2024-06-20")
    cached.redis.delete("latest:pcr:NIFTY:2024-06-20")
    latest = get("/pcr/NIFTY").json["latest"]
    assert [(one["expiry"], one["pcr_oi"]) for one in latest] == [
        ("2024-06-27", 0.7895),
        ("2024-07-04", 1.25),
    ]


def test_the_recorded_chain_has_its_published_ratios(get: Any, cached: Any) -> None:
    """NIFTY 2024-06-27 at the close of 2024-06-21 has 0.9155 and 0.9808, to four decimals."""
    totals = {name: {"C": 0, "P": 0} for name in ("oi", "vol")}
    with RECORDING.open() as file:
        for row in csv.DictReader(file):
            for name, sides in totals.items():
                sides[row["side"]] += int(row[name])
    cached.ratio(
        pcr_oi=totals["oi"]["P"] / totals["oi"]["C"],
        pcr_volume=totals["vol"]["P"] / totals["vol"]["C"],
        total_call_oi=totals["oi"]["C"],
        total_put_oi=totals["oi"]["P"],
    )
    answer = get("/pcr/NIFTY", expiry="2024-06-27").json
    assert (answer["pcr_oi"], answer["pcr_volume"]) == (0.9155, 0.9808)


@pytest.mark.parametrize(
    ("changes", "name", "reason"),
    [
        ({"pcr_oi": None, "pcr_oi_reason": "no_call_open_interest"}, "pcr_oi", "no_call_open_interest"),
        ({"pcr_volume": None, "pcr_volume_reason": "one_side"}, "pcr_volume", "one_side"),
        ({"pcr_volume": None, "pcr_volume_reason": "why not"}, "pcr_volume", "missing"),
        ({"pcr_oi": None}, "pcr_oi", "missing"),
        ({"pcr_oi": "0.8"}, "pcr_oi", "missing"),
        ({"pcr_oi": True}, "pcr_oi", "missing"),
        ({"total_put_oi": "1.5"}, "total_put_oi", "missing"),
    ],
)
def test_an_unknown_value_is_null_with_a_reason(
    get: Any, cached: Any, changes: dict[str, Any], name: str, reason: str
) -> None:
    """An unknown value is null, never 0 or a guess."""
    cached.ratio(**changes)
    answer = get("/pcr/NIFTY", expiry="2024-06-27").json
    assert (answer["latest"][name], answer["latest"]["reasons"]) == (None, {name: reason})


def test_history_comes_from_storage_newest_first(
    get: Any, cached: Any, storage: Any, make_stored: Callable[..., Any]
) -> None:
    """It appears only on request, is rounded like the newest ratios, and has 100 entries by default."""
    cached.ratio()
    for number, ratio in ((1, 0.91548), (2, None)):
        storage.chains.append(make_stored("option_chains", ts=TS + number, pcr_oi=ratio))
    assert "history" not in get("/pcr/NIFTY", history="false").json
    assert storage.seen == []
    history = get("/pcr/NIFTY", expiry="2024-06-27", history="true").json["history"]
    assert [(one["ts"] - TS, one["pcr_oi"]) for one in history] == [(2, None), (1, 0.9155)]
    assert [one["reasons"] for one in history] == [{"pcr_oi": "not_stored"}, {}]
    assert history[0]["timestamp"] == "2024-06-21T09:59:59.000Z"
    (seen,) = storage.seen
    assert (seen.path, seen.query) == ("/pcr/NIFTY", {"limit": "100", "expiry": "2024-06-27"})


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"limit": "5"}, {"limit": "5"}),
        ({"limit": "0"}, {"limit": "1"}),
        ({"limit": "-7"}, {"limit": "1"}),
        ({"limit": "100000"}, {"limit": "1000"}),
        (
            {"start": "2024-06-21T15:30:00.5+05:30"},
            {"limit": "100", "start": "2024-06-21T10:00:00.500000000Z"},
        ),
        ({"start": "0001-01-02T00:00:00Z"}, {"limit": "100", "start": "1970-01-01T00:00:00.000000000Z"}),
        ({"end": "9999-12-31T23:59:59Z"}, {"limit": "100", "end": "2100-01-01T00:00:00.000000000Z"}),
    ],
)
def test_bounds_of_the_history_are_clamped(
    get: Any, cached: Any, storage: Any, given: dict[str, str], asked: dict[str, str]
) -> None:
    """Limits and times are clamped to their ranges, and each of these parameters requests a history."""
    cached.ratio()
    answer = get("/pcr/NIFTY", **given)
    assert answer.status_code == 200
    assert answer.json["history"] == []
    assert storage.seen[0].query == asked


def test_without_a_cached_value_storage_answers(
    get: Any, storage: Any, make_stored: Callable[..., Any]
) -> None:
    """Stored ratios have no totals; an expiry is live if its last chain is within a day of the newest."""
    storage.chains = [
        make_stored("option_chains", ts=TS),
        make_stored("option_chains", ts=TS - 1, pcr_oi=0.5),
        make_stored("option_chains", ts=TS - DAY, expiry="2024-07-04"),
        make_stored("option_chains", ts=TS - DAY - 1, expiry="2024-06-20"),
    ]
    answer = get("/pcr/NIFTY").json
    assert answer["source"] == "storage"
    assert [one["expiry"] for one in answer["latest"]] == ["2024-06-27", "2024-07-04"]
    first = answer["latest"][0]
    assert (first["pcr_oi"], first["total_call_oi"]) == (0.7895, None)
    assert set(first["reasons"].values()) == {"not_stored"}
    assert get("/pcr/NIFTY", expiry="2024-06-20").json["pcr_oi"] == 0.7895
