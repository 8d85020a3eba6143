"""What each feed's generators make now, whatever its spec says: by their StatefulSet and by their pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from deltastream_operator.cluster.watching.pods import products_of
from deltastream_operator.cluster.watching.table import Table


@dataclass
class Produced:
    """A StatefulSet's body is read once a version: the loop asks at every piece of news."""

    table: Table
    _read: dict[str, tuple[Mapping[str, Any], str]] = field(default_factory=dict)

    def by_feed(self) -> dict[str, frozenset[str]]:
        """The products; feeds that make nothing are left out.

        A StatefulSet at 0 makes nothing once its pods are gone. Pods may still be of an earlier template,
        which a rollout that does not go on leaves running, or of a feed that is gone.
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
