"""Generator, subscriber and worker wait while Redis answers but refuses every write."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
from devcluster.processes.stores import RedisServer
from devcluster.waiting import wait_until

from tests.support.pipelines import Pipelines, open_entries
from tests.support.redis7 import Redis7
from tests.support.refusing import REFUSALS


@pytest.mark.timeout(300)
@pytest.mark.parametrize("code", REFUSALS)
@pytest.mark.parametrize("make", [RedisServer, Redis7])
def test_refused_writes_count_as_an_outage_and_not_as_a_delivery(
    make: Any, code: str, tmp_path: Path, mongo_url: str
) -> None:
    """The same processes continue when writes work again, and every message is accounted for."""
    with make(tmp_path / "redis") as server, redis.Redis.from_url(server.url()) as client:
        urls = {"redis_url": server.url(), "broker_url": server.url(1), "mongo_url": mongo_url}
        with closing(Pipelines(tmp_path, {"a": "NIFTY"}, **urls)) as feed:
            feed.start_generators(2000)
            # Settings under which the second delivery comes at once and would be the last.
            feed.start_enrichers(CLAIM_IDLE_MS="100", MAX_DELIVERIES="2")
            rounds = 0
            while rounds < 3 or "store_unavailable" not in feed.log("a"):  # a worker had a batch in hand
                rounds += 1
                before = feed.stored("a")
                wait_until(lambda: feed.stored("a") > before, "it stores")  # noqa: B023
                failed = feed.metric("a", "feed_redis_errors_total")
                with REFUSALS[code](server):
                    wait_until(
                        lambda: feed.metric("a", "feed_redis_errors_total") >= failed + 3,  # noqa: B023
                        "the generator is refused again and again",
                    )
            feed.stop_generators()
            wait_until(lambda: open_entries(client, "a") == 0, "drained")
            assert feed.ended == [], "no process crashed"
            assert client.xlen("dlq:a") == 0, "a refused write does not count as a delivery"
            feed.check_accounts("a")
