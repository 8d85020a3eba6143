"""Which feeds take pushes, by what the operator has published, and from whom."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.contracts import example
from tests.support.pushes import NDJSON, PATH, lines, push, results, tick
from tests.support.tokens import headers_of


def test_a_feed_is_looked_up_by_its_name(writer: Any, store: Any) -> None:
    """The limits of the feeds table, 200 feeds and 100 products of each, do not apply to pushes."""
    table = example("feeds-table")
    store.set("feeds:table", json.dumps({**table, "omitted": 1}))
    products = [f"P{number}" for number in range(101)]
    store.hset("feeds:external", "the-201st", json.dumps({"products": products}))
    tick_of = [tick(seq, feed="the-201st", product=name) for seq, name in enumerate(("P100", "P101"), 1)]
    answer = push(writer, *tick_of, path="/api/ingest/the-201st")
    assert results(answer) == ["accepted", "refused"]
    assert answer.json["lines"][1]["field"] == "product"


def test_a_feed_that_the_operator_may_not_write_is_503(writer: Any, store: Any) -> None:
    """An operator with an older ACL publishes the table only."""
    store.delete("feeds:external")
    got = push(writer, tick())
    assert (got.status_code, got.json["code"]) == (503, "feeds_unavailable")
    assert "feeds:external" in got.json["detail"]


@pytest.mark.parametrize("anonymous", [False, True])
def test_only_the_role_ingest_may_push(gateway: Any, store: Any, user: Any, anonymous: bool) -> None:
    """Neither anonymous reads nor another role include it."""
    client = gateway.client(anonymous_read=anonymous)
    assert client.post(PATH, data=lines(tick()), headers=NDJSON).status_code == 401
    for headers in (user, headers_of("operator")):
        got = client.post(PATH, data=lines(tick()), headers={**NDJSON, **headers})
        assert (got.status_code, got.json["code"]) == (403, "ingest_role_needed")
    assert store.exists("feed:mine") == 0


@pytest.mark.parametrize(
    ("feed", "status", "code"),
    [("other", 404, "unknown_feed"), ("nifty", 409, "feed_not_external"), ("Mine", 400, "bad_input")],
)
def test_a_feed_that_takes_no_messages_is_named(
    writer: Any, store: Any, feed: str, status: int, code: str
) -> None:
    """A replay's or a synthetic market's own messages are not mixed with others."""
    got = push(writer, tick(feed=feed), path=f"/api/ingest/{feed}")
    assert (got.status_code, got.json["code"]) == (status, code)
    assert store.exists(f"feed:{feed}") == 0


def test_an_operator_that_is_away_does_not_stop_the_market(gateway: Any, store: Any) -> None:
    """The external feeds have no TTL. A push to any other feed is 503, because nothing is known of it."""
    store.delete("feeds:table")
    assert results(push(gateway.client(), tick(1))) == ["accepted"]
    got = push(gateway.client(), tick(1, feed="other"), path="/api/ingest/other")
    assert (got.status_code, got.json["code"]) == (503, "feeds_unavailable")


@pytest.mark.parametrize("path", ["/api/ingest", "/api/ingest/", f"{PATH}/"])
def test_a_wrong_path_is_404_and_not_a_wrong_type(writer: Any, path: str) -> None:
    """The type is right, so an answer about the type would mislead."""
    assert push(writer, tick(1), path=path).status_code == 404
