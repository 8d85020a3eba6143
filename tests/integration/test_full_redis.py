"""Feeds that share one full Redis recover: full of their streams, of dead letters, or of an unrelated key."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from devcluster.processes.stores import RedisServer
from devcluster.waiting import wait_until
from redis.exceptions import OutOfMemoryError

from tests.support.pipelines import Pipelines, open_entries
from tests.support.redis7 import Redis7

VALUES = yaml.safe_load((Path(__file__).parents[2] / "charts/deltastream/values.yaml").read_text())
MIB = 1 << 20
CHART_LIMIT = VALUES["redis"]["memoryMi"] * 3 // 4 * MIB  # see templates/redis/configmap.yaml
DLQ_MAX_BYTES = 4 * MIB
FIVE = {"a": "NIFTY", "b": "BANKNIFTY", "c": "FINNIFTY", "d": "SENSEX", "e": "SPX"}
TWO = {"a": "NIFTY", "b": "BANKNIFTY"}


@pytest.fixture(params=[RedisServer, Redis7])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisServer]:
    with request.param(tmp_path / "redis") as running:
        yield running


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    """A client of the tests with all rights."""
    with redis.Redis.from_url(server.url(), decode_responses=True) as made:
        made.config_set("maxmemory-policy", "noeviction")
        yield made


@pytest.fixture
def start(tmp_path: Path, server: RedisServer, mongo_url: str) -> Iterator[Callable[..., Pipelines]]:
    """A function that starts the processes of the given feeds. They are killed at the end of the test."""
    with ExitStack() as stack:

        def made(products: Mapping[str, str]) -> Pipelines:
            urls = {"redis_url": server.url(), "broker_url": server.url(1), "mongo_url": mongo_url}
            return stack.enter_context(closing(Pipelines(tmp_path, products, **urls)))

        yield made


def used(client: redis.Redis) -> int:
    memory: Any = client.info("memory")
    return int(memory["used_memory"]) - int(memory["mem_not_counted_for_evict"])


def finish(feeds: Pipelines, client: redis.Redis, within_s: float = 90) -> None:
    """Stop the generators and wait until the enrichers have stored the rest. Fails if a process crashed."""
    feeds.stop_generators()
    wait_until(lambda: not any(open_entries(client, feed) for feed in feeds.products), "drained", within_s)
    assert feeds.ended == [], "no process crashed"


@pytest.mark.timeout(900)  # ten enrichers store 250,000 messages, also on a slow machine
@pytest.mark.parametrize("server", [RedisServer], indirect=True)
def test_five_feeds_stop_growing_before_redis_is_full_and_then_drain(
    start: Callable[..., Pipelines], client: redis.Redis
) -> None:
    """With the chart's limit Redis refuses no write. No tick or chain is lost; dropped quotes are counted."""
    client.config_set("maxmemory", CHART_LIMIT)
    feeds = start(FIVE)
    feeds.start_generators(5000)  # a high rate keeps the test short; the rate alone does not fill Redis
    wait_until(lambda: all(feeds.metric(feed, "feed_pressure") >= 3 for feed in FIVE), "all pause", 300)
    assert 0.75 * CHART_LIMIT < used(client) < CHART_LIMIT

    feeds.start_enrichers()
    wait_until(lambda: any(feeds.metric(feed, "feed_pressure") < 3 for feed in FIVE), "a market goes on")
    finish(feeds, client, within_s=400)
    for feed in FIVE:
        stored = feeds.check_accounts(feed)
        assert feeds.last_metric(feed, "feed_published_total") == stored, feed
        assert feeds.last_metric(feed, "feed_redis_errors_total") == {"": 0}, feed
        assert client.xlen(f"dlq:{feed}") == 0
    # Redis may fill so fast that one feed skips a step of back-pressure, but not every feed does.
    for name in ("feed_quotes_conflated_total", "feed_quotes_dropped_total"):
        assert sum(feeds.last_metric(feed, name)[""] for feed in FIVE) > 0, name


@pytest.mark.timeout(600)
def test_large_dead_letters_stay_within_the_limit_and_both_feeds_still_store(
    start: Callable[..., Pipelines], client: redis.Redis
) -> None:
    """After 64 MiB of dead letters, a Redis of 24 MiB keeps the newest of each feed within the byte limit."""
    client.config_set("maxmemory", 24 * MIB)
    feeds = start(TWO)
    feeds.start_generators(200)
    feeds.start_enrichers()
    for first in range(0, 32, 4):
        before = {feed: feeds.stored(feed) for feed in TWO}
        for number, feed in product(range(first, first + 4), TWO):
            invalid = {"body": f"{number} ".ljust(MIB - 100, "x")}
            add = partial(_refused, client.xadd, f"feed:{feed}", invalid)
            wait_until(lambda: not add(), "Redis accepts the next letter")  # noqa: B023
            assert (client.memory_usage(f"dlq:{feed}", samples=0) or 0) <= DLQ_MAX_BYTES
        wait_until(lambda: all(feeds.stored(feed) > before[feed] for feed in TWO), "both feeds still store")  # noqa: B023
    finish(feeds, client)
    for feed in TWO:
        letters: Any = client.xrevrange(f"dlq:{feed}", count=1)
        assert letters[0][1]["body"].startswith("31 "), "the newest letter is kept"
        assert 0 < client.memory_usage(f"dlq:{feed}", samples=0) <= DLQ_MAX_BYTES
        feeds.check_accounts(feed)


def _refused(write: Callable[..., object], *args: object) -> bool:
    """True if the full Redis refuses the write."""
    try:
        write(*args)
    except OutOfMemoryError:
        return True
    return False


@pytest.mark.timeout(600)
def test_every_feed_drains_once_an_unrelated_key_is_deleted(
    start: Callable[..., Pipelines], client: redis.Redis
) -> None:
    """While the key fills Redis, generators publish nothing and no process ends. No message is lost."""
    client.config_set("maxmemory", 24 * MIB)
    feeds = start(TWO)
    feeds.start_generators(200)
    feeds.start_enrichers()
    wait_until(lambda: all(feeds.stored(feed) for feed in TWO), "both feeds store")
    part = os.urandom(MIB // 2).hex()
    wait_until(lambda: _refused(client.rpush, "unrelated", part), "Redis is full")
    wait_until(lambda: all(feeds.metric(feed, "feed_pressure") >= 3 for feed in TWO), "both markets pause")
    before = {feed: feeds.stored(feed) for feed in TWO}
    client.delete("unrelated")
    wait_until(lambda: all(feeds.stored(feed) > before[feed] for feed in TWO), "both feeds store again")
    finish(feeds, client)
    for feed in TWO:
        assert sum(feeds.check_accounts(feed).values()) > before[feed]
        assert client.xlen(f"dlq:{feed}") == 0, "a full Redis does not count as a delivery"
