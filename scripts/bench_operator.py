"""`make bench-operator`: measure an idle operator with 200 feeds, and the time from an edit to the status.

Uses a real API server, etcd, controllers and Redis. There is no kubelet, so no pods start. The last line is
one JSON object.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path

from devcluster.processes.many_feeds import (
    FEEDS,
    edit,
    observed,
    own_cluster,
    processor_s,
    resident_mib,
    settle,
    written,
)
from devcluster.processes.operator_process import Cluster, Operator
from devcluster.processes.stores import RedisServer
from scripts.calibration import calibration_ms

EDITS = 50
WINDOW_S = 40


def main() -> None:
    before = calibration_ms()
    with (
        tempfile.TemporaryDirectory(prefix="deltastream-bench-operator-") as home,
        own_cluster() as cluster,
        RedisServer(Path(home, "redis")) as redis,
    ):
        operator = Operator(cluster, Path(home))
        operator.environ["REDIS_URL"] = redis.url()
        try:
            operator.start()
            settle(cluster, operator)
            figures = _idle(cluster, operator) | _edits(cluster)
        finally:
            operator.stop(signal.SIGKILL)
    figures["calibration_ms"] = statistics.median([before, calibration_ms()])
    print(f"{FEEDS} feeds, {os.cpu_count()} cores, {EDITS} edits, {WINDOW_S} s idle")
    print(json.dumps(figures))


def _idle(cluster: Cluster, operator: Operator) -> dict[str, float]:
    pid = operator.process.pid if operator.process else 0
    writes, used, since = written(cluster), processor_s(pid), time.monotonic()
    time.sleep(WINDOW_S)  # measure without polling: polls would be most of the load
    spent, lasted = processor_s(pid) - used, time.monotonic() - since
    return {
        "rss_mb": round(resident_mib(pid), 1),
        "idle_percent": round(100 * spent / lasted, 2),
        "api_writes": (written(cluster) - writes).total(),
    }


def _edits(cluster: Cluster) -> dict[str, float]:
    taken = []
    for number in range(EDITS):
        started = time.perf_counter()
        generation = edit(cluster, "f-0", 21 + number)
        while observed(cluster, "f-0") != generation:
            time.sleep(0.001)
        taken.append(1000 * (time.perf_counter() - started))
    cuts = statistics.quantiles(taken, n=20)
    return {"edit_p50_ms": round(statistics.median(taken), 1), "edit_p95_ms": round(cuts[-1], 1)}


if __name__ == "__main__":
    main()
