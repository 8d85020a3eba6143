"""`make bench-replay`: record an hour of the default synthetic market and replay it as fast as it goes.

All processes share one core: the generator, Redis, the subscriber, a worker and MongoDB. The replay ends when
every message is stored. Prints how many times faster than real time that was, by the clock and by CPU time
that was used: on a machine with other load only the second tells. The last line is one JSON object. Asserts
nothing.
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
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from devcluster.waiting import wait_until
from pymongo import MongoClient
from scripts.bench import COLLECTIONS, FEED, ROOT, System
from scripts.calibration import calibration_ms

from deltastream_cli.adapters import message_file, recording_file
from deltastream_cli.domain.recording import Row, message, row
from feed_generator.domain.rulebook import rules
from feed_generator.sources.synthetic import SyntheticMarket

PRODUCTS = ("BANKNIFTY", "FINNIFTY", "SENSEX", "SPY", "QQQ", "AAPL", "TSLA")
START_NS = 1_795_500_000 * 10**9
_FASTEST = 1_000_000  # percent: the pace is then that of the slowest process


def market(seconds: int, rate: int) -> Iterator[Row]:
    """Yield the rows of the synthetic market's first seconds."""
    made = SyntheticMarket(
        feed=FEED,
        rules=[rules(name) for name in PRODUCTS],
        seed=7,
        start_ns=START_NS,
        messages_per_second=rate,
        speed_percent=100,
    )
    seq = 0
    while (made.due_ns() or 0) < seconds * 10**9:
        for each in made.advance().messages:
            seq += 1
            yield row(json.loads(each.body) | {"mid": f"1:{seq}"})


def record(folder: Path, seconds: int, rate: int) -> tuple[Path, int]:
    """Make the recording and convert it. Returns the file to replay, and its number of messages."""
    recording, replayed = folder / "hour.parquet", folder / "hour.messages.gz"
    started = time.process_time()
    contents = recording_file.write(recording, market(seconds, rate), {"source": "stream"})
    written = time.process_time()
    message_file.write(replayed, map(message, recording_file.Reader(recording).rows()), contents)
    converted = time.process_time()
    total = sum(contents.messages.values())
    sizes = ", ".join(f"{path.name} {path.stat().st_size / 2**20:.1f} MiB" for path in (recording, replayed))
    print(
        f"{total} messages of {seconds} s: {sizes}; CPU to make and write them {written - started:.1f} s, to"
    )
    print(f"  convert them {converted - written:.1f} s")
    return replayed, total


def replay(system: System, file: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start the generator that replays the file."""
    env = {
        "PATH": os.environ["PATH"], "FEED": FEED, "PRODUCTS": ",".join(PRODUCTS), "SOURCE": "replay",
        "REPLAY_PATH": str(file), "REPLAY_LOOP": "Once", "SPEED_PERCENT": str(_FASTEST),
        "REDIS_URL": system.redis.url(), "LOG_LEVEL": "WARNING",
    }  # fmt: skip
    with open(log, "ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "feed_generator"],
            cwd=ROOT / "services/feed-generator",
            env=env,
            stdout=output,
            stderr=output,
        )


def measure(
    system: System, database: Any, file: Path, total: int, log: Path
) -> tuple[float, dict[str, float]]:
    """Return the seconds until everything is stored, and the CPU seconds of each process."""
    before, started = system.cpu_seconds(), time.perf_counter()
    system.processes["generator"] = replay(system, file, log)

    def stored() -> bool:
        if system.processes["generator"].poll() is not None:
            raise SystemExit(log.read_text())
        return bool(sum(database[name].estimated_document_count() for name in COLLECTIONS) >= total)

    wait_until(stored, "all messages are stored", within_s=1800)
    seconds, after = time.perf_counter() - started, system.cpu_seconds()
    return seconds, {name: spent - before.get(name, 0.0) for name, spent in after.items()}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=int, default=60, help="length of the recording")
    arguments.add_argument("--rate", type=int, default=60, help="messages per second of the recording")
    given = arguments.parse_args()
    with suppress(psutil.Error, AttributeError):  # children inherit it; not every system has it
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    calibration = calibration_ms()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        real = given.minutes * 60
        file, total = record(folder, real, given.rate)
        system = System(folder, 1, ROOT)
        try:
            system.start()
            client = MongoClient[dict[str, Any]](system.mongo.url)
            database = client.get_default_database()
            seconds, cpu = measure(system, database, file, total, folder / "generator.log")
            client.close()
        finally:
            system.stop()
    used = sum(cpu.values())
    print(f"replay of {real} s through the pipeline on one core: {seconds:.1f} s, {used:.1f} s of CPU")
    print("  CPU-s: " + ", ".join(f"{process} {spent:.1f}" for process, spent in cpu.items()))
    figures = {
        "messages": total,
        "times_real_time": round(real / seconds, 1),
        "times_real_time_by_cpu": round(real / used, 1),
        "times_real_time_of_the_generator_by_cpu": round(real / cpu["generator"], 1),
        "messages_per_second": round(total / seconds),
        "calibration_ms": [calibration, calibration_ms()],
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
