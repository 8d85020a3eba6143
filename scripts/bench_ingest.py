"""`make bench-ingest`: measure POST /api/ingest/{feed} at the API gateway, with a real Redis.

One connection after the other sends bodies of about 1 MiB: ticks, quotes, and chains of 100 strikes. Printed
are messages/s, the gateway's CPU time per message, and how long Redis works on a message. The stream is
emptied between the requests. The last line is one JSON object. Asserts nothing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
import urllib.request
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
BODY_BYTES = 1_000_000
ACCOUNT = {"email": "bench@example.com", "password": "a-long-password"}
DEFINITION = {"product": "NIFTY", "lot": 25, "expiryTime": "15:30", "zone": "Asia/Kolkata"}
"""The terms that the contracts' examples state, which the gateway compares."""
_mids = itertools.count(1)


def message(kind: str) -> dict[str, Any]:
    """Return a live message of the feed `bench` with an unused mid."""
    made = json.loads((EXAMPLES / f"market-{kind}.json").read_text())
    if kind == "option_chain":
        made = wide(made, STRIKES)
    now = time.time_ns()
    return {**made, "feed": "bench", "mid": f"7:{next(_mids)}", "ts": now, "sent_ts": now, "replay": 0}


def body(kind: str) -> tuple[int, bytes]:
    """Return a body of about BODY_BYTES, and the number of its messages."""
    first = json.dumps(message(kind))
    count = BODY_BYTES // (len(first) + 20)
    return count, "\n".join(json.dumps(message(kind)) for _ in range(count)).encode()


def call(url: str, data: bytes, token: str = "", kind: str = "application/json") -> Any:
    """Send a POST request and return the JSON of its answer."""
    headers = {"Content-Type": kind, "Authorization": f"Bearer {token}"}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=30) as answer:  # noqa: S310
        return json.load(answer)


def measure(
    base: str, token: str, store: Any, gateway: psutil.Process, kind: str, turns: int
) -> dict[str, Any]:
    """Return the figures of one kind of message."""
    bodies = [body(kind) for _ in range(turns + 1)]
    took_s = cpu_s = redis_us = 0.0
    sent = 0
    for turn, (count, data) in enumerate(bodies):
        before, started = _seconds(gateway), time.perf_counter()
        in_redis = store.info("commandstats").get("cmdstat_evalsha", {}).get("usec", 0)
        answer = call(f"{base}/api/ingest/bench", data, token, "application/x-ndjson")
        if answer["accepted"] != count:
            raise RuntimeError(str(answer["lines"][0]))
        if turn:  # the first request also loads the script and the keys of auth
            took_s += time.perf_counter() - started
            cpu_s += _seconds(gateway) - before
            redis_us += store.info("commandstats")["cmdstat_evalsha"]["usec"] - in_redis
            sent += count
        store.xtrim("feed:bench", maxlen=0)
    return {
        "messages": bodies[0][0],
        "per_s": round(sent / took_s),
        "ms_per_request": round(took_s / turns * 1000, 1),
        "gateway_us_per_message": round(cpu_s / sent * 1e6, 1),
        "redis_us_per_message": round(redis_us / sent, 1),
    }


def _seconds(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))


@contextmanager
def running(home: Path) -> Iterator[tuple[str, str, Any, psutil.Process]]:
    """Run the services. Yields the gateway's URL, a token of the role ingest, Redis, the gateway's worker."""
    settings = {"FIRST_ACCOUNT_IS_OPERATOR": "true", "INGEST_RATE_LIMIT_PER_MINUTE": "1000000"}
    with (
        RedisServer(home / "redis") as server,
        MongoServer(home / "mongo") as mongo,
        redis.Redis.from_url(server.url()) as store,
        http_services(home, server.url(), mongo.url, services=SERVICES, **settings) as services,
    ):
        with MongoClient[dict[str, Any]](mongo.url) as client:
            client.get_default_database()["users"].create_index("email", unique=True)
        table = json.loads((EXAMPLES / "feeds-table.json").read_text())
        row = {**table["feeds"][0], "name": "bench", "source": "external"}
        store.set("feeds:table", json.dumps({**table, "feeds": [row]}))
        external = {"products": row["products"], "definitions": [DEFINITION]}
        store.hset("feeds:external", "bench", json.dumps(external))
        gateway = services["api-gateway"]
        account = call(f"{gateway.url}/api/auth/register", json.dumps(ACCOUNT).encode())
        (worker,) = psutil.Process(gateway.process.pid).children()
        yield gateway.url, account["token"], store, worker


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=10)
    turns = parser.parse_args().turns
    calibrations = [calibration_ms()]
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as home, running(Path(home)) as (base, token, store, worker):
        for kind in ("underlying", "option_quote", "option_chain"):
            result[kind] = measure(base, token, store, worker, kind, turns)
            print(kind, json.dumps(result[kind]), flush=True)
    calibrations.append(calibration_ms())
    print(json.dumps({**result, "calibration_ms": calibrations}))


if __name__ == "__main__":
    main()
