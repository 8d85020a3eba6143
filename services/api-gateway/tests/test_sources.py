"""What a feed receives: the gateway reads the generators' reports and the stream, with a real Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.contracts import example, validator

PATH = "/api/feeds/nifty/source"


@pytest.fixture
def report(store: Any) -> Callable[..., dict[str, Any]]:
    """Report as a generator does; returns the report."""

    def put(shard: int, *, age_s: float = 0) -> dict[str, Any]:
        made = {**example("feed-source"), "feed": "nifty", "shard": shard}
        made["ts"] = time.time_ns() - int(age_s * 1e9)
        store.hset("feed:nifty:source", str(shard), json.dumps(made))
        return made

    return put


def test_the_generators_reports_come_in_the_order_of_their_shards(
    client: Any, user: Any, report: Callable[..., dict[str, Any]]
) -> None:
    """Each is the contract's."""
    reports = [report(shard) for shard in (10, 2)]
    answer = client.get(PATH, headers=user).json
    assert answer["generators"] == reports[::-1]
    for one in answer["generators"]:
        validator("feed-source").validate(one)


def test_a_report_that_is_too_old_is_not_the_state(client: Any, user: Any, report: Any) -> None:
    """A dead generator has no state."""
    report(0, age_s=16)
    alive = report(1, age_s=10)
    assert client.get(PATH, headers=user).json["generators"] == [alive]


def test_the_messages_of_any_source_are_counted(client: Any, user: Any, store: Any) -> None:
    """Processed ones too: the enrichers remove them from the stream."""
    ids = [store.xadd("feed:nifty", {"kind": "underlying", "body": "{}"}) for _ in range(3)]
    store.xdel("feed:nifty", *ids)
    before = time.time_ns()
    answer = client.get(PATH, headers=user).json
    assert (answer["feed"], answer["appended"], answer["generators"]) == ("nifty", 3, [])
    assert answer["appended_ts"] == int(ids[-1].partition("-")[0]) * 1_000_000
    assert before <= answer["ts"] <= time.time_ns()


def test_a_feed_without_messages_has_received_nothing(client: Any, user: Any, store: Any) -> None:
    """An unknown feed is not found."""
    answer = client.get(PATH, headers=user).json
    assert (answer["appended"], answer["appended_ts"], answer["generators"]) == (0, 0, [])
    got = client.get("/api/feeds/nifftty/source", headers=user)
    assert (got.status_code, got.json["code"]) == (404, "unknown_feed")


def test_a_read_needs_a_token_and_redis(gateway: Any, client: Any, user: Any, store: Any) -> None:
    assert client.get(PATH).status_code == 401
    got = gateway.client(redis_url="redis://127.0.0.1:1/0").get(PATH, headers=user)
    assert (got.status_code, got.json["code"]) == (503, "feeds_unavailable")
