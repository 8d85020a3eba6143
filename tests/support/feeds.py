"""Feeds and signals with memorable defaults; a test names only what it is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from deltastream_operator.domain import status
from deltastream_operator.domain.decide import Current, Decision, decide
from deltastream_operator.domain.feed import Enricher, Feed, Mode, Synthetic
from deltastream_operator.domain.observed import Facts, Observed
from deltastream_operator.domain.signals import Reading, Signals

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
IDLE = Signals(
    lag=0, pending=0, oldest_seconds=0, queued_tasks=0, arrivals_per_second=0, service_seconds=0.001
)


def a_feed(mode: Mode = "Automatic", *, products: int = 1, **enricher: Any) -> Feed:
    """A synthetic feed `a` of P0, P1, …; the keywords are its enricher's."""
    return Feed(
        name="a",
        products=tuple(f"P{n}" for n in range(products)),
        source=Synthetic(),
        enricher=Enricher(**enricher),
        mode=mode,
    )


def load(**numbers: Any) -> Signals:
    """The signals of a feed that is idle but for what is named."""
    return replace(IDLE, **numbers)


def serving(generators: int, enrichers: int) -> Facts:
    """Everything that exists is ready."""
    return Facts(
        generator=Observed(replicas=generators, ready=generators, updated=generators),
        enricher=Observed(replicas=enrichers, ready=enrichers, updated=enrichers),
    )


def decided(
    feed: Feed | None = None, reading: Reading = IDLE, enrichers: int | None = 1, at: datetime = NOON
) -> Decision:
    """About feed `a` with one generator, Automatic unless another feed is given."""
    return decide(feed or a_feed(), reading, Current(generator=1, enricher=enrichers), at)


def wrote(
    decision: Decision, facts: Facts, previous: dict[str, Any] | None = None, generation: int = 1
) -> dict[str, Any]:
    """The status that follows on `previous`."""
    return status.build(
        previous or {}, decision, facts, generation=generation, selector="deltastream.dev/feed=a"
    )


def of(built: dict[str, Any], kind: str) -> dict[str, Any]:
    """The condition of this type."""
    found: dict[str, Any] = next(row for row in built["conditions"] if row["type"] == kind)
    return found
