"""Tests of subscriber and Celery worker as real processes, with real stores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from devcluster.processes.stores import MongoServer, RedisServer
from devcluster.waiting import wait_until
from tests.support.tls import TlsMongo, TlsRedis


@pytest.mark.parametrize("concurrency", ["1", "2"])
def test_messages_pass_through_celery_and_both_processes_end_cleanly(enricher: Any, concurrency: str) -> None:
    """Messages reach MongoDB with both Celery pools. Both processes exit with code 0 after SIGTERM."""
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
    log = (enricher.home / "worker.log").read_text()
    assert "received" not in log, (
        "a worker must not log a line per task: they would push errors out of the logs"
    )
    assert "succeeded" not in log


@pytest.mark.parametrize("concurrency", ["1", "2"])
def test_messages_pass_through_stores_that_accept_only_tls(
    make_enricher: Any, tmp_path: Path, concurrency: str
) -> None:
    """Stream, Celery's broker and MongoDB over TLS with a private CA, in both pools."""
    with TlsRedis(tmp_path / "r") as redis_server, TlsMongo(tmp_path / "m") as mongo:
        broker = {"CELERY_BROKER_URL": redis_server.url(1)}
        enricher = make_enricher(redis_server.url(), mongo.url)
        enricher.start("subscriber", **broker)
        enricher.start("worker", CONCURRENCY=concurrency, **broker)
        enricher.publish(1, 200)
        enricher.wait_stored(200)


@pytest.mark.parametrize("victim", ["worker", "subscriber"])
def test_a_process_killed_under_load_loses_and_duplicates_no_message(enricher: Any, victim: str) -> None:
    """After kill -9 at any moment, the stream redelivers the entries of the interrupted batch."""
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
def test_workers_consume_again_after_each_kill_of_redis(
    make_enricher: Any, own_redis: RedisServer, mongo_url: str, concurrency: str
) -> None:
    """Celery recovers whether it runs a task or is idle when the broker stops."""
    enricher = make_enricher(own_redis.url(), mongo_url)
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
def test_a_worker_that_gets_sigterm_while_mongodb_is_down_stops_and_loses_nothing(
    make_enricher: Any, tmp_path: Path, redis_url: str, concurrency: str
) -> None:
    """Its batch stays pending. The next worker stores it once MongoDB is available again."""
    with MongoServer(tmp_path / "mongo") as mongod:
        enricher = make_enricher(redis_url, mongod.url)
        enricher.start("subscriber")
        worker = enricher.start("worker", CONCURRENCY=concurrency)
        enricher.publish(1, 50)
        enricher.wait_stored(50)
        mongod.kill()
        enricher.publish(51, 80)
        wait_until(lambda: enricher.pending() > 0, "a batch in hand")
        wait_until(lambda: enricher.probe(worker, "/readyz") == 503, "the outage is seen")
        assert enricher.probe(worker, "/livez") == 200, "an outage of MongoDB must not restart workers"
        worker.terminate()
        assert worker.wait(timeout=30) == 0
        mongod.start()
        enricher.start("worker")
        enricher.wait_stored(80)
        assert enricher.client.xlen("dlq:nifty-replay") == 0
