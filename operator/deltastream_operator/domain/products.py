"""A product belongs to one feed: the cache is keyed by product.

Who makes it keeps it; what nobody makes belongs to who came first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deltastream_operator.domain.feed import Feed, Replay
from deltastream_operator.domain.observed import Problem

_NOTHING: Mapping[str, frozenset[str]] = {}


@dataclass(frozen=True, kw_only=True, order=True)
class Claim:
    """A feed's claim on its products; the older is the lesser. `created` is RFC 3339 in UTC."""

    created: str
    name: str
    products: tuple[str, ...]


def taken(claims: Iterable[Claim], made: Mapping[str, frozenset[str]] = _NOTHING) -> Mapping[str, Problem]:
    """Feeds that want a product of another feed, with what to do about it.

    `made` is what each feed's generators make now, whatever its spec says: an edit may be refused, paused or
    on its way. That stays with who makes it; what nobody makes belongs to the oldest that names it. A refused
    feed owns nothing more: the other products that it names stay free for the next.
    """
    by_age = sorted(claims)
    owners: dict[str, str] = {}
    named = [claim.name for claim in by_age]
    for maker in (*named, *(made.keys() - set(named))):
        for product in made.get(maker, ()):
            owners.setdefault(product, maker)
    asked = {claim.name: set(claim.products) for claim in by_age}
    problems: dict[str, Problem] = {}
    for claim in by_age:
        lost = [product for product in claim.products if owners.get(product, claim.name) != claim.name]
        if not lost:
            owners |= dict.fromkeys(claim.products, claim.name)
            continue
        whose = ", ".join(_owned(product, owners[product], asked) for product in lost[:5])
        more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
        problems[claim.name] = Problem(
            reason="ProductTaken",
            message=f"spec.products: taken by another feed: {whose}{more}; remove them here or there",
        )
    return problems


def _owned(product: str, owner: str, asked: Mapping[str, set[str]]) -> str:
    if product in asked.get(owner, ()):
        return f"{product} (feed {owner})"
    return f"{product} (feed {owner}, whose generators still make it)"


def not_for_a_cluster(feed: Feed) -> Problem | None:
    """What a local run takes and a cluster cannot: a recording that is only a path."""
    if isinstance(feed.source, Replay) and feed.source.config_map is None:
        return Problem(
            reason="NoRecording",
            message="spec.source.replay.configMapRef: is required in a cluster (path is the local run's)",
        )
    return None
