"""Decide which feed owns each product. A product has one feed, because the cache is keyed by product.

A feed keeps a product that it produces.
Any other product belongs to the oldest feed that lists it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deltastream_operator.domain.feed import Feed, Kite, Replay
from deltastream_operator.domain.observed import Problem

_NOTHING: Mapping[str, frozenset[str]] = {}


@dataclass(frozen=True, kw_only=True, order=True)
class Claim:
    """A feed's claim on its products. Older claims sort first. `created` is RFC 3339 in UTC."""

    created: str
    name: str
    products: tuple[str, ...]


def taken(claims: Iterable[Claim], made: Mapping[str, frozenset[str]] = _NOTHING) -> Mapping[str, Problem]:
    """Return the feeds that list a product of another feed, each with its problem and the fix.

    `made` maps each feed to the products that it produces now. These can differ from its spec: an
    edit may be refused, paused or not yet rolled out. A feed keeps the products that it produces; other
    products go to the oldest feed that lists them. A refused feed gets no further product: the other products
    in its spec stay available to the next feed.
    """
    by_age = sorted(claims)
    owners: dict[str, str] = {}
    named = [claim.name for claim in by_age]
    for maker in (*named, *(made.keys() - set(named))):
        for product in made.get(maker, ()):
            owners.setdefault(product, maker)
    listed = {claim.name: set(claim.products) for claim in by_age}
    problems: dict[str, Problem] = {}
    for claim in by_age:
        lost = [product for product in claim.products if owners.get(product, claim.name) != claim.name]
        if not lost:
            owners |= dict.fromkeys(claim.products, claim.name)
            continue
        whose = ", ".join(_owned(product, owners[product], listed) for product in lost[:5])
        more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
        problems[claim.name] = Problem(
            reason="ProductTaken",
            message=f"spec.products: taken by another feed: {whose}{more}; remove them from one of the feeds",
        )
    return problems


def _owned(product: str, owner: str, listed: Mapping[str, set[str]]) -> str:
    if product in listed.get(owner, ()):
        return f"{product} (feed {owner})"
    return f"{product} (feed {owner}, which still produces it)"


def not_for_a_cluster(feed: Feed) -> Problem | None:
    """Return the problem of a feed whose recording or credentials are only for a local run; else None."""
    if isinstance(feed.source, Replay) and feed.source.config_map is None:
        return Problem(
            reason="NoRecording",
            message="spec.source.replay.configMapRef: is required in a cluster (path is for a local run)",
        )
    if isinstance(feed.source, Kite) and feed.source.secret is None:
        return Problem(
            reason="NoSecret",
            message="spec.source.kite.secretRef: is required in a cluster; "
            "name the Secret with the keys api-key and access-token",
        )
    return None
