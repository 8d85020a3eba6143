"""A backlog scales the enrichers up and, once drained, down again, with every message stored once."""

from __future__ import annotations

import pytest
from devcluster.kube import Cluster
from devcluster.waiting import wait_until

from tests.cluster.data import append, database, redis_client
from tests.cluster.feeds import applied, idle, patch, pods, ready, status
from tests.support.audit import doubled, lost, stored

pytestmark = pytest.mark.timeout(400)
MESSAGES = 20_000


def test_a_backlog_scales_up_then_down_and_every_message_is_stored_once(system: Cluster) -> None:
    """The status and an Event contain the numbers behind the decision."""
    with applied(system, idle("burst")) as name, redis_client(system) as client, database(system) as stores:
        ready(system, name)
        appended = append(client, name, MESSAGES, product="AAPL")
        patch(system, name, {"mode": "Automatic"})
        wait_until(lambda: len(pods(system, name, "worker-enricher")) > 1, "more enrichers than minReplicas")
        wait_until(lambda: appended <= stored(stores, name).keys(), "everything is stored", 180)
        wait_until(lambda: status(system, name)["enricher"]["replicas"] == 1, "scaled down again", 120)
        found = stored(stores, name)
        assert doubled(found) == []
        assert lost(appended, found) == []
        assert client.xlen(f"dlq:{name}") == 0
        decisions = [d for d in status(system, name)["decisions"] if d["component"] == "enricher"]
        up = [d for d in decisions if d["to"] > 1]
        down = [d for d in decisions if d["to"] < d["from"]]
        assert up
        assert down
        assert max(d["inputs"]["lag"] for d in up) > 0
        events = system.items("events", f"--field-selector=involvedObject.name={name}")
        assert any(str(up[-1]["inputs"]["lag"]) in event["message"] for event in events)
