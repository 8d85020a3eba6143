"""Raw messages: the gateway reads a feed's stream for a recorder, with a real Redis."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.contracts import example

PATH = "/api/feeds/nifty/messages"
TICK = json.dumps(example("market-underlying"))


@pytest.fixture
def add(store: Any) -> Callable[..., str]:
    """Append an entry as a producer does; returns its id."""
    return lambda body=TICK: str(store.xadd("feed:nifty", {"kind": "underlying", "body": body}))


def test_a_reader_gets_every_message_behind_its_place(
    client: Any, user: Any, add: Callable[..., str]
) -> None:
    """It begins at the end of the stream, so it gets only what comes later, once and in order."""
    newest = [add() for _ in range(3)][-1]
    start = client.get(PATH, headers=user).json
    assert start == {
        "feed": "nifty",
        "messages": [],
        "unreadable": 0,
        "next": newest,
        "more": False,
        "appended": 3,
    }
    bodies = [json.dumps(json.loads(TICK) | {"mid": f"1:{number}"}) for number in range(1, 41)]
    last = [add(body) for body in bodies][-1]
    answer = client.get(f"{PATH}?after={newest}", headers=user).json
    assert answer["messages"] == [json.loads(body) for body in bodies]
    assert (answer["next"], answer["more"]) == (last, False)
    again = client.get(f"{PATH}?after={last}", headers=user).json
    assert (again["messages"], again["next"]) == ([], last)


def test_a_long_backlog_comes_in_bounded_answers(client: Any, user: Any, add: Callable[..., str]) -> None:
    """An answer ends at 1 MiB of bodies, and says that more wait."""
    first = add()
    body = json.dumps({"text": "x" * 100_000})
    for _ in range(30):
        add(body)
    counts, place, more = [], first, True
    while more:
        answer = client.get(f"{PATH}?after={place}", headers=user).json
        counts.append(len(answer["messages"]))
        place, more = answer["next"], answer["more"]
    assert (sum(counts), max(counts), len(counts)) == (30, 11, 3)


def test_a_body_that_is_not_json_is_counted(client: Any, user: Any, add: Callable[..., str]) -> None:
    """An own program may append anything; the answer stays valid JSON."""
    first = add()
    for body in ("half a mess", TICK, '{"price": NaN}', ""):
        add(body)
    answer = client.get(f"{PATH}?after={first}", headers=user).json
    assert (len(answer["messages"]), answer["unreadable"]) == (1, 3)


def test_a_read_asks_the_enrichers_to_keep_entries(client: Any, user: Any, store: Any, add: Any) -> None:
    """The sign ends by itself, so a reader that dies keeps nothing."""
    assert store.exists("feed:nifty:readers") == 0
    add()
    client.get(PATH, headers=user)
    assert 0 < store.pttl("feed:nifty:readers") <= 5000


def test_a_reader_can_count_what_was_removed_before_it_read(
    client: Any, user: Any, store: Any, add: Any
) -> None:
    """A producer that starts again begins a new count, so the numbers of the messages cannot tell it."""
    place = add()
    start = client.get(PATH, headers=user).json["appended"]
    for _ in range(5):
        newest = add()
    store.xtrim("feed:nifty", minid=newest, approximate=False)
    answer = client.get(f"{PATH}?after={place}", headers=user).json
    assert (len(answer["messages"]), answer["appended"] - start) == (1, 5)


def test_a_feed_without_messages_can_be_waited_for(client: Any, user: Any, store: Any) -> None:
    """The stream appears with the first message; an unknown feed is not found."""
    start = client.get(PATH, headers=user).json
    assert (start["messages"], start["next"], start["appended"]) == ([], "0-0", 0)
    got = client.get("/api/feeds/nifftty/messages", headers=user)
    assert (got.status_code, got.json["code"]) == (404, "unknown_feed")


@pytest.mark.parametrize("after", ["now", "1", "1-", "-1-0"])
def test_a_place_that_is_no_entry_is_refused(client: Any, user: Any, store: Any, after: str) -> None:
    got = client.get(f"{PATH}?after={after}", headers=user)
    assert got.status_code == 400
    assert "after" in got.json["detail"]


def test_a_read_needs_a_token(client: Any, store: Any) -> None:
    assert client.get(PATH).status_code == 401
