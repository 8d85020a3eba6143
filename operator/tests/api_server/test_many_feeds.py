"""What 200 feeds cost an operator that has nothing to do, and what an edit costs: writes and memory.

Seconds and shares of a processor depend on the machine: `make bench-operator` prints them.
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
    """Rule: signals are read every tick from a real Redis, and no news is no write."""
    operator = make_operator()
    operator.environ["REDIS_URL"] = redis_url
    operator.start()
    settle(cluster, operator)
    assert operator.process
    before, ticks = written(cluster), operator.ticks()
    assert before.total() > 3 * FEEDS, "two workloads and a status each: the counter counts them"
    wait_until(lambda: operator.ticks() >= ticks + TICKS, "it has looked at all of them again and again", 200)
    assert written(cluster) - before == Counter()
    assert resident_mib(operator.process.pid) <= RSS_MAX_MIB

    for number in range(EDITS):
        generation = edit(cluster, "f-0", 21 + number)
        wait_until(lambda wanted=generation: observed(cluster, "f-0") == wanted, "the edit is in the status")
    wait_until(lambda: quiet(cluster, operator), "nothing follows", 120)
    writes = written(cluster) - before
    assert writes.pop("PATCH deltastreamfeeds/") == EDITS, "our own edits"
    assert writes == {"PATCH deltastreamfeeds/status": EDITS}
