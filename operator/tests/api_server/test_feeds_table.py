"""The real operator publishes its feeds: what the gateways show of a cluster."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import redis
from devcluster.processes.operator_process import Cluster, Operator
from devcluster.waiting import wait_until
from tests.support.contracts import validator


def test_feeds_appear_and_go_in_the_table(
    cluster: Cluster, make_operator: Callable[[], Operator], redis_url: str
) -> None:
    """Rule: the table shows every feed of the namespace with the status that the operator wrote."""
    operator = make_operator()
    operator.environ["REDIS_URL"] = redis_url
    operator.start()
    with redis.Redis.from_url(redis_url) as client:

        def table() -> dict[str, Any]:
            shown: dict[str, Any] = json.loads(client.get("feeds:table") or "{}")
            return shown

        wait_until(lambda: table().get("feeds") == [], "an empty table")
        cluster.make_feed("a")
        wait_until(lambda: any(row["lag"] == 0 for row in table()["feeds"]), "the feed and its load")
        validator("feeds-table").validate(table())
        assert (table()["authority"], table()["namespace"]) == ("cluster", cluster.namespace)
        (row,) = table()["feeds"]
        status = cluster.feed("a")["status"]
        assert row["enricher"]["desired"] == status["enricher"]["desiredReplicas"] == 2
        assert [one["message"] for one in row["decisions"]] == [one["message"] for one in status["decisions"]]
        assert [one["reason"] for one in row["conditions"]] == [one["reason"] for one in status["conditions"]]
        cluster.ask("DELETE", f"{cluster.feeds}/a")
        wait_until(lambda: table()["feeds"] == [], "the feed is gone")
