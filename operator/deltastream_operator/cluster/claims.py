"""Decide which feeds are refused because they list a product of another feed. The result is cached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deltastream_operator.cluster.watching.produced import Produced
from deltastream_operator.cluster.watching.table import Table
from deltastream_operator.domain.observed import Problem
from deltastream_operator.domain.products import Claim, taken


@dataclass
class Claims:
    """The refused feeds, recomputed only when the claims or the produced products change."""

    table: Table
    produced: Produced
    _news: int = -1
    """The table's change counter at the last call."""
    _claims: list[Claim] = field(default_factory=list)
    _made: dict[str, frozenset[str]] = field(default_factory=dict)
    _refused: Mapping[str, Problem] = field(default_factory=dict)

    def refused(self) -> Mapping[str, Problem]:
        """Return the refused feeds with their problems.

        A feed whose result changes becomes due, so that it takes up a product that has become free.
        """
        if self._news == self.table.news:
            return self._refused
        self._news = self.table.news
        claims = [
            Claim(
                created=known.body["metadata"]["creationTimestamp"], name=name, products=known.feed.products
            )
            for name, known in self.table.feeds.items()
            if known.feed
        ]
        made = self.produced.by_feed()
        if (claims, made) != (self._claims, self._made):
            before, self._refused = self._refused, taken(claims, made)
            self._claims, self._made = claims, made
            names = before.keys() | self._refused.keys()
            self.table.due |= {name for name in names if before.get(name) != self._refused.get(name)}
        return self._refused
