"""Dead letters: the gateway counts a feed's refused messages and lists the newest, with a real Redis."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.contracts import example, validator

PATH = "/api/feeds/nifty/dead-letters"
BODY = "a body that no reader gets"


@pytest.fixture
def refuse(store: Any) -> Callable[..., str]:
    """Put a letter into `dlq:nifty` as the enricher does; returns its id."""

    def put(**changed: Any) -> str:
        letter = {**example("dead-letter"), "feed": "nifty", **changed}
        return str(store.xadd("dlq:nifty", {"letter": json.dumps(letter), "body": BODY}))

    return put


def test_the_letters_are_counted_by_reason_and_listed_newest_first(
    client: Any, user: Any, refuse: Callable[..., str]
) -> None:
    """Each listed letter is the contract's, with the id for `dlq show`. No answer has a body."""
    ids = [refuse(reason=reason) for reason in ("schema", "not_json", "schema")]
    got = client.get(f"{PATH}?limit=2", headers=user)
    assert got.status_code == 200, got.text
    answer = got.json
    assert (answer["feed"], answer["kept"], answer["counted"]) == ("nifty", 3, 3)
    assert answer["reasons"] == [{"reason": "schema", "count": 2}, {"reason": "not_json", "count": 1}]
    assert [letter.pop("id") for letter in answer["letters"]] == ids[:0:-1]
    for letter in answer["letters"]:
        validator("dead-letter").validate(letter)
    assert BODY not in got.text


def test_a_long_list_is_counted_only_in_part_and_says_so(
    client: Any, user: Any, refuse: Callable[..., str]
) -> None:
    """`kept` counts all, the reasons only the newest 500."""
    refuse(reason="not_finite")
    for _ in range(500):
        refuse()
    answer = client.get(PATH, headers=user).json
    assert (answer["kept"], answer["counted"], len(answer["letters"])) == (501, 500, 20)
    assert answer["reasons"] == [{"reason": "schema", "count": 500}]


def test_a_feed_without_dead_letters_has_an_empty_list(client: Any, user: Any, store: Any) -> None:
    answer = client.get(PATH, headers=user).json
    assert answer == {"feed": "nifty", "kept": 0, "counted": 0, "reasons": [], "letters": []}


def test_an_unknown_feed_is_not_found(client: Any, user: Any, store: Any) -> None:
    """An empty list would look like a feed without refused messages."""
    got = client.get("/api/feeds/nifftty/dead-letters", headers=user)
    assert (got.status_code, got.json["code"]) == (404, "unknown_feed")


def test_a_feed_beyond_the_table_is_not_called_unknown(client: Any, user: Any, store: Any) -> None:
    """The table lists 200 feeds and counts the others."""
    store.set("feeds:table", json.dumps({**example("feeds-table"), "omitted": 1}))
    assert client.get("/api/feeds/late/dead-letters", headers=user).status_code == 200


def test_without_a_table_the_letters_are_still_there(
    client: Any, user: Any, store: Any, refuse: Callable[..., str]
) -> None:
    """Only a feed without letters needs the table, to tell whether there is such a feed."""
    store.delete("feeds:table")
    assert client.get(PATH, headers=user).json["code"] == "feeds_unavailable"
    refuse()
    assert client.get(PATH, headers=user).json["kept"] == 1


def test_without_redis_the_letters_are_unavailable(gateway: Any, user: Any) -> None:
    client = gateway.client(redis_url="redis://127.0.0.1:1/0")
    got = client.get(PATH, headers=user)
    assert (got.status_code, got.json["code"]) == (503, "feeds_unavailable")


def test_reading_dead_letters_is_a_read(gateway: Any, user: Any, refuse: Callable[..., str]) -> None:
    """It needs a token and counts against the same limit as other reads."""
    refuse()
    client = gateway.client(rate_limit_per_minute=2)
    assert client.get(PATH).status_code == 401
    paths = (PATH, "/api/feeds", PATH)
    assert [client.get(path, headers=user).status_code for path in paths] == [200, 200, 429]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=1&limit=2", "reason=schema"])
def test_bad_input_is_refused(client: Any, user: Any, store: Any, query: str) -> None:
    got = client.get(f"{PATH}?{query}", headers=user)
    assert (got.status_code, got.json["code"]) == (400, "bad_input")


@pytest.mark.parametrize("name", ["Nifty", "-a", "a" * 41, "a%0A"])
def test_a_name_that_no_feed_can_have_is_refused(client: Any, user: Any, store: Any, name: str) -> None:
    """The name becomes part of a key."""
    assert client.get(f"/api/feeds/{name}/dead-letters", headers=user).status_code in (400, 404)
