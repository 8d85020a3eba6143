"""The feeds table of a cluster, with a real Redis: written from what the table of watches knows."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import redis
from tests.support.contracts import validator
from tests.support.feeds import IDLE, decided, load, serving, wrote
from tests.support.logs import logged_by

from deltastream_operator.cluster import feeds_publisher
from deltastream_operator.cluster.feeds_publisher import FeedsPublisher
from deltastream_operator.cluster.watching.table import Body, Table
from deltastream_operator.domain.environment import environment
from deltastream_operator.domain.signals import Reading
from deltastream_operator.redis_feeds import RedisFeeds


def a_table(*names: str, **spec: Any) -> Table:
    table = Table()
    for number, name in enumerate(names):
        metadata = {"name": name, "uid": name, "resourceVersion": str(number), "generation": 1}
        full = {"products": ["NIFTY"], "source": {"synthetic": {"seed": 1}}, **spec}
        status = wrote(decided(reading=load(lag=100_000)), serving(1, 2))
        table.saw_feed("ADDED", {"metadata": metadata, "spec": full, "status": status})
    return table


def publisher(table: Table, store: Any, clock: Any) -> FeedsPublisher:
    def status_of(body: Body) -> Mapping[str, Any]:
        found: Mapping[str, Any] = body.get("status", {})
        return found

    return FeedsPublisher(table, status_of, store, clock, "market")


def publish(made: FeedsPublisher, readings: Mapping[str, Reading]) -> None:
    async def once() -> None:
        made.publish(readings)
        await made.written()

    asyncio.run(once())


def test_the_table_in_redis_has_every_feed_with_status_and_load(clock: Any, redis_url: str) -> None:
    """Rule: it follows the contract, names the namespace, and ends with the operator."""
    table = a_table("b", "a")
    table.saw_feed("ADDED", {"metadata": {"name": "broken", "uid": "x", "resourceVersion": "9"}})
    publish(publisher(table, RedisFeeds(redis_url), clock), {"a": IDLE, "b": load(lag=7)})
    with redis.Redis.from_url(redis_url) as client:
        shown = json.loads(client.get("feeds:table") or "")
        assert 0 < client.ttl("feeds:table") <= 30
    validator("feeds-table").validate(shown)
    assert (shown["authority"], shown["namespace"]) == ("cluster", "market")
    assert [(row["name"], row["lag"], row["mode"]) for row in shown["feeds"]] == [
        ("a", 0, "Automatic"),
        ("b", 7, "Automatic"),
        ("broken", None, None),
    ]
    assert shown["feeds"][0]["enricher"] == {"desired": 4, "ready": 2}
    assert shown["feeds"][0]["history"]["enrichers"] == [2]


def test_every_external_feed_is_written_by_its_name_with_all_products(clock: Any, redis_url: str) -> None:
    """The table's limits do not apply to pushes, and only external feeds are written."""
    names = [f"feed-{number:03}" for number in range(201)]
    products = [f"P{number}" for number in range(101)]
    table = a_table(*names, source={"external": {}}, products=products)
    publish(publisher(table, RedisFeeds(redis_url), clock), {})
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        written = {name: json.loads(text) for name, text in client.hgetall("feeds:external").items()}
        assert sorted(written) == names
        for one in written.values():
            validator("feeds-external").validate(one)
            assert one["products"] == products
        assert client.ttl("feeds:external") == -1, "programs may push while the operator is away"
        publish(publisher(a_table("a"), RedisFeeds(redis_url), clock), {})
        assert client.exists("feeds:external") == 0


DEFINED = {"product": "XSPW", "multiplier": 100, "expiryTime": "16:00", "zone": "America/New_York"}


def test_the_gateway_gets_the_definitions_that_the_enrichers_get(clock: Any, redis_url: str) -> None:
    """Both refuse the same terms. A definition that changes is written with the next table."""
    with redis.Redis.from_url(redis_url) as client:
        for lot in (1, 5):
            table = a_table(
                "roots",
                source={"external": {}},
                products=["SPY", "XSPW"],
                definitions=[{**DEFINED, "lot": lot}],
            )
            publish(publisher(table, RedisFeeds(redis_url), clock), {})
            written = json.loads(client.hget("feeds:external", "roots") or "")
            validator("feeds-external").validate(written)
            feed = table.feeds["roots"].feed
            assert feed
            variables = environment(feed, "enricher", shards=0, recording="")
            assert written["definitions"] == json.loads(variables["DEFINITIONS"])
            assert written["definitions"][0]["lot"] == lot


def test_a_feed_whose_new_spec_cannot_be_read_takes_pushes_as_before(clock: Any, redis_url: str) -> None:
    """Its enrichers keep running with the last valid spec. That holds for an operator that restarts, too."""
    spec: dict[str, Any] = {"source": {"external": {}}, "products": ["XSPW"]}
    with redis.Redis.from_url(redis_url) as client:
        publish(publisher(a_table("a", "b", **spec), RedisFeeds(redis_url), clock), {})
        before = client.hgetall("feeds:external")
        table = a_table("a", "b", **spec, definitions=[{**DEFINED, "zone": "Mars/Base"}])
        assert table.feeds["a"].feed is None
        for _ in range(2):
            publish(publisher(table, RedisFeeds(redis_url), clock), {})
            assert client.hgetall("feeds:external") == before
        del table.feeds["b"]
        publish(publisher(table, RedisFeeds(redis_url), clock), {})
        assert list(client.hgetall("feeds:external")) == [b"a"]
        publish(publisher(a_table("a"), RedisFeeds(redis_url), clock), {})
        assert client.exists("feeds:external") == 0


def test_without_a_feed_the_table_is_empty(clock: Any, redis_url: str) -> None:
    """Rule: no feeds is an answer; a missing table says that there is no operator."""
    publish(publisher(Table(), RedisFeeds(redis_url), clock), {})
    with redis.Redis.from_url(redis_url) as client:
        assert json.loads(client.get("feeds:table") or "")["feeds"] == []


class Store:
    """A Redis that hangs until it is let go, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls, self.error, self.free = 0, error, threading.Event()

    def publish(self, _table: bytes, _external: Mapping[str, str], _unreadable: Sequence[str]) -> None:
        self.calls += 1
        if self.error:
            raise self.error
        self.free.wait(10)


def test_a_redis_that_hangs_has_one_thread_and_delays_nothing(clock: Any) -> None:
    """Rule: while a table is being written, the next ones are dropped, and the caller never waits."""
    store = Store()
    made = publisher(a_table("a"), store, clock)

    async def ticks() -> None:
        for _ in range(5):
            made.publish({})
            await asyncio.sleep(0)
        store.free.set()
        await made.written()
        made.publish({})
        await made.written()

    asyncio.run(ticks())
    assert store.calls == 2


@pytest.mark.parametrize(
    "error", [redis.ConnectionError("away"), redis.ResponseError("NOPERM"), KeyError("bug")]
)
def test_an_error_of_any_kind_is_logged_once_an_outage(clock: Any, error: Exception) -> None:
    """Rule: the loop goes on; the log does not repeat the same outage every 2 s."""
    store = Store(error)
    made = publisher(a_table("a"), store, clock)
    with logged_by(feeds_publisher, "log") as logged:
        for _ in range(3):
            publish(made, {})
    assert store.calls == 3
    assert [line["event"] for line in logged] == ["feeds_table_not_written"]
