"""`make memory`: print the memory of the running local system, once or over time.

Prints proportional set sizes (PSS: a page that n processes share counts 1/n in each). Their sum is the memory
that the system uses. A sum of resident sizes would count shared pages several times. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import psutil
import redis
from scripts.calibration import calibration_ms

MIB = 2**20


def sizes(home: Path) -> dict[str, float]:
    """Return MiB by name, for each process of the local run in `home` with its children, and for the run."""
    recorded = json.loads((home / "run/processes.json").read_text())
    processes = {name: psutil.Process(pid) for name, (pid, _) in recorded.items()}
    local_run = psutil.Process(next(iter(processes.values())).ppid())
    found = {"local_run": local_run.memory_full_info().pss / MIB}
    for name, process in processes.items():
        family = [process, *process.children(recursive=True)]
        found[name] = sum(one.memory_full_info().pss for one in family) / MIB
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=0, help="repeat for this long, every 30 s")
    args = parser.parse_args()
    home = Path(os.environ.get("DELTASTREAM_HOME", ".local"))
    client = redis.Redis.from_url((home / "secrets/redis_url").read_text().strip())
    for name, mib in sorted(sizes(home).items(), key=lambda item: -item[1]):
        print(f"{name:<30}{mib:8.1f} MiB")
    print(f"calibration: {calibration_ms()} ms")
    end = time.monotonic() + 60 * args.minutes
    while True:
        found, info = sizes(home), client.info("memory")
        streams = {key.decode(): client.xlen(key) for key in client.scan_iter("feed:*", _type="stream")}
        print(
            f"{time.strftime('%H:%M:%S')}  total {sum(found.values()):.1f} MiB  mongod {found['mongod']:.1f}"
            f"  redis {info['used_memory'] / MIB:.2f} MiB in {client.dbsize()} keys  entries {streams}",
            flush=True,
        )
        if time.monotonic() >= end:
            return
        time.sleep(30)


if __name__ == "__main__":
    main()
