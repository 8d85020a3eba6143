"""Test the writes and the memory of an operator with 200 feeds, when nothing changes and after an edit.

Time and CPU use depend on the machine, so no test checks them. `make bench-operator` prints them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from devcluster.processes.many_feeds import edit, observed, own_cluster, quiet, resident_mib, settle, written
from devcluster.processes.operator_process import Cluster, Operator
from devcluster.waiting import wait_until
from tests.support import needs

FEEDS = 200
TICKS = 8
EDITS = 20
RSS_MAX_MIB = 150


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with needs.api_server_programs(), own_cluster() as made:
        yield made


@pytest.mark.timeout(600)
def test_two_hundred_idle_feeds_cost_no_write_and_an_edit_costs_one(
    cluster: Cluster, make_operator: Callable[[], Operator], redis_url: str
) -> None:
    """The operator reads signals from a real Redis at each tick. It writes only if something has changed."""
    operator = make_operator()
    operator.environ["REDIS_URL"] = redis_url
    operator.start()
    settle(cluster, operator)
    assert operator.process
    before, ticks = written(cluster), operator.ticks()
    assert before.total() > 3 * FEEDS, "the counter includes two workloads and a status for each feed"
    wait_until(lambda: operator.ticks() >= ticks + TICKS, "the feeds were reconciled several times", 200)
    assert written(cluster) - before == Counter()
    assert resident_mib(operator.process.pid) <= RSS_MAX_MIB

    for number in range(EDITS):
        generation = edit(cluster, "f-0", 21 + number)
        wait_until(lambda wanted=generation: observed(cluster, "f-0") == wanted, "the edit is in the status")
    wait_until(lambda: quiet(cluster, operator), "the operator writes nothing more", 120)
    writes = written(cluster) - before
    assert writes.pop("PATCH deltastreamfeeds/") == EDITS, "the test's own edits"
    assert writes == {"PATCH deltastreamfeeds/status": EDITS}
