"""Repair the table from lists, page by page, so that only one page at a time takes memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from deltastream_operator.cluster.watching.table import Body, Table
from deltastream_operator.domain.feed import COMPONENTS
from deltastream_operator.kubernetes import names
from deltastream_operator.kubernetes.api import Api

_OURS = f"{names.MANAGED_BY_LABEL}={names.MANAGER}"


async def resync(api: Api, table: Table, namespace: str) -> int:
    """Repair the table. Returns how many changes of feeds the watch had missed. Raises ApiError."""
    table.begin_repair()
    feeds = names.feeds_path(namespace)
    missed = await _compare(api, feeds, table.repair_feeds, table.end_feeds)
    for component in COMPONENTS:
        path = names.workloads_path(namespace, component)
        see, end = partial(table.repair_workloads, component), partial(table.end_workloads, component)
        await _compare(api, path, see, end, labelSelector=_OURS)
    pods = names.core_path(namespace, "pods")
    await _compare(api, pods, table.repair_pods, table.end_pods, labelSelector=_OURS)
    return missed


async def _compare(
    api: Api,
    path: str,
    see: Callable[[Iterable[Body]], int],
    end: Callable[[set[str], int], int],
    **query: str,
) -> int:
    alive: set[str] = set()
    version, missed = 0, 0
    async for page in api.pages(path, **query):
        # All pages show the state of the first page's resource version.
        version = version or int(page["metadata"]["resourceVersion"])
        alive |= {body["metadata"]["uid"] for body in page["items"]}
        missed += see(page["items"])
    return missed + end(alive, version)
