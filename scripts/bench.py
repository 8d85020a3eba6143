"""`make bench`: measure throughput, latency and memory of Redis, subscriber, Celery worker and MongoDB.

First sends 42,000 mixed messages (per chain of 42 contracts: 10 quotes and 10 ticks) as fast as the pipeline
accepts them. Then sends at the default feed's rate and at ten times that rate. Prints the results; the last
line is one JSON object. Asserts nothing, since wall-clock times of a shared machine are not a test.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import redis
from devcluster.ports import free_port
from devcluster.processes.stores import MongoServer, RedisServer
from devcluster.waiting import wait_until
from pymongo import MongoClient
from scripts.calibration import calibration_ms

ROOT = Path(__file__).parents[1]
FEED = "bench"
# Spot and strike interval.
PRODUCTS = {
    "NIFTY": (24_000.0, 50.0),
    "BANKNIFTY": (51_000.0, 100.0),
    "SENSEX": (79_000.0, 100.0),
    "SPY": (600.0, 5.0),
}
COLLECTIONS = ("underlying_ticks", "option_quotes", "option_chains")
STRIKES = 21
DEFAULT_RATE = 60
DAY_NS = 86_400 * 10**9
YEAR_NS = 365 * DAY_NS
EXPIRES_NS = 10 * 3600 * 10**9
"""Time of the day at which all contracts expire."""
Body = dict[str, Any]


class Tape:
    """An endless, seeded sequence of market messages in the proportion 1 chain : 10 quotes : 10 ticks."""

    def __init__(self, seed: int, epoch: int) -> None:
        self._random, self._epoch, self._seq = random.Random(seed), epoch, 0
        self._now_ns = time.time_ns()

    def __iter__(self) -> Iterator[tuple[str, Body]]:
        while True:
            product = self._random.choice(list(PRODUCTS))
            base, step = PRODUCTS[product]
            spot = round(base * math.exp(self._random.gauss(0, 0.002)), 2)
            chain = self._chain(product, spot, step)
            yield "option_chain", chain
            for _ in range(10):
                yield "underlying", {**self._head("underlying", product), "price": spot, "truth": None}
                yield "option_quote", self._quote(chain, self._random.randrange(STRIKES))

    def _head(self, kind: str, product: str) -> Body:
        self._seq += 1
        head = {"kind": kind, "mid": f"{self._epoch}:{self._seq}", "feed": FEED, "product": product}
        return {**head, "ts": self._now_ns, "sent_ts": 0, "replay": 0}

    def _chain(self, product: str, spot: float, step: float) -> Body:
        # At a fixed time of the day: every tape has the same series, because a date has one.
        expiry_ns = (self._now_ns // DAY_NS + self._random.choice((3, 10, 17))) * DAY_NS + EXPIRES_NS
        years = (expiry_ns - self._now_ns) / YEAR_NS
        forward = spot * math.exp(0.06 * years)
        middle = round(spot / step) * step
        strikes = [middle + step * (n - STRIKES // 2) for n in range(STRIKES)]
        calls = [self._leg(forward, k, years, 1) for k in strikes]
        puts = [self._leg(forward, k, years, -1) for k in strikes]
        return {
            **self._head("option_chain", product),
            "expiry": time.strftime("%Y-%m-%d", time.gmtime(expiry_ns // 10**9)),
            "expiry_ts": expiry_ns, "exercise": "European", "spot_price": spot, "lot_size": 25,
            "oi_unit": "shares", "strikes": strikes, "truth": None,
            "calls": _columns(calls), "puts": _columns(puts),
        }  # fmt: skip

    def _leg(self, forward: float, strike: float, years: float, sign: int) -> Body:
        sigma = 0.14 + 0.6 * math.log(strike / forward) ** 2
        total = sigma * math.sqrt(years)
        d1 = math.log(forward / strike) / total + total / 2

        def normal(x: float) -> float:
            return math.erfc(-x / math.sqrt(2)) / 2

        price = sign * (forward * normal(sign * d1) - strike * normal(sign * (d1 - total)))
        bid = max(0.05, math.floor(price * 19.9) / 20)
        return {
            "bid": bid, "ask": bid + 0.1, "last": round(price, 2), "bid_size": 100, "ask_size": 100,
            "volume": self._random.randrange(10**6), "open_interest": self._random.randrange(10**6),
            "previous_close": round(price * 1.02, 2), "previous_open_interest": self._random.randrange(10**6),
        }  # fmt: skip

    def _quote(self, chain: Body, row: int) -> Body:
        side, right = self._random.choice((("calls", "C"), ("puts", "P")))
        strike, legs = chain["strikes"][row], chain[side]
        copied = ("bid", "ask", "last", "bid_size", "ask_size", "volume", "open_interest")
        shared = ("expiry", "expiry_ts", "exercise", "spot_price", "lot_size", "oi_unit")
        return {
            **self._head("option_quote", chain["product"]),
            "symbol": f"{chain['product']}{chain['expiry'].replace('-', '')}{right}{strike:g}",
            **{name: chain[name] for name in shared},
            "strike": strike, "option_type": "CALL" if right == "C" else "PUT", "truth": None,
            **{name: legs[name][row] for name in copied},
        }  # fmt: skip


def _columns(legs: list[Body]) -> Body:
    return {column: [leg[column] for leg in legs] for column in legs[0]}


class System:
    """The stores, one subscriber and its workers, with methods that read their CPU time and memory."""

    def __init__(self, home: Path, workers: int, tree: Path) -> None:
        self.redis, self.mongo = RedisServer(home / "redis"), MongoServer(home / "mongo")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._home, self._workers, self._tree = home, workers, tree

    def start(self) -> None:
        self.redis.start()
        self.mongo.start()
        if self._start("migrate", "storage", ["-m", "storage", "migrate"]).wait(timeout=60):
            raise SystemExit((self._home / "migrate.log").read_text())
        del self.processes["migrate"]
        self._start("subscriber", "worker-enricher", ["-m", "worker_enricher", "subscriber"])
        for n in range(self._workers):
            self._start(f"worker-{n + 1}", "worker-enricher", ["-m", "worker_enricher", "worker"])

    def _start(self, name: str, service: str, command: list[str]) -> subprocess.Popen[bytes]:
        env = {
            "PATH": os.environ["PATH"], "FEED": FEED, "REDIS_URL": self.redis.url(),
            "CELERY_BROKER_URL": self.redis.url(1), "MONGO_URL": self.mongo.url,
            "PORT": str(free_port()), "LOG_LEVEL": "WARNING", "MALLOC_ARENA_MAX": "2",
        }  # fmt: skip
        with open(self._home / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                [self._tree / ".venv/bin/python", *command],
                cwd=self._tree / "services" / service,
                env=env,
                stdout=log,
                stderr=log,
            )
        return self.processes[name]

    def _all(self) -> dict[str, psutil.Process]:
        stores = {"redis": self.redis.pid, "mongod": self.mongo.pid}
        return {name: psutil.Process(pid) for name, pid in stores.items()} | {
            name: psutil.Process(process.pid) for name, process in self.processes.items()
        }

    def cpu_seconds(self) -> dict[str, float]:
        times = {name: process.cpu_times() for name, process in self._all().items()}
        return {name: spent.user + spent.system for name, spent in times.items()}

    def rss_mb(self) -> dict[str, float]:
        return {name: round(process.memory_info().rss / 2**20, 1) for name, process in self._all().items()}

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(timeout=40)
        self.mongo.stop()
        self.redis.stop()


def encode(body: Body, sent_ns: int) -> bytes:
    return json.dumps({**body, "sent_ts": sent_ns}).encode()


class Cost:
    """The enrichers' counters since the last call of `print` (contract `feed-service`)."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._last = self._read()

    def _read(self) -> list[int]:
        fields: Any = self._client.hmget(f"feed:{FEED}:service", ["batches", "entries", "busy_us"])
        return [int(value or 0) for value in fields]

    def print(self) -> None:
        """Print the mean number of entries and the mean worker time of a batch since the last call."""
        now = self._read()
        batches, entries, busy_us = (new - old for new, old in zip(now, self._last, strict=True))
        self._last = now
        if batches:
            print(
                f"  a batch: {entries / batches:.1f} entries, {busy_us / batches / 1000:.1f} ms of a worker"
            )


def throughput(system: System, client: redis.Redis, database: Any, messages: int) -> dict[str, float]:
    """Append all messages at once, and measure until the last one is stored and acknowledged.

    Returns stored messages and contracts per second, and CPU milliseconds per message. Exits if the number of
    stored messages differs from `messages`.
    """
    tape = iter(Tape(7, 1))
    drawn = [next(tape) for _ in range(messages)]
    contracts = sum({"option_chain": 2 * STRIKES, "option_quote": 1}.get(kind, 0) for kind, _ in drawn)
    encoded = [encode(body, time.time_ns()) for _, body in drawn]
    before, started = system.cpu_seconds(), time.perf_counter()
    for at in range(0, messages, 500):
        with client.pipeline(transaction=False) as pipe:
            for body in encoded[at : at + 500]:
                pipe.xadd(f"feed:{FEED}", {"body": body})
            pipe.execute()
    wait_until(lambda: _acknowledged(client), "all acknowledged", within_s=300)
    seconds, after = time.perf_counter() - started, system.cpu_seconds()
    stored = sum(database[name].count_documents({}) for name in COLLECTIONS)
    if stored != messages:
        raise SystemExit(f"{stored} of {messages} messages are stored, so the rates would be wrong")
    cpu = {name: 1000 * (after[name] - before[name]) / messages for name in after}
    print(f"throughput: {stored} of {messages} messages stored in {seconds:.2f} s")
    print("  CPU-ms a message: " + ", ".join(f"{name} {spent:.3f}" for name, spent in cpu.items()))
    return {
        "stored_messages_per_s": round(stored / seconds),
        "stored_contracts_per_s": round(contracts / seconds),
        "cpu_ms_per_message": round(sum(cpu.values()), 3),
    }


def _acknowledged(client: redis.Redis) -> bool:
    group: dict[str, Any] = client.xinfo_groups(f"feed:{FEED}")[0]
    return bool(group["lag"] == 0 and group["pending"] == 0)


def latency(client: redis.Redis, rate: int, seconds: float, epoch: int) -> list[float]:
    """Send at a steady `rate` (messages per second) and return the sorted latencies in milliseconds.

    A latency is the time from just before XADD to the arrival of the enriched message.
    """
    listener: Any = client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    listener.subscribe("enriched:underlying", "enriched:option_quote", "enriched:option_chain")
    listener.get_message(timeout=1)
    tape = iter(Tape(epoch, epoch))
    seen: list[float] = []
    total = int(rate * seconds)
    sent, started = 0, time.perf_counter()
    while len(seen) < total and time.perf_counter() - started < seconds + 30:
        due = min(total, int((time.perf_counter() - started) * rate) + 1)
        while sent < due:
            client.xadd(f"feed:{FEED}", {"body": encode(next(tape)[1], time.time_ns())})
            sent += 1
        message = listener.get_message(timeout=0.5 / rate)
        while message:
            seen.append((time.time_ns() - json.loads(message["data"])["sent_ts"]) / 1e6)
            message = listener.get_message(timeout=0)
    listener.close()
    return sorted(seen)


def main() -> None:
    """Run the benchmark on its own stores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=42_000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--tree", type=Path, default=ROOT, help="tree with the services; needs `make build`")
    args = parser.parse_args()
    calibrations = [calibration_ms()]
    with tempfile.TemporaryDirectory(prefix="deltastream-bench-", ignore_cleanup_errors=True) as home:
        system = System(Path(home), args.workers, args.tree)
        try:
            system.start()
            client = redis.Redis.from_url(system.redis.url(), protocol=2)
            mongo: MongoClient[Body]
            with MongoClient(system.mongo.url) as mongo:
                warm = latency(client, 100, 2, 999)
                print(f"warm-up: {len(warm)} messages")
                cost = Cost(client)
                database: Any = mongo.get_default_database()
                for name in COLLECTIONS:
                    database[name].delete_many({})
                result: dict[str, Any] = throughput(system, client, database, args.messages)
                cost.print()
            calibrations.append(calibration_ms())
            for factor in (1, 10):
                seen = latency(client, DEFAULT_RATE * factor, args.seconds, 100 + factor)
                p50, p95, p99 = (seen[min(len(seen) - 1, int(len(seen) * q))] for q in (0.5, 0.95, 0.99))
                print(f"latency at {factor}x ({DEFAULT_RATE * factor}/s, {len(seen)} messages): "
                      f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms")  # fmt: skip
                cost.print()
                result |= {f"p50_ms_{factor}x": round(p50, 2), f"p99_ms_{factor}x": round(p99, 2)}
            result["rss_mb"] = system.rss_mb()
        finally:
            system.stop()
    calibrations.append(calibration_ms())
    print(f"calibration before, between and after: {calibrations} ms")
    print(json.dumps({**result, "calibration_ms": sorted(calibrations)[1]}))


if __name__ == "__main__":
    main()
