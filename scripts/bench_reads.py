"""`make bench-reads`: measure reads per second through the API gateway, with storage and analytics behind it.

8 connections read the latest put-call ratio (PCR). BASE_SERVICES names the `services` folder of another tree;
both are then measured alternately (A B A B). The last line is one JSON object. Asserts nothing.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import redis
from devcluster.processes.http_services import SERVICES, http_services
from devcluster.processes.stores import MongoServer, RedisServer
from pymongo import MongoClient
from scripts.calibration import calibration_ms

EXAMPLES = SERVICES / "contracts" / "examples"
CONNECTIONS = 8
PATH = "/api/analytics/pcr/NIFTY"


def reads(port: int, seconds: float) -> float:
    """Return responses per second over 8 keep-alive connections. Fails if a response is not a 200."""
    counts = [0] * CONNECTIONS
    until = time.monotonic() + seconds

    def ask(n: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while time.monotonic() < until:
            connection.request("GET", PATH)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{answer.status}: {body.decode()}")
            counts[n] += 1

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def measure(services: Path, redis_url: str, mongo_url: str, seconds: float) -> dict[str, Any]:
    settings = {"ANONYMOUS_READ": "true", "RATE_LIMIT_PER_MINUTE": "100000000"}
    with (
        tempfile.TemporaryDirectory() as home,
        http_services(Path(home), redis_url, mongo_url, services=services, **settings) as running,
    ):
        gateway = running["api-gateway"]
        reads(gateway.port, 1)
        family = [psutil.Process(one.process.pid) for one in running.values()]
        family += [child for parent in family for child in parent.children()]
        before = sum(sum(process.cpu_times()[:2]) for process in family)
        rate = reads(gateway.port, seconds)
        busy = sum(sum(process.cpu_times()[:2]) for process in family) - before
        pss = sum(process.memory_full_info().pss for process in family) >> 20
        before = sum(sum(process.cpu_times()[:2]) for process in family)
        time.sleep(2)
        idle = sum(sum(process.cpu_times()[:2]) for process in family) - before
        return {
            "reads_per_s": round(rate),
            "cpu_ms_per_read": round(busy / (rate * seconds) * 1000, 2),
            "pss_mib": pss,
            "idle_cpu_percent": round(idle / 2 * 100, 1),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, help="another tree's services folder")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--turns", type=int, default=2)
    args = parser.parse_args()
    calibrations = [calibration_ms()]
    trees = {"now": SERVICES} | ({"base": args.base} if args.base else {})
    seen: dict[str, list[dict[str, Any]]] = {name: [] for name in trees}
    with (
        tempfile.TemporaryDirectory() as home,
        RedisServer(Path(home) / "redis") as store,
        MongoServer(Path(home) / "mongo") as mongo,
    ):
        with redis.Redis.from_url(store.url()) as client:
            client.set("latest:pcr:NIFTY:2024-06-27", (EXAMPLES / "cache-latest-pcr.json").read_text())
            client.hset("index:NIFTY", "chain:2024-06-27", (EXAMPLES / "cache-index.json").read_text())
        database: MongoClient[dict[str, Any]]
        with MongoClient(mongo.url) as database:
            database["deltastream"]["users"].create_index("email", unique=True)
        for _ in range(args.turns):
            for name, services in trees.items():
                seen[name].append(measure(services, store.url(), mongo.url, args.seconds))
                print(name, json.dumps(seen[name][-1]), flush=True)
            calibrations.append(calibration_ms())
    print(f"calibration before and after each turn: {calibrations} ms")
    medians: dict[str, Any] = {
        name: {key: statistics.median(one[key] for one in runs) for key in runs[0]}
        for name, runs in seen.items()
    }
    print(json.dumps({**medians, "calibration_ms": statistics.median(calibrations)}))


if __name__ == "__main__":
    main()
