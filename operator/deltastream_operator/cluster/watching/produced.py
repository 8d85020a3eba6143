"""Find the products that each feed's generators produce now, from their StatefulSet and their pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from deltastream_operator.cluster.watching.pods import products_of
from deltastream_operator.cluster.watching.table import Table


@dataclass
class Produced:
    """The produced products. Each version of a StatefulSet is parsed once, because the loop asks often."""

    table: Table
    _read: dict[str, tuple[Mapping[str, Any], str]] = field(default_factory=dict)

    def by_feed(self) -> dict[str, frozenset[str]]:
        """Return the products of each feed that produces any.

        A StatefulSet with 0 replicas counts only by its remaining pods. Pods can have an earlier template,
        which a stuck rollout leaves running, or can belong to a deleted feed.
        """
        found: dict[str, set[str]] = {}
        for (feed, component), body in self.table.workloads.items():
            if (
                component == "generator"
                and body["spec"].get("replicas", 1)
                and (text := self._of(feed, body))
            ):
                found.setdefault(feed, set()).add(text)
        for feed, pods in self.table.pods.items():
            if texts := {pod.products for pod in pods.values() if pod.products}:
                found.setdefault(feed, set()).update(texts)
        for feed in self._read.keys() - found.keys():
            del self._read[feed]
        return {feed: _split(*sorted(texts)) for feed, texts in found.items()}

    def _of(self, feed: str, body: Mapping[str, Any]) -> str:
        known = self._read.get(feed)
        if known is None or known[0] is not body:
            known = self._read[feed] = (body, products_of(body["spec"].get("template", {}).get("spec", {})))
        return known[1]


@lru_cache(maxsize=1024)
def _split(*texts: str) -> frozenset[str]:
    return frozenset(product for text in texts for product in text.split(",") if product)
