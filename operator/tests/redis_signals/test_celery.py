"""The enricher's own subscriber and worker on real stores: all outstanding work is seen, at every moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from devcluster.waiting import wait_until
from pymongo import MongoClient
from tests.support.contracts import example

from deltastream_operator.domain.signals import Signals
from deltastream_operator.redis_signals import RedisSignals

SERVICE = Path(__file__).resolve().parents[3] / "services/worker-enricher"
FEED = str(example("market-underlying")["feed"])
ENTRIES = 500


class Enricher:
    """Its two processes, started one by one."""

    def __init__(self, log: Path, redis_url: str, mongo_url: str) -> None:
        self._log, self._running = log, list[subprocess.Popen[bytes]]()
        self._env = {
            "PATH": os.environ["PATH"],
            "FEED": FEED,
            "REDIS_URL": redis_url,
            "MONGO_URL": mongo_url,
            "CELERY_BROKER_URL": redis_url.rsplit("/", 1)[0] + "/1",
            "BATCH_ENTRIES": "10",
        }

    def start(self, role: str) -> None:
        """Run one of them."""
        command = [sys.executable, "-m", "worker_enricher", role]
        with open(self._log, "ab") as log:
            self._running.append(
                subprocess.Popen(command, cwd=SERVICE, env=self._env, stdout=log, stderr=log)
            )

    def end(self) -> None:
        """End both; who does not end by itself is killed and fails the test."""
        for process in self._running:
            process.terminate()
        try:
            for process in self._running:
                process.wait(timeout=40)
        finally:
            for process in self._running:
                process.kill()
                process.wait()


@pytest.fixture
def enricher(tmp_path: Path, redis_url: str, mongo_url: str) -> Iterator[Enricher]:
    made = Enricher(tmp_path / "log", redis_url, mongo_url)
    yield made
    made.end()


def test_work_in_stream_queue_and_workers_is_counted_once(
    enricher: Enricher, redis_url: str, mongo_url: str
) -> None:
    """What the queue alone shows is a few tasks; the backlog is every entry that is not yet stored."""
    signals = RedisSignals(redis_url, time)

    def reading() -> Signals | None:
        seen = signals.read([FEED])[FEED]
        return seen if isinstance(seen, Signals) else None

    with redis.Redis.from_url(redis_url) as client, MongoClient[dict[str, Any]](mongo_url) as mongo:
        ticks = mongo.get_default_database()["underlying_ticks"]
        for seq in range(ENTRIES):
            tick = {**example("market-underlying"), "mid": f"3:{seq + 1}"}
            client.xadd(f"feed:{FEED}", {"body": json.dumps(tick)})
        reading()
        seen = reading()
        assert seen
        assert (seen.backlog, seen.queued_tasks, seen.service_seconds) == (ENTRIES, 0, None)

        enricher.start("subscriber")
        wait_until(lambda: bool((now := reading()) and now.queued_tasks), "a worker is called")
        waiting = reading()
        assert waiting
        assert (waiting.lag, waiting.pending, waiting.backlog) == (ENTRIES, 0, ENTRIES)

        enricher.start("worker")
        backlogs = []

        def drained() -> bool:
            now = reading()
            if now:
                backlogs.append((now.backlog, ticks.count_documents({})))
            return bool(now and now.backlog == 0)

        wait_until(drained, "all is worked off")
        # Stored comes before acknowledged: what was open and what is stored since are never less than all.
        assert all(backlog + stored >= ENTRIES for backlog, stored in backlogs)
        done = reading()
        assert done
        assert done.service_seconds
        assert int(client.hget(f"feed:{FEED}:service", "entries") or 0) == ENTRIES
