"""Run generators and enrichers of several feeds as real processes, and count their messages."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import redis
from devcluster.ports import free_port
from prometheus_client.parser import text_string_to_metric_families
from pymongo import MongoClient

ROOT = Path(__file__).parents[2]
COLLECTIONS = {
    "underlying": "underlying_ticks",
    "option_quote": "option_quotes",
    "option_chain": "option_chains",
}
# A generator that writes its metrics to a file when it ends, so that a test can read them afterwards.
_GENERATOR = """
import atexit, os, runpy
from prometheus_client import REGISTRY, write_to_textfile
atexit.register(write_to_textfile, os.environ["LAST_METRICS"], REGISTRY)
runpy.run_module("feed_generator", run_name="__main__")
"""


class Pipelines:
    """The processes of some feeds, and their messages in the stores.

    `products` maps each feed to its product. Logs are in `home`.
    """

    def __init__(
        self, home: Path, products: Mapping[str, str], *, redis_url: str, broker_url: str, mongo_url: str
    ) -> None:
        self._home, self.products = home, products
        self._redis_url, self._broker_url, self._mongo_url = redis_url, broker_url, mongo_url
        self._mongo = MongoClient[dict[str, Any]](mongo_url)
        self.running: list[subprocess.Popen[bytes]] = []
        self._generators: list[subprocess.Popen[bytes]] = []
        self._ports: dict[str, int] = {}

    def start_generators(self, messages_per_second: int) -> None:
        """Start one synthetic generator per feed."""
        for feed, product in self.products.items():
            self._ports[feed] = free_port()
            generator = self._start(
                feed,
                "feed-generator",
                ["-c", _GENERATOR],
                PRODUCTS=product,
                MESSAGES_PER_SECOND=str(messages_per_second),
                PORT=str(self._ports[feed]),
                LAST_METRICS=str(self._home / f"{feed}.prom"),
            )
            self._generators.append(generator)

    def stop_generators(self) -> None:
        """Stop the generators with SIGTERM, as a rollout does. They send all their messages first."""
        for generator in self._generators:
            generator.send_signal(signal.SIGTERM)
        assert [generator.wait(60) for generator in self._generators] == [0] * len(self._generators)
        self.running = [process for process in self.running if process not in self._generators]

    def start_enrichers(self, **env: str) -> None:
        """Start a subscriber and a worker per feed."""
        for feed in self.products:
            for role in ("subscriber", "worker"):
                self._start(
                    feed,
                    "worker-enricher",
                    ["-m", "worker_enricher", role],
                    MONGO_URL=self._mongo_url,
                    CELERY_BROKER_URL=self._broker_url,
                    **env,
                )

    def _start(self, feed: str, service: str, argv: list[str], **env: str) -> subprocess.Popen[bytes]:
        with open(self._home / f"{feed}.log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, *argv],
                cwd=ROOT / "services" / service,
                env={"PATH": os.environ["PATH"], "FEED": feed, "REDIS_URL": self._redis_url, **env},
                stdout=log,
                stderr=log,
            )
        self.running.append(process)
        return process

    @property
    def ended(self) -> list[int]:
        """Exit codes of the processes that ended without being stopped."""
        return [process.returncode for process in self.running if process.poll() is not None]

    def log(self, feed: str) -> str:
        """Return the log of the feed's processes."""
        return (self._home / f"{feed}.log").read_text()

    def metric(self, feed: str, name: str) -> float:
        """Return a running generator's metric, summed over all kinds; nan if it does not respond."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._ports[feed]}/metrics", timeout=5) as answer:
                return sum(_samples(answer.read().decode(), name).values())
        except OSError:
            return float("nan")

    def last_metric(self, feed: str, name: str) -> dict[str, float]:
        """Return the last values of a metric of a generator that has ended, by kind."""
        return _samples((self._home / f"{feed}.prom").read_text(), name)

    def stored(self, feed: str) -> int:
        """Return the number of the feed's messages in MongoDB."""
        database = self._mongo.get_default_database()
        return sum(database[name].count_documents({"feed": feed}) for name in COLLECTIONS.values())

    def check_accounts(self, feed: str) -> dict[str, int]:
        """Check that made = stored + conflated + dropped, and that each sequence number is stored once.

        Returns the number of stored messages by kind.
        """
        database = self._mongo.get_default_database()
        stored = {
            kind: [
                int(row["mid"].partition(":")[2]) for row in database[name].find({"feed": feed}, {"mid": 1})
            ]
            for kind, name in COLLECTIONS.items()
        }
        total = sum(map(len, stored.values()))
        assert sorted(chain.from_iterable(stored.values())) == list(range(1, total + 1)), feed
        (made,), (conflated,), (dropped,) = (
            self.last_metric(feed, name).values()
            for name in ("feed_made_total", "feed_quotes_conflated_total", "feed_quotes_dropped_total")
        )
        assert made == total + conflated + dropped, feed
        return {kind: len(numbers) for kind, numbers in stored.items()}

    def close(self) -> None:
        for process in (*self.running, *self._generators):
            process.kill()
            process.wait()
        self._mongo.close()


def open_entries(client: redis.Redis, feed: str) -> int:
    """Return the number of undelivered and unacknowledged entries; -1 if the stream has no consumer group."""
    groups: Any = client.xinfo_groups(f"feed:{feed}")
    return sum(int(group["pending"]) + int(group["lag"] or 0) for group in groups) if groups else -1


def _samples(text: str, name: str) -> dict[str, float]:
    """Return a metric's values by the label `kind`, or by "" if it has no such label."""
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return {sample.labels.get("kind", ""): sample.value for sample in samples}
