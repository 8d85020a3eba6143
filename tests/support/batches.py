"""A runner of the enricher with real stores, and messages for it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import redis
from pymongo import MongoClient

from tests.support.contracts import example
from worker_enricher.adapters.mongo_sink import MongoSink, connect
from worker_enricher.adapters.redis_client import connect as redis_client
from worker_enricher.adapters.redis_sink import RedisSink
from worker_enricher.adapters.stream import GROUP, FeedStream
from worker_enricher.runner import BatchRunner

FEED = "nifty-replay"
NOW_NS = 1_795_548_001_000_000_000
MARKET = ("market-underlying", "market-option_quote", "market-option_chain")


class World:
    """A runner with real stores. `mongo` can be replaced by a failing sink."""

    def __init__(self, redis_url: str, mongo_url: str) -> None:
        self.client: redis.Redis = redis_client(redis_url)
        self.mongo: MongoClient[dict[str, Any]] = connect(mongo_url)
        self.db = self.mongo.get_default_database()
        self.stream = FeedStream(self.client, FEED, dlq_max_entries=100, now_ns=lambda: NOW_NS)
        self.stream.ensure_group()
        self.stopping = False

    def runner(
        self,
        sink: MongoSink | None = None,
        sleep: Callable[[float], None] = lambda _s: None,
        clock: Callable[[], float] = time.perf_counter,
        batch_entries: int = 256,
    ) -> BatchRunner:
        return BatchRunner(
            self.stream,
            sink or MongoSink(self.db),
            RedisSink(self.client),
            consumer="w",
            batch_entries=batch_entries,
            stopping=lambda: self.stopping,
            beat=lambda: None,
            now_ns=lambda: NOW_NS,
            clock=clock,
            sleep=sleep,
        )

    def publish(self, *messages: dict[str, Any] | bytes) -> list[str]:
        for message in messages:
            raw = message if isinstance(message, bytes) else json.dumps(message).encode()
            self.client.xadd(f"feed:{FEED}", {"body": raw})
        return [entry.id for entry in self.stream.read_new("s", 1000, 64 << 20)]

    def pending(self) -> int:
        return int(self.client.xpending(f"feed:{FEED}", GROUP)["pending"])

    def counts(self) -> dict[str, int]:
        names = ("underlying_ticks", "option_quotes", "option_chains")
        return {name: self.db[name].count_documents({}) for name in names}


def tick(seq: int, price: float = 100.0, ts: int = 1_718_963_999_000_000_000) -> dict[str, Any]:
    return example("market-underlying") | {"mid": f"3:{seq}", "price": price, "ts": ts}
