"""Fixtures: subscriber and Celery worker as real processes, with real stores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import redis
from devcluster.ports import free_port
from devcluster.waiting import wait_until
from pymongo import MongoClient
from tests.support.batches import World
from tests.support.contracts import example

from worker_enricher.adapters.redis_client import connect as redis_client
from worker_enricher.adapters.stream import GROUP, FeedStream

SERVICE = Path(__file__).parents[1]
MakeEnricher = Callable[[str, str], "Enricher"]


class Enricher:
    """The processes of one feed, and access to what they store."""

    def __init__(self, home: Path, redis_url: str, mongo_url: str) -> None:
        self.home, self.client = home, redis_client(redis_url)
        self.mongo: MongoClient[dict[str, Any]] = MongoClient(mongo_url, serverSelectionTimeoutMS=5000)
        self.running: list[subprocess.Popen[bytes]] = []
        self.ports: dict[int, int] = {}
        self._env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "FEED": "nifty-replay",
            "REDIS_URL": redis_url,
            "MONGO_URL": mongo_url,
            "CELERY_BROKER_URL": redis_url.rsplit("/", 1)[0] + "/1",
            "CLAIM_IDLE_MS": "700",
        }

    def start(self, role: str, **env: str) -> subprocess.Popen[bytes]:
        port = free_port()
        with open(self.home / f"{role}.log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "worker_enricher", role],
                cwd=SERVICE,
                env={**self._env, "PORT": str(port), **env},
                stdout=log,
                stderr=log,
            )
        self.running.append(process)
        self.ports[process.pid] = port
        return process

    def probe(self, process: subprocess.Popen[bytes], path: str) -> int:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.ports[process.pid]}{path}", timeout=5
            ) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return int(error.code)
        except OSError:
            return 0

    def publish(self, first: int, last: int) -> None:
        with self.client.pipeline(transaction=False) as pipe:
            for seq in range(first, last + 1):
                tick = example("market-underlying") | {"mid": f"3:{seq}"}
                pipe.xadd("feed:nifty-replay", {"body": json.dumps(tick)})
            pipe.execute()

    def stored(self) -> list[str]:
        found = self.mongo.get_default_database().underlying_ticks.find({}, {"mid": 1})
        return [document["mid"] for document in found]

    def wait_stored(self, last: int) -> None:
        wait_until(lambda: len(self.stored()) >= last and self.pending() == 0, f"{last} stored")
        assert sorted(self.stored()) == sorted(f"3:{seq}" for seq in range(1, last + 1))

    def pending(self) -> int:
        try:
            return int(self.client.xpending("feed:nifty-replay", GROUP)["pending"])
        except redis.ResponseError:
            return -1

    def close(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()
        self.mongo.close()
        self.client.close()


@pytest.fixture
def make_enricher(tmp_path: Path) -> Iterator[MakeEnricher]:
    """Create enrichers for given URLs of Redis and MongoDB. Their processes are killed after the test."""
    with ExitStack() as made:
        yield lambda redis_url, mongo_url: made.enter_context(
            closing(Enricher(tmp_path, redis_url, mongo_url))
        )


@pytest.fixture
def enricher(make_enricher: MakeEnricher, redis_url: str, mongo_url: str) -> Enricher:
    """An enricher that uses the session's stores."""
    return make_enricher(redis_url, mongo_url)


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    return redis_client(redis_url)


@pytest.fixture
def stream(client: redis.Redis) -> FeedStream:
    return FeedStream(client, "f", dlq_max_entries=100, now_ns=lambda: 7)


@pytest.fixture
def world(redis_url: str, mongo_url: str) -> Iterator[World]:
    """A runner with stores of its own."""
    made = World(redis_url, mongo_url)
    yield made
    made.mongo.close()
    made.client.close()
