"""Whose each product is, by what the table knows: asked at every piece of news, seldom new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deltastream_operator.cluster.watching.produced import Produced
from deltastream_operator.cluster.watching.table import Table
from deltastream_operator.domain.observed import Problem
from deltastream_operator.domain.products import Claim, taken


@dataclass
class Claims:
    """The answer is kept for as long as feeds claim, and generators make, the same."""

    table: Table
    produced: Produced
    _news: int = -1
    """The table's count of news at the last look."""
    _claims: list[Claim] = field(default_factory=list)
    _made: dict[str, frozenset[str]] = field(default_factory=dict)
    _refused: Mapping[str, Problem] = field(default_factory=dict)

    def refused(self) -> Mapping[str, Problem]:
        """Feeds that want another's product. A feed whose answer changes is due: what is free is taken up."""
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
