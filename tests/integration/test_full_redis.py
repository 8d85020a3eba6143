"""Five feeds share one Redis of the chart's size, whose memory runs out while their enrichers are away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from prometheus_client.parser import text_string_to_metric_families
from pymongo import MongoClient
from pymongo.database import Database

from tests.support.stores import RedisServer, free_port, wait_until

ROOT = Path(__file__).parents[2]
MIB = 1 << 20
VALUES = yaml.safe_load((ROOT / "charts/deltastream/values.yaml").read_text())
LIMIT = VALUES["redis"]["memoryMi"] * 3 // 4 * MIB  # as templates/redis/configmap.yaml
FEEDS = {"a": "NIFTY", "b": "BANKNIFTY", "c": "FINNIFTY", "d": "SENSEX", "e": "SPX"}
COLLECTIONS = {
    "underlying": "underlying_ticks",
    "option_quote": "option_quotes",
    "option_chain": "option_chains",
}
# Fast, so that the test is short: how full Redis gets does not depend on the rate.
MESSAGES_PER_SECOND = 5000
# A generator that leaves its metrics behind: they end with its process.
GENERATOR = """
import atexit, os, runpy
from prometheus_client import REGISTRY, write_to_textfile
atexit.register(write_to_textfile, os.environ["LAST_METRICS"], REGISTRY)
runpy.run_module("feed_generator", run_name="__main__")
"""


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
                feed, "feed-generator", ["-c", GENERATOR],
                PRODUCTS=product, MESSAGES_PER_SECOND=str(MESSAGES_PER_SECOND), PORT=str(self.ports[feed]),
                LAST_METRICS=str(self._last_metrics(feed)),
            )  # fmt: skip

    def start_enrichers(self) -> list[subprocess.Popen[bytes]]:
        return [
            self._start(
                feed, "worker-enricher", ["-m", "worker_enricher", role],
                MONGO_URL=self._mongo_url, CELERY_BROKER_URL=self._server.url(1),
            )
            for feed in FEEDS
            for role in ("subscriber", "worker")
        ]  # fmt: skip

    def _start(self, feed: str, service: str, argv: list[str], **env: str) -> subprocess.Popen[bytes]:
        with open(self._home / f"{feed}.log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, *argv],
                cwd=ROOT / "services" / service,
                env={"PATH": os.environ["PATH"], "FEED": feed, "REDIS_URL": self._server.url(), **env},
                stdout=log,
                stderr=log,
            )
        self.running.append(process)
        return process

    def _last_metrics(self, feed: str) -> Path:
        return self._home / f"{feed}.prom"

    def metric(self, feed: str, name: str) -> float:
        """A running generator's metric, all labels together; nan while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[feed]}/metrics", timeout=5) as answer:
                return sum(_samples(answer.read().decode(), name).values())
        except OSError:
            return float("nan")

    def last_metric(self, feed: str, name: str) -> dict[str, float]:
        """What a generator that has ended had counted, by kind."""
        return _samples(self._last_metrics(feed).read_text(), name)

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


def _samples(text: str, name: str) -> dict[str, float]:
    """A metric's values by kind; by "" where it has no kinds."""
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return {sample.labels.get("kind", ""): sample.value for sample in samples}


@pytest.fixture
def feeds(tmp_path: Path, own_redis: RedisServer, mongo_url: str) -> Iterator[Feeds]:
    made = Feeds(tmp_path, own_redis, mongo_url)
    with ExitStack() as stack:
        stack.callback(made.close)
        made.client.config_set("maxmemory", LIMIT)
        made.client.config_set("maxmemory-policy", "noeviction")
        yield made


@pytest.mark.timeout(900)  # ten enrichers store a quarter of a million messages on whatever cores there are
def test_five_feeds_stop_growing_before_redis_is_full_and_drain_by_themselves(
    feeds: Feeds, mongo_url: str
) -> None:
    """Nothing is refused, every message that got a name is stored once, and every other one is counted."""
    feeds.start_generators()
    wait_until(lambda: all(feeds.metric(feed, "feed_pressure") >= 3 for feed in FEEDS), "all pause", 300)
    assert 0.75 * LIMIT < feeds.used() < LIMIT

    enrichers = feeds.start_enrichers()
    wait_until(lambda: any(feeds.metric(feed, "feed_pressure") < 3 for feed in FEEDS), "a market goes on")
    for generator in feeds.generators.values():
        generator.send_signal(signal.SIGTERM)
    assert [generator.wait(60) for generator in feeds.generators.values()] == [0] * 5
    wait_until(lambda: all(feeds.open_entries(feed) == 0 for feed in FEEDS), "all is stored", 400)
    assert [process.poll() for process in enrichers] == [None] * 10, "nobody crashed"

    with MongoClient[dict[str, Any]](mongo_url) as mongo:
        for feed in FEEDS:
            _all_is_accounted_for(feeds, feed, mongo.get_default_database())


def _all_is_accounted_for(feeds: Feeds, feed: str, database: Database[dict[str, Any]]) -> None:
    """Made = stored + conflated + dropped, and of what is stored every sequence number once."""
    stored = {
        kind: [int(row["mid"].partition(":")[2]) for row in database[name].find({"feed": feed}, {"mid": 1})]
        for kind, name in COLLECTIONS.items()
    }
    counts = {kind: len(numbers) for kind, numbers in stored.items()}
    total = sum(counts.values())
    assert sorted(chain.from_iterable(stored.values())) == list(range(1, total + 1)), feed
    assert feeds.last_metric(feed, "feed_published_total") == counts, feed
    (made,), (conflated,), (dropped,), (refused,) = (
        feeds.last_metric(feed, name).values()
        for name in (
            "feed_made_total",
            "feed_quotes_conflated_total",
            "feed_quotes_dropped_total",
            "feed_redis_errors_total",
        )
    )
    assert made == total + conflated + dropped, feed
    assert conflated > 0, feed
    assert dropped > 0, feed
    assert refused == 0, feed
    assert feeds.client.xlen(f"dlq:{feed}") == 0
