"""`make bench-live`: measure live events through the socket gateway, and reads through the API gateway.

Live: 200 clients on raw WebSockets receive ticks of seven products (`general`); 28 of them also receive
chains of 100 strikes. The offered rate rises in steps. The result is the last step that one gateway delivers
in full with a p99 of at most 100 ms, from just before PUBLISH to the client. The same rate then goes to a
gateway that also has slow readers, which it evicts, and to three gateways. Reads: see bench_reads.py. The
last line is one JSON object. Asserts nothing, since times of a shared machine are not a test.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, cast

import psutil
import redis
from devcluster.processes.http_process import HttpProcess
from devcluster.processes.stores import RedisServer
from devcluster.waiting import wait_until
from scripts.bench_reads import measure_reads
from scripts.calibration import calibration_ms
from scripts.live_market import PRODUCTS, Market

GATEWAY = Path(__file__).parents[1] / "services/socket-gateway"
CLIENTS = 200
CHAIN_CLIENTS = 4 * len(PRODUCTS)
SLOW_READERS = 20
SLOW_CLIENT_SECONDS = 2
SLOW_RUN_SECONDS = 20  # the kernel's buffers of a slow reader take megabytes before the gateway notices
LIMIT_MS = 100
Result = dict[str, Any]


class Clients:
    """The process of live_clients.py."""

    def __init__(self, ports: list[int], slow: int) -> None:
        rooms = [[PRODUCTS[n % len(PRODUCTS)]] if n < CHAIN_CLIENTS else [] for n in range(CLIENTS)]
        rooms += [list(PRODUCTS)] * slow
        self._given = {"ports": ports, "rooms": rooms, "slow": slow}

    def __enter__(self) -> Clients:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scripts.live_clients", json.dumps(self._given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        cast(IO[str], self.process.stdin).close()
        self.process.wait(timeout=30)

    def ask(self, command: str) -> str:
        """Send `start` or `stop` and return the answer."""
        stdin = cast(IO[str], self.process.stdin)
        stdin.write(command + "\n")
        stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        line = cast(IO[str], self.process.stdout).readline()
        if not line:
            raise SystemExit("the process of the clients has ended; its error is above")
        return line


@contextmanager
def gateways(home: Path, redis_url: str, count: int) -> Iterator[list[HttpProcess]]:
    """Run `count` replicas of the socket gateway."""
    settings = {
        "ANONYMOUS_READ": "true",
        "SLOW_CLIENT_SECONDS": str(SLOW_CLIENT_SECONDS),
        "REDIS_URL": redis_url,
    }
    with ExitStack() as stack:
        running = [
            stack.enter_context(HttpProcess(["app.py"], GATEWAY, home / f"{count}-{n}.log", **settings))
            for n in range(count)
        ]
        for one in running:
            wait_until(one.ready, "the gateway is ready")
        yield running


def step(market: Market, clients: Clients, running: list[HttpProcess], rate: float, seconds: float) -> Result:
    """Offer `rate` deliveries per second for `seconds` and return what the clients received."""
    chains_a_second = len(PRODUCTS)
    from_chains = chains_a_second * CLIENTS + chains_a_second * CHAIN_CLIENTS / len(PRODUCTS)
    processes = [psutil.Process(one.process.pid) for one in running]
    clients.ask("start")
    before, started = _cpu_seconds(processes), time.monotonic()
    ticks, chains = market.run((rate - from_chains) / CLIENTS, seconds)
    took = time.monotonic() - started
    offered = ticks * CLIENTS + chains * CLIENTS + chains * CHAIN_CLIENTS // len(PRODUCTS)
    seen = _settled(clients, offered)
    return {
        "offered_per_s": round(offered / took),
        "deliveries_per_s": round(seen["deliveries"] / took),
        "complete": seen["deliveries"] >= offered,
        **{name: seen[name] for name in ("p50_ms", "p99_ms", "duplicates", "missing", "others")},
        "cpu_percent": round(100 * (_cpu_seconds(processes) - before) / took),
        "rss_mb": round(sum(process.memory_info().rss for process in processes) / 2**20, 1),
    }


def _settled(clients: Clients, offered: int) -> Result:
    """Return the clients' counters once they have everything, or receive nothing more."""
    seen: Result = json.loads(clients.ask("stop"))
    while seen["deliveries"] < offered:
        time.sleep(0.5)
        before, seen = seen["deliveries"], json.loads(clients.ask("stop"))
        if seen["deliveries"] == before:
            break
    return seen


def _cpu_seconds(processes: list[psutil.Process]) -> float:
    return float(sum(sum(process.cpu_times()[:2]) for process in processes))


def evictions(gateway: HttpProcess) -> int:
    """Return the number of slow clients that the gateway has disconnected."""
    lines = gateway.get("/metrics")[1].splitlines()
    start = 'deltastream_socket_evictions_total{code="slow_client"} '
    return round(sum(float(line.removeprefix(start)) for line in lines if line.startswith(start)))


def live(home: Path, rates: list[float], seconds: float) -> Result:
    """Measure one gateway at rising rates, then with slow readers, then three gateways."""
    with RedisServer(home / "redis") as store, redis.Redis.from_url(store.url()) as client:
        market = Market(client)
        best: Result = {}
        with gateways(home, store.url(), 1) as running, Clients([running[0].port], 0) as clients:
            step(market, clients, running, rates[0], 1)
            for rate in rates:
                seen = step(market, clients, running, rate, seconds)
                print("one gateway:", json.dumps(seen), flush=True)
                if not seen["complete"] or seen["p99_ms"] > LIMIT_MS:
                    break
                best = seen
        best = best or seen
        rate = best["offered_per_s"]
        with gateways(home, store.url(), 1) as running, Clients([running[0].port], SLOW_READERS) as clients:
            slow = step(market, clients, running, rate, SLOW_RUN_SECONDS)
            slow["evicted"] = evictions(running[0])
            print(f"one gateway, {SLOW_READERS} slow readers:", json.dumps(slow), flush=True)
        with gateways(home, store.url(), 3) as running, Clients([one.port for one in running], 0) as clients:
            three = step(market, clients, running, rate, seconds)
            print("three gateways:", json.dumps(three), flush=True)
        return {
            **{name: best[name] for name in ("deliveries_per_s", "p50_ms", "p99_ms")},
            "duplicates": sum(one["duplicates"] for one in (best, slow, three)),
            "evicted": slow["evicted"],
            "p99_ms_with_slow": slow["p99_ms"],
            "rss_mb": best["rss_mb"],
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", default="5000,10000,20000", help="deliveries/s, rising")
    parser.add_argument("--seconds", type=float, default=5, help="length of a step and of a turn of reads")
    parser.add_argument("--only", choices=("live", "reads"), help="measure only this part")
    args = parser.parse_args()
    calibrations = [calibration_ms()]
    result: Result = {}
    with tempfile.TemporaryDirectory(prefix="deltastream-bench-", ignore_cleanup_errors=True) as home:
        if args.only != "reads":
            result |= live(Path(home), [float(rate) for rate in args.rates.split(",")], args.seconds)
            calibrations.append(calibration_ms())
        if args.only != "live":
            reads = measure_reads(Path(home), args.seconds)
            print("reads:", json.dumps(reads), flush=True)
            result |= {name: reads[name] for name in ("reads_per_s", "refused_per_s")}
            calibrations.append(calibration_ms())
    print(f"calibration before and after each part: {calibrations} ms")
    print(json.dumps({**result, "calibration_ms": sorted(calibrations)[len(calibrations) // 2]}))


if __name__ == "__main__":
    main()
