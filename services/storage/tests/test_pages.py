"""Pages in ascending order: together they have every document exactly once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pymongo.database import Database
from tests.support.contracts import example
from tests.support.problems import assert_problem
from werkzeug.test import TestResponse

from storage import queries

Get = Callable[..., TestResponse]
Make = Callable[..., dict[str, Any]]
Db = Database[dict[str, Any]]
TS = 1_718_963_999_000_000_000
SECOND = 1_000_000_000
KINDS = [
    ("/underlying/NIFTY", "underlying_ticks", "ticks"),
    ("/option/quote/NIFTY20240627C23500", "option_quotes", "quotes"),
    ("/option/chain/NIFTY", "option_chains", "chains"),
]
# Two recordings' passes with the same times: seven documents at each of three times, stored in no order.
TIMES = [number % 3 for number in range(21)]


def store(database: Db, make_document: Make, collection: str) -> list[str]:
    """Store a document for each of TIMES and return their `mid`s in the order of (ts, _id)."""
    documents = []
    for number, second in enumerate(TIMES):
        key = f"{number * 7919 % 1009:024x}"
        documents.append(make_document(collection, _id=key, mid=f"3:{number + 1}", ts=TS + second * SECOND))
    database[collection].insert_many(documents)
    return [found["mid"] for found in sorted(documents, key=lambda found: (found["ts"], found["_id"]))]


def pages(get: Get, path: str, **query: Any) -> list[dict[str, Any]]:
    """Read pages in ascending order until there is no `next`."""
    answers = [get(path, order="oldest", **query).json]
    while answers[-1]["next"]:
        answers.append(get(path, order="oldest", cursor=answers[-1]["next"], **query).json)
    return answers


@pytest.mark.parametrize(("path", "collection", "rows"), KINDS)
def test_pages_have_every_document_once_in_order(
    get: Get, database: Db, make_document: Make, path: str, collection: str, rows: str
) -> None:
    """A cursor also points between documents of one event time, for any size of a page."""
    expected = store(database, make_document, collection)
    for limit in (1, 4, 7, 21, 100):
        found = pages(get, path, limit=limit)
        assert [row["mid"] for page in found for row in page[rows]] == expected
        assert all("_id" not in row for page in found for row in page[rows])
    newest = get(path, limit=100).json
    assert [row["mid"] for row in newest[rows]] == expected[::-1]
    assert "next" not in newest


@pytest.mark.parametrize(("path", "collection", "rows"), KINDS)
def test_pages_keep_to_their_range(
    get: Get, database: Db, make_document: Make, path: str, collection: str, rows: str
) -> None:
    """`start` and `end` bound every page, also if the cursor is outside of them."""
    expected = store(database, make_document, collection)
    middle = {"start": "2024-06-21T10:00:00Z", "end": "2024-06-21T10:00:00Z", "limit": 3}
    found = [row["mid"] for page in pages(get, path, **middle) for row in page[rows]]
    assert found == expected[7:14]
    behind_all = get(path, order="oldest", cursor=f"{TS + 9 * SECOND}-{0:024x}", **middle).json
    assert (behind_all[rows], behind_all["next"]) == ([], None)
    before_all = get(path, order="oldest", cursor=f"{TS - 9 * SECOND}-{0:024x}", **middle).json
    assert [row["mid"] for row in before_all[rows]] == expected[7:10]


def test_a_document_that_is_stored_behind_the_cursor_changes_no_other_page(
    get: Get, database: Db, make_document: Make
) -> None:
    """Documents that arrive or expire while a client reads move no other document to another page."""
    expected = store(database, make_document, "underlying_ticks")
    first = get("/underlying/NIFTY", order="oldest", limit=5).json
    database.underlying_ticks.insert_one(
        make_document("underlying_ticks", _id="f" * 24, mid="9:9", ts=TS - 1)
    )
    database.underlying_ticks.delete_one({"mid": expected[4]})
    second = get("/underlying/NIFTY", order="oldest", limit=5, cursor=first["next"]).json
    assert [tick["mid"] for tick in second["ticks"]] == expected[5:10]


def test_a_truncated_page_continues_with_the_chain_that_did_not_fit(
    get: Get, database: Db, make_document: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound on rows ends a page early; an invalid chain is left out and does not stop the pages."""
    expected = store(database, make_document, "option_chains")
    database.option_chains.update_one({"mid": expected[3]}, {"$set": {"calls.bid": [1.0]}})
    monkeypatch.setattr(queries, "MAX_CHAIN_ROWS", 8)  # two chains of two strikes
    found = pages(get, "/option/chain/NIFTY", limit=5)
    assert [chain["mid"] for page in found for chain in page["chains"]] == expected[:3] + expected[4:]
    assert max(page["count"] for page in found) == 2


def test_contracts_are_those_of_the_product(get: Get, database: Db, make_document: Make) -> None:
    """The symbol of another product may begin with the same letters."""
    symbols = ["NIFTY20240627P23500", "NIFTY20240627C23500", "NIFTY220240627C23500", "M&M20240627C1.5"]
    for number, symbol in enumerate([*symbols, symbols[0]]):
        change = {"_id": f"{number:024x}", "symbol": symbol}
        database.option_quotes.insert_one(example("document-option_quotes") | change)
    found = get("/contracts/NIFTY").json
    assert found == {"product": "NIFTY", "contracts": ["NIFTY20240627C23500", "NIFTY20240627P23500"]}
    assert get("/contracts/M%26M").json["contracts"] == ["M&M20240627C1.5"]
    assert get("/contracts/X").json["contracts"] == []


def test_bars_come_in_both_orders(get: Get, database: Db, make_document: Make) -> None:
    """`order=oldest` starts with the earliest window."""
    for minute in (50, 55):
        start = {"start": f"2024-06-21T09:{minute}:00Z", "_id": f"NIFTY:5:{minute}"}
        database.ohlc_bars.insert_one(make_document("ohlc_bars", window_minutes=5, **start))
    oldest = [bar["start"] for bar in get("/ohlc/NIFTY", order="oldest").json["bars"]]
    assert oldest == ["2024-06-21T09:50:00.000Z", "2024-06-21T09:55:00.000Z"]
    assert [bar["start"] for bar in get("/ohlc/NIFTY").json["bars"]] == oldest[::-1]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"order": "upwards"}, "order"),
        ({"order": "oldest", "cursor": "x"}, "cursor"),
        ({"order": "oldest", "cursor": f"{10**19 - 1}-{0:024x}"}, "cursor"),
        ({"order": "oldest", "cursor": f"{TS}-{0:023x}"}, "cursor"),
        ({"cursor": f"{TS}-{0:024x}"}, "cursor"),
    ],
)
def test_a_bad_cursor_is_refused(get: Get, query: dict[str, str], field: str) -> None:
    """A cursor is used only in ascending order, and only as it was received."""
    body = assert_problem(get("/underlying/NIFTY", **query), 400, "bad_input")
    assert [each["field"] for each in body["errors"]] == [field]
