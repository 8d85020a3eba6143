"""`make bench-deribit`: measure the CPU of a generator that appends Deribit's tickers to Redis.

A fake exchange in a process of its own sends `--rate` tickers a second (5,000) in steps of 100 ms. The
figures are those of the generator process alone, over `--seconds` (20). The last line is one JSON object.
Asserts nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import redis
from devcluster.ports import free_port
from devcluster.processes.http_services import SERVICES
from devcluster.processes.stores import RedisServer
from devcluster.waiting import wait_until
from scripts.calibration import calibration_ms

ROOT = Path(__file__).parents[1]
FEED = "bench-deribit"
WARM_UP_S = 5


@contextmanager
def process(*command: str, cwd: Path, env: dict[str, str]) -> Iterator[psutil.Process]:
    """Run a process for the duration of a block."""
    child = subprocess.Popen([sys.executable, *command], cwd=cwd, env={"PATH": os.environ["PATH"], **env})
    try:
        yield psutil.Process(child.pid)
    finally:
        child.terminate()
        child.wait(30)


def entries(client: redis.Redis) -> int:
    """Return how many messages have been appended."""
    info: dict[str, int] = client.xinfo_stream(f"feed:{FEED}") if client.exists(f"feed:{FEED}") else {}
    return int(info.get("entries-added", 0))


def measure(server: RedisServer, rate: int, seconds: int) -> dict[str, float]:
    """Return messages a second, the share of a core that they take, and the resident MB."""
    port = free_port()
    settings = {
        "FEED": FEED,
        "PRODUCTS": "BTC,ETH",
        "SOURCE": "deribit",
        "REDIS_URL": server.url(),
        "DERIBIT_URL": f"ws://localhost:{port}/ws/api/v2",
        "DERIBIT_CURRENCIES": "BTC,ETH",
        "DERIBIT_EXPIRIES": "5",
        "DERIBIT_STRIKES_PER_SIDE": "20",
        "STREAM_HIGH_WATER": "1000000000",
    }
    fake = ("-m", "tests.support.fake_deribit", "--port", str(port), "--rate", str(rate))
    with (
        redis.Redis.from_url(server.url()) as client,
        process(*fake, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}),
        process("-m", "feed_generator", cwd=SERVICES / "feed-generator", env=settings) as generator,
    ):
        wait_until(lambda: entries(client) > 1000, "the first messages")
        time.sleep(WARM_UP_S)
        before, cpu, start = entries(client), sum(generator.cpu_times()[:2]), time.monotonic()
        time.sleep(seconds)
        elapsed = time.monotonic() - start
        cpu = sum(generator.cpu_times()[:2]) - cpu
        return {
            "messages_per_second": round((entries(client) - before) / elapsed),
            "core_share": round(cpu / elapsed, 3),
            "resident_mb": round(generator.memory_info().rss / 1e6, 1),
        }


def main() -> None:
    """Print the figures, with the calibration before and after."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--seconds", type=int, default=20)
    wanted = parser.parse_args()
    calibrations = [calibration_ms()]
    with tempfile.TemporaryDirectory() as home:
        server = RedisServer(Path(home))
        server.start()
        try:
            result = measure(server, wanted.rate, wanted.seconds)
        finally:
            server.stop()
    calibrations.append(calibration_ms())
    print(f"calibration before and after: {calibrations} ms")
    print(json.dumps({"wanted_per_second": wanted.rate, **result, "calibration_ms": min(calibrations)}))


if __name__ == "__main__":
    main()
