"""Signals to wanted replicas. So far one mode; later stages go between `base` and the clamp."""

from __future__ import annotations

from dataclasses import dataclass

from deltastream_operator.domain.feed import Feed


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Replicas of each component of a feed."""

    generators: int
    enrichers: int


def manual(feed: Feed) -> Wanted:
    """What the spec itself says: enrichers fixed, generators by products."""
    wanted = -(-len(feed.products) // feed.generator.products_per_replica)
    clamped = max(feed.generator.min_replicas, min(wanted, feed.generator.max_replicas))
    # A generator without a product would idle: products bound the number from above.
    return Wanted(generators=min(clamped, len(feed.products)), enrichers=feed.enricher.replicas)
