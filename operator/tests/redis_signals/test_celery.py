"""Test that the signals include all open work of a real enricher: its subscriber, worker and stores."""

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
    """The subscriber and the worker of the enricher, which the test starts one by one."""

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
        """Start the process of this role: `subscriber` or `worker`."""
        command = [sys.executable, "-m", "worker_enricher", role]
        with open(self._log, "ab") as log:
            self._running.append(
                subprocess.Popen(command, cwd=SERVICE, env=self._env, stdout=log, stderr=log)
            )

    def end(self) -> None:
        """Stop both. A process that SIGTERM does not end is killed, and the test fails."""
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


def test_open_entries_are_counted_once_wherever_they_wait(
    enricher: Enricher, redis_url: str, mongo_url: str
) -> None:
    """The Celery queue shows only a few tasks. The backlog is every entry that is not stored yet."""
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
        wait_until(lambda: bool((now := reading()) and now.queued_tasks), "a task is queued")
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

        wait_until(drained, "all entries are processed")
        # A worker stores an entry before it acknowledges it, so each entry is open or stored or both.
        assert all(backlog + stored >= ENTRIES for backlog, stored in backlogs)
        done = reading()
        assert done
        assert done.service_seconds
        assert int(client.hget(f"feed:{FEED}:service", "entries") or 0) == ENTRIES
