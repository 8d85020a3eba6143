"""The real operator shows the connection of a live source: conditions and Events on a real API server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import redis
from devcluster.processes.operator_process import Cluster, Operator
from devcluster.waiting import wait_until
from tests.support.contracts import example


def test_the_connection_of_a_live_source_is_a_condition_and_its_changes_are_events(
    cluster: Cluster, make_operator: Callable[[], Operator], redis_url: str
) -> None:
    """The generators report to Redis. A refused credential is a condition with what to do."""
    operator = make_operator()
    operator.environ["REDIS_URL"] = redis_url
    operator.start()
    cluster.make_feed("a", products=("BTC",), source={"deribit": {"currencies": ["BTC"]}})

    def shown() -> list[tuple[str, str]]:
        rows = (cluster.condition(kind, "a") for kind in ("SourceConnected", "SourceAuthorized"))
        return [(row.get("status", ""), row.get("reason", "")) for row in rows]

    def events() -> list[tuple[str, str]]:
        listed = cluster.ask("GET", f"{cluster.core}/events")["items"]
        return [(one["type"], one["message"]) for one in listed if one["reason"] == "SourceAuthorized"]

    with redis.Redis.from_url(redis_url) as client:

        def report(number: int) -> None:
            own: dict[str, Any] = {"source": "deribit", "ts": time.time_ns()}
            body = {**example("feed-source", number), **own}
            client.hset("feed:a:source", "0", json.dumps(body))

        def shows(number: int, *expected: tuple[str, str]) -> bool:
            report(number)  # again each time: a report counts for 15 s
            return shown() == list(expected)

        wait_until(lambda: shown() == [("Unknown", "NoReport")] * 2, "no report yet")
        wait_until(lambda: shows(1, ("True", "Connected"), ("True", "Authorized")), "connected")
        wait_until(lambda: shows(2, ("False", "Refused"), ("False", "Refused")), "refused")
        wait_until(lambda: shows(1, ("True", "Connected"), ("True", "Authorized")), "connected again")
        wait_until(lambda: len(events()) == 2, "both changes")
    refused = example("feed-source", 2)["message"]
    assert sorted(events()) == [
        ("Normal", "Authorized: the exchange refuses no credential"),
        ("Warning", f"Refused: {refused}"),
    ]
