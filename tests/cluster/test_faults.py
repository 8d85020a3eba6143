"""The stores' pods are killed under load. Data and pipeline recover; no message is lost or duplicated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from devcluster.kube import Cluster
from devcluster.waiting import wait_until
from pymongo.database import Database
from pymongo.errors import OperationFailure

from tests.cluster.data import database, redis_client
from tests.cluster.feeds import applied, feed, ready
from tests.support.audit import Audit, doubled, lost, stored

pytestmark = pytest.mark.timeout(400)
NAME = "steady"
KEY_NOT_FOUND = 211  # a member that has just started does not have the keys yet that sign cluster times


@pytest.fixture(scope="module")
def client(system: Cluster) -> Iterator[redis.Redis]:
    with redis_client(system) as made:
        yield made


@pytest.fixture(scope="module")
def stores(system: Cluster) -> Iterator[Database[dict[str, Any]]]:
    with database(system) as made:
        yield made


@pytest.fixture(scope="module")
def audit(system: Cluster, client: redis.Redis) -> Iterator[Audit]:
    body = feed(NAME, products=["MSFT", "TSLA"], source={"synthetic": {"seed": 3, "messagesPerSecond": 200}})
    made = Audit(client, [NAME])
    made.start()  # before the feed: stored entries are trimmed within a second
    with applied(system, body):
        ready(system, NAME)
        yield made
        made.stop()


@pytest.mark.parametrize("victim", ["redis", "mongodb"])
def test_a_deleted_store_recovers_its_data_and_no_message_is_lost_or_duplicated(
    system: Cluster, audit: Audit, stores: Database[dict[str, Any]], victim: str
) -> None:
    """The pod is killed without a grace period, and every mid is accounted for."""
    noted = audit.appended[NAME]
    before = len(noted)
    wait_until(lambda: len(noted) > before + 400, "under load")
    system.kubectl("delete", "pod", f"deltastream-{victim}-0", "--grace-period=0", "--force")
    after = len(noted)
    wait_until(lambda: len(noted) > after + 1000, "messages flow again")
    due = set(noted)

    def all_stored() -> bool:
        try:
            return due <= stored(stores, NAME).keys()
        except OperationFailure as error:
            if error.code != KEY_NOT_FOUND:
                raise
            return False

    wait_until(all_stored, "all of them are stored")
    found = stored(stores, NAME)
    assert doubled(found) == []
    assert lost(due, found) == []
    assert min(due)[1] < 100, "the account begins at the feed's start"
