"""Five feeds share one Redis whose memory runs out while their enrichers are away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from devcluster.ports import free_port
from devcluster.processes.stores import RedisServer
from devcluster.waiting import wait_until
from prometheus_client.parser import text_string_to_metric_families
from pymongo import MongoClient

ROOT = Path(__file__).parents[2]
MIB = 1 << 20
# A twelfth of the chart's default (192 MiB): all that is kept here passes through MongoDB once.
LIMIT = 16 * MIB
FEEDS = {"a": "NIFTY", "b": "BANKNIFTY", "c": "FINNIFTY", "d": "SENSEX", "e": "SPX"}
COLLECTIONS = ("underlying_ticks", "option_quotes", "option_chains")


class Feeds:
    """Generators and enrichers of five feeds, and what they leave in the stores."""

    def __init__(self, home: Path, server: RedisServer, mongo_url: str) -> None:
        self._home, self._server, self._mongo_url = home, server, mongo_url
        self.running: list[subprocess.Popen[bytes]] = []
        self.generators: dict[str, subprocess.Popen[bytes]] = {}
        self.ports: dict[str, int] = {}
        self.client = redis.Redis.from_url(server.url(), decode_responses=True)

    def start_generators(self) -> None:
        for feed, product in FEEDS.items():
            self.ports[feed] = free_port()
            self.generators[feed] = self._start(
                feed, "feed-generator", ["feed_generator"],
                PRODUCTS=product, MESSAGES_PER_SECOND="1000", PORT=str(self.ports[feed]),
            )  # fmt: skip

    def start_enrichers(self) -> list[subprocess.Popen[bytes]]:
        return [
            self._start(
                feed, "worker-enricher", ["worker_enricher", role],
                MONGO_URL=self._mongo_url, CELERY_BROKER_URL=self._server.url(1),
            )
            for feed in FEEDS
            for role in ("subscriber", "worker")
        ]  # fmt: skip

    def _start(self, feed: str, service: str, argv: list[str], **env: str) -> subprocess.Popen[bytes]:
        with open(self._home / f"{feed}-{argv[-1]}.log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *argv],
                cwd=ROOT / "services" / service,
                env={"PATH": os.environ["PATH"], "FEED": feed, "REDIS_URL": self._server.url(), **env},
                stdout=log,
                stderr=log,
            )
        self.running.append(process)
        return process

    def metric(self, feed: str, name: str) -> float:
        """A generator's metric, all labels together; nan while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[feed]}/metrics", timeout=5) as answer:
                families = list(text_string_to_metric_families(answer.read().decode()))
        except OSError:
            return float("nan")
        return sum(sample.value for family in families for sample in family.samples if sample.name == name)

    def used(self) -> int:
        memory: Any = self.client.info("memory")
        return int(memory["used_memory"]) - int(memory["mem_not_counted_for_evict"])

    def open_entries(self, feed: str) -> int:
        groups: Any = self.client.xinfo_groups(f"feed:{feed}")
        return sum(int(group["pending"]) + int(group["lag"] or 0) for group in groups) if groups else -1

    def close(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()
        self.client.close()


@pytest.fixture
def feeds(tmp_path: Path, own_redis: RedisServer, mongo_url: str) -> Iterator[Feeds]:
    made = Feeds(tmp_path, own_redis, mongo_url)
    with ExitStack() as stack:
        stack.callback(made.close)
        made.client.config_set("maxmemory", LIMIT)
        made.client.config_set("maxmemory-policy", "noeviction")
        yield made


@pytest.mark.timeout(300)  # ten enrichers start on whatever cores there are
def test_five_feeds_stop_growing_before_redis_is_full_and_drain_by_themselves(
    feeds: Feeds, mongo_url: str
) -> None:
    """Nothing is refused, every message that got a name is stored once, and left-out quotes are counted."""
    feeds.start_generators()
    wait_until(lambda: all(feeds.metric(feed, "feed_pressure") >= 3 for feed in FEEDS), "all pause")
    held = feeds.used()
    assert 0.75 * LIMIT < held < LIMIT
    assert [feeds.metric(feed, "feed_redis_errors_total") for feed in FEEDS] == [0] * 5

    enrichers = feeds.start_enrichers()
    wait_until(lambda: any(feeds.metric(feed, "feed_pressure") < 3 for feed in FEEDS), "a market goes on")
    assert [feeds.metric(feed, "feed_redis_errors_total") for feed in FEEDS] == [0] * 5
    for generator in feeds.generators.values():
        generator.send_signal(signal.SIGTERM)
    assert [generator.wait(30) for generator in feeds.generators.values()] == [0] * 5
    wait_until(lambda: all(feeds.open_entries(feed) == 0 for feed in FEEDS), "all is stored", 120)
    assert [process.poll() for process in enrichers] == [None] * 10, "nobody crashed"

    with MongoClient[dict[str, Any]](mongo_url) as mongo:
        database = mongo.get_default_database()
        for feed in FEEDS:
            stored = [
                int(document["mid"].partition(":")[2])
                for name in COLLECTIONS
                for document in database[name].find({"feed": feed}, {"mid": 1})
            ]
            stream: Any = feeds.client.xinfo_stream(f"feed:{feed}")
            assert sorted(stored) == list(range(1, stream["entries-added"] + 1)), feed
            assert feeds.client.xlen(f"dlq:{feed}") == 0
