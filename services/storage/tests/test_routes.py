"""The routes return the documents that the enricher stores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pymongo.database import Database
from tests.support.contracts import example, validator
from werkzeug.test import TestResponse

from storage import queries

Get = Callable[..., TestResponse]
Make = Callable[..., dict[str, Any]]
Db = Database[dict[str, Any]]
TS = 1_718_963_999_000_000_000
SECOND = 1_000_000_000


def nth(number: int, **changes: Any) -> dict[str, Any]:
    """Return changes that make the golden document the `number`th of a series, one second apart."""
    return {"_id": f"{number:024x}", "mid": f"3:{number}", "ts": TS + number * SECOND, **changes}


def test_products_are_listed_once_in_order(get: Get, database: Db, make_document: Make) -> None:
    """Products with ticks or chains appear once, sorted."""
    for number, product in enumerate(("NIFTY", "BANKNIFTY", "NIFTY", "M&M"), 1):
        database.underlying_ticks.insert_one(
            make_document("underlying_ticks", **nth(number, product=product))
        )
    database.option_chains.insert_one(make_document("option_chains", product="FINNIFTY"))
    assert get("/products").json == {"products": ["BANKNIFTY", "FINNIFTY", "M&M", "NIFTY"]}


def test_ticks_come_newest_first_and_keep_their_contract(get: Get, database: Db, make_document: Make) -> None:
    """A tick in a response is the document without `_id`."""
    for number in (2, 1, 3):
        database.underlying_ticks.insert_one(make_document("underlying_ticks", **nth(number)))
    database.underlying_ticks.insert_one(make_document("underlying_ticks", **nth(9, product="M&M")))
    answer = get("/underlying/NIFTY").json
    assert (answer["product"], answer["count"]) == ("NIFTY", 3)
    assert [tick["mid"] for tick in answer["ticks"]] == ["3:3", "3:2", "3:1"]
    for tick in answer["ticks"]:
        assert "_id" not in tick
        validator("document-underlying_ticks").validate({**tick, "_id": "0" * 24})
    assert answer["ticks"][0]["timestamp"] == "2024-06-21T09:59:59.000Z"
    assert answer["ticks"][0]["processed_at"] == "2026-11-24T19:20:00.125Z"
    assert get("/underlying/M%26M").json["count"] == 1


def test_start_and_end_are_inclusive_to_the_nanosecond(get: Get, database: Db, make_document: Make) -> None:
    """`start` and `end` bound the event time; a time without an offset is UTC."""
    for number in (1, 2, 3):
        database.underlying_ticks.insert_one(make_document("underlying_ticks", **nth(number)))

    def mids(**query: str) -> list[str]:
        return [tick["mid"] for tick in get("/underlying/NIFTY", **query).json["ticks"]]

    assert mids(start="2024-06-21T10:00:01Z") == ["3:3", "3:2"]
    assert mids(start="2024-06-21T10:00:01") == ["3:3", "3:2"]
    assert mids(start="2024-06-21T15:30:01+05:30", end="2024-06-21T10:00:01.000000000Z") == ["3:2"]
    assert mids(start="2024-06-21T10:00:01.000000001Z") == ["3:3"]
    assert mids(end="9999-12-31T23:59:59Z", start="0001-01-01T00:00:00Z") == ["3:3", "3:2", "3:1"]


def test_quotes_of_a_contract_keep_their_contract(get: Get, database: Db, make_document: Make) -> None:
    """A quote in a response is the document without `_id`."""
    for number in (1, 2):
        database.option_quotes.insert_one(make_document("option_quotes", **nth(number)))
    answer = get("/option/quote/NIFTY20240627C23500", limit=1).json
    assert (answer["symbol"], answer["count"]) == ("NIFTY20240627C23500", 1)
    assert answer["quotes"][0]["mid"] == "3:2"
    validator("document-option_quotes").validate({**answer["quotes"][0], "_id": "0" * 24})


def test_a_chain_has_one_row_per_contract(get: Get, database: Db, make_document: Make) -> None:
    """The stored columns become rows, and all other fields stay the same."""
    golden = example("document-option_chains")
    database.option_chains.insert_one(make_document("option_chains"))
    answer = get("/option/chain/NIFTY").json
    assert (answer["product"], answer["count"], answer["truncated"]) == ("NIFTY", 1, False)
    (chain,) = answer["chains"]
    assert set(chain) == set(golden) - {"_id"}
    assert chain["strikes"] == golden["strikes"]
    for side, option_type in (("calls", "CALL"), ("puts", "PUT")):
        assert [row["strike"] for row in chain[side]] == golden["strikes"]
        assert {row["option_type"] for row in chain[side]} == {option_type}
        for name, column in golden[side].items():
            assert [row[name] for row in chain[side]] == column
    assert chain["calls"][1]["symbol"] == "NIFTY20240627C23500"
    assert chain["puts"][0]["symbol"] == "NIFTY20240627P23450"
    columns = {side: golden[side] for side in ("calls", "puts")}
    validator("document-option_chains").validate({**chain, **columns, "_id": golden["_id"]})


def test_a_chain_can_be_requested_as_columns(get: Get, database: Db, make_document: Make) -> None:
    """Services read columns, which saves the conversion to rows and back."""
    database.option_chains.insert_one(make_document("option_chains"))
    (chain,) = get("/option/chain/NIFTY", shape="columns").json["chains"]
    golden = example("document-option_chains")
    assert (chain["calls"], chain["puts"]) == (golden["calls"], golden["puts"])
    validator("document-option_chains").validate({**chain, "_id": golden["_id"]})


def test_chains_are_filtered_by_expiry_and_time(get: Get, database: Db, make_document: Make) -> None:
    """The matching chains are newest first."""
    for number, expiry in enumerate(("2024-06-27", "2024-07-04", "2024-06-27"), 1):
        database.option_chains.insert_one(make_document("option_chains", **nth(number, expiry=expiry)))

    def mids(**query: Any) -> list[str]:
        return [chain["mid"] for chain in get("/option/chain/NIFTY", **query).json["chains"]]

    assert mids() == ["3:3", "3:2", "3:1"]
    assert mids(expiry="2024-06-27") == ["3:3", "3:1"]
    assert mids(expiry="2024-06-27", limit=1) == ["3:3"]
    assert mids(end="2024-06-21T10:00:01Z") == ["3:2", "3:1"]


def test_the_number_of_rows_in_a_response_is_limited(
    get: Get, database: Db, make_document: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The response has fewer chains and `truncated: true`, but always at least one chain."""
    for number in (1, 2, 3):
        database.option_chains.insert_one(make_document("option_chains", **nth(number)))
    monkeypatch.setattr(queries, "MAX_CHAIN_ROWS", 8)
    answer = get("/option/chain/NIFTY").json
    assert ([chain["mid"] for chain in answer["chains"]], answer["truncated"]) == (["3:3", "3:2"], True)
    monkeypatch.setattr(queries, "MAX_CHAIN_ROWS", 1)
    answer = get("/option/chain/NIFTY").json
    assert (answer["count"], answer["truncated"]) == (1, True)


@pytest.mark.parametrize("shape", ["rows", "columns"])
def test_an_invalid_chain_does_not_affect_the_others(
    get: Get, database: Db, make_document: Make, shape: str
) -> None:
    """The invalid chain is left out, logged and counted."""
    broken = make_document("option_chains", **nth(2))
    broken["calls"]["bid"] = broken["calls"]["bid"][:1]
    database.option_chains.insert_many([make_document("option_chains", **nth(1)), broken])
    before = REGISTRY.get_sample_value("storage_invalid_documents_total") or 0
    found = get("/option/chain/NIFTY", shape=shape).json["chains"]
    assert [chain["mid"] for chain in found] == ["3:1"]
    assert REGISTRY.get_sample_value("storage_invalid_documents_total") == before + 1


def test_expiries_come_ascending(get: Get, database: Db, make_document: Make) -> None:
    """Each expiry with stored chains appears once."""
    for number, expiry in enumerate(("2024-07-04", "2024-06-27", "2024-07-04"), 1):
        database.option_chains.insert_one(make_document("option_chains", **nth(number, expiry=expiry)))
    assert get("/expiries/NIFTY").json == {"product": "NIFTY", "expiries": ["2024-06-27", "2024-07-04"]}


def test_ratios_come_without_the_chain(get: Get, database: Db, make_document: Make) -> None:
    """A history of ratios is small, even if the chains are large."""
    for number, ratio in ((1, 0.7), (2, None)):
        database.option_chains.insert_one(make_document("option_chains", **nth(number, pcr_oi=ratio)))
    answer = get("/pcr/NIFTY", expiry="2024-06-27").json
    assert (answer["product"], answer["count"]) == ("NIFTY", 2)
    assert answer["history"][0] == {
        "expiry": "2024-06-27",
        "pcr_oi": None,
        "pcr_volume": 0.8627450980392157,
        "timestamp": "2024-06-21T09:59:59.000Z",
        "ts": TS + 2 * SECOND,
    }
    assert get("/pcr/NIFTY", expiry="2024-07-04").json["history"] == []


def test_bars_have_the_requested_window(get: Get, database: Db, make_document: Make) -> None:
    """Bars are newest first, 5 minutes by default; `start` and `end` bound the window's start."""
    for minute in (50, 55):
        start = {"start": f"2024-06-21T09:{minute}:00Z", "_id": f"NIFTY:5:{minute}"}
        database.ohlc_bars.insert_one(make_document("ohlc_bars", window_minutes=5, **start))
    database.ohlc_bars.insert_one(make_document("ohlc_bars"))
    answer = get("/ohlc/NIFTY").json
    assert (answer["product"], answer["window_minutes"]) == ("NIFTY", 5)
    assert [bar["start"] for bar in answer["bars"]] == [
        "2024-06-21T09:55:00.000Z",
        "2024-06-21T09:50:00.000Z",
    ]
    for bar in answer["bars"]:
        validator("document-ohlc_bars").validate({**bar, "_id": "x"})
    assert len(get("/ohlc/NIFTY", window=1).json["bars"]) == 1
    assert len(get("/ohlc/NIFTY", end="2024-06-21T09:54:59.999Z").json["bars"]) == 1
    assert len(get("/ohlc/NIFTY", start="2024-06-21T09:50:00.0005Z").json["bars"]) == 1


def test_an_unknown_product_has_empty_lists(get: Get) -> None:
    """The lists are empty, as in the original."""
    assert get("/products").json == {"products": []}
    assert get("/underlying/X").json == {"product": "X", "count": 0, "ticks": []}
    assert get("/expiries/X").json == {"product": "X", "expiries": []}
    assert get("/ohlc/X").json == {"product": "X", "window_minutes": 5, "bars": []}


@pytest.mark.parametrize("path", ["/underlying/NIFTY", "/option/chain/NIFTY", "/pcr/NIFTY"])
def test_a_limit_above_a_thousand_means_a_thousand(
    get: Get, database: Db, make_document: Make, path: str
) -> None:
    """Limits are clamped, so no response has a whole collection."""
    for name in ("underlying_ticks", "option_chains"):
        document = make_document(name)
        documents = [document | {"_id": n.to_bytes(12, "big"), "ts": TS + n} for n in range(1001)]
        database[name].insert_many(documents)
    answer = get(path, limit=10**15).json
    assert answer["count"] == 1000
    assert get(path, limit=1).json["count"] == 1


DEFAULTS = [
    ("/underlying/NIFTY", "underlying_ticks", 100),
    ("/option/quote/NIFTY20240627C23500", "option_quotes", 100),
    ("/option/chain/NIFTY", "option_chains", 10),
]


@pytest.mark.parametrize(("path", "collection", "count"), DEFAULTS)
def test_a_page_has_a_default_size(
    get: Get, database: Db, make_document: Make, path: str, collection: str, count: int
) -> None:
    """The default is 100 ticks or quotes, and 10 chains."""
    document = make_document(collection)
    documents = [document | {"_id": number.to_bytes(12, "big")} for number in range(count + 1)]
    database[collection].insert_many(documents)
    assert get(path).json["count"] == count
