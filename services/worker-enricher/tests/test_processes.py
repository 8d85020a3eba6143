"""Subscriber and Celery worker as real processes on real stores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
from pymongo import MongoClient
from tests.support.contracts import example
from tests.support.stores import MongoServer, RedisServer, free_port, wait_until
from tests.support.tls import TlsMongo, TlsRedis

from worker_enricher.bootstrap import redis_client
from worker_enricher.stream import GROUP

SERVICE = Path(__file__).parents[1]


class Enricher:
    """One feed's processes and what they leave in the stores."""

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
        wait_until(lambda: len(self.stored()) >= last and self.pending() == 0, f"{last} stored", within_s=60)
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
def enricher(tmp_path: Path, redis_url: str, mongo_url: str) -> Iterator[Enricher]:
    with closing(Enricher(tmp_path, redis_url, mongo_url)) as made:
        yield made


@pytest.mark.parametrize("concurrency", ["1", "2"])
def test_messages_go_through_celery_and_both_processes_end_cleanly(
    enricher: Enricher, concurrency: str
) -> None:
    """The thinnest slice of the product, in both pools; SIGTERM is answered with exit code 0."""
    processes = [enricher.start("subscriber"), enricher.start("worker", CONCURRENCY=concurrency)]
    enricher.publish(1, 500)
    enricher.wait_stored(500)
    for process in processes:
        wait_until(lambda p=process: enricher.probe(p, "/readyz") == 200, "ready")
        assert enricher.probe(process, "/livez") == 200
        assert enricher.probe(process, "/metrics") == 200
    for process in processes:
        process.terminate()
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("concurrency", ["1", "2"])
def test_messages_go_through_stores_that_speak_tls_alone(tmp_path: Path, concurrency: str) -> None:
    """Stream, Celery's broker and MongoDB over TLS with a private CA, in both pools."""
    with TlsRedis(tmp_path / "r") as redis_server, TlsMongo(tmp_path / "m") as mongo:
        broker = {"CELERY_BROKER_URL": redis_server.url(1)}
        with closing(Enricher(tmp_path, redis_server.url(), mongo.url)) as enricher:
            enricher.start("subscriber", **broker)
            enricher.start("worker", CONCURRENCY=concurrency, **broker)
            enricher.publish(1, 200)
            enricher.wait_stored(200)


@pytest.mark.parametrize("victim", ["worker", "subscriber"])
def test_a_process_killed_under_load_loses_and_doubles_nothing(enricher: Enricher, victim: str) -> None:
    """kill -9 at any moment: what was in hand comes back through the stream."""
    processes = {role: enricher.start(role, BATCH_ENTRIES="20") for role in ("subscriber", "worker")}
    for round_ in range(3):
        first = round_ * 1000 + 1
        enricher.publish(first, first + 999)
        wait_until(lambda at=first: len(enricher.stored()) > at, "under way")
        processes[victim].kill()
        processes[victim].wait()
        processes[victim] = enricher.start(victim, BATCH_ENTRIES="20")
    enricher.wait_stored(3000)
    assert enricher.client.xlen("dlq:nifty-replay") == 0


@pytest.mark.parametrize("concurrency", ["1", "2"])
def test_a_redis_that_is_killed_again_and_again_is_consumed_from_again(
    tmp_path: Path, own_redis: RedisServer, mongo_url: str, concurrency: str
) -> None:
    """Whatever Celery was doing when the broker went: a task in hand, one to acknowledge, none."""
    with closing(Enricher(tmp_path, own_redis.url(), mongo_url)) as enricher:
        enricher.start("subscriber", BATCH_ENTRIES="5")
        enricher.start("worker", BATCH_ENTRIES="5", CONCURRENCY=concurrency)
        for round_ in range(6):
            first = round_ * 400 + 1
            enricher.publish(first, first + 399)
            wait_until(lambda at=first: len(enricher.stored()) > at + 50, "under way")
            own_redis.kill()
            own_redis.start()
        enricher.wait_stored(2400)
        assert enricher.client.xlen("dlq:nifty-replay") == 0


@pytest.mark.parametrize("concurrency", ["1", "2"])
def test_a_worker_told_to_stop_while_mongodb_is_away_stops_and_loses_nothing(
    tmp_path: Path, redis_url: str, concurrency: str
) -> None:
    """Its batch stays pending and is stored by the next worker once MongoDB is back."""
    with (
        MongoServer(tmp_path / "mongo") as mongod,
        closing(Enricher(tmp_path, redis_url, mongod.url)) as enricher,
    ):
        enricher.start("subscriber")
        worker = enricher.start("worker", CONCURRENCY=concurrency)
        enricher.publish(1, 50)
        enricher.wait_stored(50)
        mongod.kill()
        enricher.publish(51, 80)
        wait_until(lambda: enricher.pending() > 0, "a batch in hand")
        wait_until(lambda: enricher.probe(worker, "/readyz") == 503, "the outage is seen")
        assert enricher.probe(worker, "/livez") == 200, "an outage of MongoDB is no reason to kill workers"
        worker.terminate()
        assert worker.wait(timeout=30) == 0
        mongod.start()
        enricher.start("worker")
        enricher.wait_stored(80)
        assert enricher.client.xlen("dlq:nifty-replay") == 0
