"""Builders of feeds, signals and statuses with defaults, so that a test sets only what it tests."""

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
    """Return a synthetic feed `a` with products P0, P1, …. The keywords are fields of its enricher."""
    return Feed(
        name="a",
        products=tuple(f"P{n}" for n in range(products)),
        source=Synthetic(),
        enricher=Enricher(**enricher),
        mode=mode,
    )


def load(**numbers: Any) -> Signals:
    """Return the signals of an idle feed with `numbers` replaced."""
    return replace(IDLE, **numbers)


def serving(generators: int, enrichers: int) -> Facts:
    """Return the facts of a feed whose replicas are all ready and updated."""
    return Facts(
        generator=Observed(replicas=generators, ready=generators, updated=generators),
        enricher=Observed(replicas=enrichers, ready=enrichers, updated=enrichers),
    )


def decided(
    feed: Feed | None = None, reading: Reading = IDLE, enrichers: int | None = 1, at: datetime = NOON
) -> Decision:
    """Return the decision for feed `a` with one generator; the default feed is Automatic."""
    return decide(feed or a_feed(), reading, Current(generator=1, enricher=enrichers), at)


def wrote(
    decision: Decision, facts: Facts, previous: dict[str, Any] | None = None, generation: int = 1
) -> dict[str, Any]:
    """Return the status that the operator writes after the status `previous`."""
    return status.build(
        previous or {},
        decision,
        facts,
        source="synthetic",
        generation=generation,
        selector="deltastream.dev/feed=a",
    )


def of(built: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the condition of this type."""
    found: dict[str, Any] = next(row for row in built["conditions"] if row["type"] == kind)
    return found
