"""`make bench-reads`: measure reads per second through the API gateway, with storage and analytics behind it.

8 keep-alive connections read the latest put-call ratio (PCR), the products and the newest chain of 100
strikes in turn. BASE_SERVICES names the `services` folder of another tree; both are then measured alternately
(A B A B). The last line is one JSON object. Asserts nothing.
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import redis
from devcluster.processes.http_services import SERVICES, http_services
from devcluster.processes.stores import MongoServer, RedisServer
from pymongo import MongoClient
from scripts.calibration import calibration_ms
from scripts.live_market import STRIKES, wide

EXAMPLES = SERVICES / "contracts" / "examples"
CONNECTIONS = 8
PATHS = ("/api/analytics/pcr/NIFTY", "/api/data/products", "/api/data/chain/NIFTY?limit=1")
_STATUS = re.compile(rb"HTTP/1.1 (\d{3})")
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_ETAG = re.compile(rb'\r\netag: ("[^"]*")', re.IGNORECASE)


class Connection:
    """A keep-alive connection that decodes nothing: the client must not take the CPU of the services."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)

    def get(self, path: str, etag: bytes = b"") -> tuple[int, bytes]:
        """Return the status and the ETag (empty if there is none) of the response."""
        condition = b"If-None-Match: %s\r\n" % etag if etag else b""
        self._socket.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % (path.encode(), condition))
        data = self._socket.recv(65536)
        while (end := data.find(b"\r\n\r\n") + 4) < 4:
            data += self._more()
        head = data[:end]
        status, length, tag = _STATUS.match(head), _LENGTH.search(head), _ETAG.search(head)
        if status is None:
            raise RuntimeError(head.decode())
        left = end + int(length[1] if length else 0) - len(data)
        while left > 0:
            left -= len(self._more())
        return int(status[1]), tag[1] if tag else b""

    def close(self) -> None:
        self._socket.close()

    def _more(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise RuntimeError("the gateway closed the connection")
        return data


def reads(port: int, seconds: float, expected: int, *, conditional: bool = False) -> float:
    """Return responses per second over 8 connections. Fails if a response has another status than `expected`.

    With `conditional`, each connection sends the ETag of its last response (If-None-Match).
    """
    counts = [0] * CONNECTIONS
    until = time.monotonic() + seconds

    def ask(n: int) -> None:
        connection, etags = Connection(port), dict.fromkeys(PATHS, b"")
        if conditional:
            etags = {path: connection.get(path)[1] for path in PATHS}
        while time.monotonic() < until:
            path = PATHS[(n + counts[n]) % len(PATHS)]
            status, _ = connection.get(path, etags[path])
            if status != expected:
                raise RuntimeError(f"{path}: {status}, not {expected}")
            counts[n] += 1
        connection.close()

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


@contextmanager
def stores(home: Path) -> Iterator[tuple[str, str]]:
    """Run Redis and MongoDB with the data that the reads need. Yields their URLs."""
    with RedisServer(home / "redis-reads") as store, MongoServer(home / "mongo") as mongo:
        with redis.Redis.from_url(store.url()) as client:
            client.set("latest:pcr:NIFTY:2024-06-27", (EXAMPLES / "cache-latest-pcr.json").read_text())
            client.hset("index:NIFTY", "chain:2024-06-27", (EXAMPLES / "cache-index.json").read_text())
        migrate = [sys.executable, "-m", "storage", "migrate"]  # storage names the indexes that it reads from
        subprocess.run(
            migrate,
            cwd=SERVICES / "storage",
            env={"MONGO_URL": mongo.url},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        client_of_mongo: MongoClient[dict[str, Any]]
        with MongoClient(mongo.url) as client_of_mongo:
            database: Any = client_of_mongo.get_default_database()
            chain = wide(json.loads((EXAMPLES / "document-option_chains.json").read_text()), STRIKES)
            database["option_chains"].insert_one({**chain, "_id": bytes.fromhex(chain["_id"])})
        yield store.url(), mongo.url


def measure(services: Path, urls: tuple[str, str], seconds: float) -> dict[str, Any]:
    """Run the services and return reads/s and CPU per read: allowed, unchanged (304) and refused (429)."""
    result: dict[str, Any] = {}
    for name, limit, expected in (("reads", 100_000_000, 200), ("refused", len(PATHS), 429)):
        settings = {"ANONYMOUS_READ": "true", "RATE_LIMIT_PER_MINUTE": str(limit)}
        with (
            tempfile.TemporaryDirectory() as home,
            http_services(Path(home), *urls, services=services, **settings) as running,
        ):
            port = running["api-gateway"].port
            family = [psutil.Process(one.process.pid) for one in running.values()]
            family += [child for parent in family for child in parent.children()]
            for path in PATHS:
                Connection(port).get(path)
            reads(port, 1, expected)
            result |= _timed(name, port, seconds, family, expected)
            if expected == 200:
                result["pss_mib"] = sum(process.memory_full_info().pss for process in family) >> 20
                if Connection(port).get(PATHS[0])[1]:
                    result |= _timed("unchanged", port, seconds, family, 304)
                before = _cpu_seconds(family)
                time.sleep(2)
                result["idle_cpu_percent"] = round((_cpu_seconds(family) - before) / 2 * 100, 1)
    return result


def _timed(
    name: str, port: int, seconds: float, family: list[psutil.Process], expected: int
) -> dict[str, Any]:
    before = _cpu_seconds(family)
    rate = reads(port, seconds, expected, conditional=expected == 304)
    busy = _cpu_seconds(family) - before
    return {f"{name}_per_s": round(rate), f"cpu_ms_per_{name}": round(busy / (rate * seconds) * 1000, 2)}


def _cpu_seconds(family: list[psutil.Process]) -> float:
    return float(sum(sum(process.cpu_times()[:2]) for process in family))


def measure_reads(home: Path, seconds: float) -> dict[str, Any]:
    """Return `measure` of this tree, on its own stores in `home`."""
    with stores(home) as urls:
        return measure(SERVICES, urls, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, help="another tree's services folder")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--turns", type=int, default=2)
    args = parser.parse_args()
    calibrations = [calibration_ms()]
    trees = {"now": SERVICES} | ({"base": args.base} if args.base else {})
    seen: dict[str, list[dict[str, Any]]] = {name: [] for name in trees}
    with tempfile.TemporaryDirectory() as home, stores(Path(home)) as urls:
        for _ in range(args.turns):
            for name, services in trees.items():
                seen[name].append(measure(services, urls, args.seconds))
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
