"""Find the products that each feed produces now, from its workloads and their pods.

The generators have them as PRODUCTS. Of a feed that another program writes, the enrichers have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from deltastream_operator.cluster.watching.pods import products_of
from deltastream_operator.cluster.watching.table import Table
from deltastream_operator.domain.feed import Component


@dataclass
class Produced:
    """The produced products. Each version of a workload is parsed once, because the loop asks often."""

    table: Table
    _read: dict[tuple[str, Component], tuple[Mapping[str, Any], str]] = field(default_factory=dict)

    def by_feed(self) -> dict[str, frozenset[str]]:
        """Return the products of each feed that produces any.

        A workload with 0 replicas counts only by its remaining pods. Pods can have an earlier template,
        which a stuck rollout leaves running, or can belong to a deleted feed.
        """
        found: dict[str, set[str]] = {}
        for workload, body in self.table.workloads.items():
            if body["spec"].get("replicas", 1) and (text := self._of(workload, body)):
                found.setdefault(workload[0], set()).add(text)
        for feed, pods in self.table.pods.items():
            if texts := {pod.products for pod in pods.values() if pod.products}:
                found.setdefault(feed, set()).update(texts)
        for workload in self._read.keys() - self.table.workloads.keys():
            del self._read[workload]
        return {feed: _split(*sorted(texts)) for feed, texts in found.items()}

    def _of(self, workload: tuple[str, Component], body: Mapping[str, Any]) -> str:
        known = self._read.get(workload)
        if known is None or known[0] is not body:
            known = self._read[workload] = (
                body,
                products_of(body["spec"].get("template", {}).get("spec", {})),
            )
        return known[1]


@lru_cache(maxsize=1024)
def _split(*texts: str) -> frozenset[str]:
    return frozenset(product for text in texts for product in text.split(",") if product)
