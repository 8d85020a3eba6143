"""A product belongs to one feed: the cache is keyed by product. Who came first keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deltastream_operator.domain.feed import Feed, Replay
from deltastream_operator.domain.observed import Problem


@dataclass(frozen=True, kw_only=True, order=True)
class Claim:
    """A feed's claim on its products; the older is the lesser. `created` is RFC 3339 in UTC."""

    created: str
    name: str
    products: tuple[str, ...]


def taken(claims: Iterable[Claim]) -> Mapping[str, Problem]:
    """Feeds that want a product of an older feed, with what to do about it.

    A refused feed owns nothing: its other products stay free for the next.
    """
    owners: dict[str, str] = {}
    problems: dict[str, Problem] = {}
    for claim in sorted(claims):
        lost = [product for product in claim.products if product in owners]
        if not lost:
            owners |= dict.fromkeys(claim.products, claim.name)
            continue
        whose = ", ".join(f"{product} (feed {owners[product]})" for product in lost[:5])
        more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
        problems[claim.name] = Problem(
            reason="ProductTaken",
            message=f"spec.products: taken by an older feed: {whose}{more}; remove them here or there",
        )
    return problems


def not_for_a_cluster(feed: Feed) -> Problem | None:
    """What a local run takes and a cluster cannot: a recording that is only a path."""
    if isinstance(feed.source, Replay) and feed.source.config_map is None:
        return Problem(
            reason="NoRecording",
            message="spec.source.replay.configMapRef: is required in a cluster (path is the local run's)",
        )
    return None
