"""What the enrichment of a batch results in: the documents, cached values, live events and bars to write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from worker_enricher.candles import Bar
from worker_enricher.identity import Kind


class Forward(NamedTuple):
    """The parity forward of an expiry, its discount factor and the spot at that time; prices per share."""

    forward: float
    discount: float
    spot: float
    series: str | None
    """See `identity.series`. None: written before this field existed."""


@dataclass(frozen=True, slots=True)
class Latest:
    """A candidate for the cache. It is written only if the cache has no newer `order` from its feed."""

    feed: str
    product: str
    field: str
    """Field of `index:{P}`: `underlying` or `chain:{E}`."""
    order: str
    index: bytes
    """Value of that field (contract cache-index)."""
    value: bytes
    """The enriched message."""
    pcr: bytes | None
    """Value of `latest:pcr:{P}:{E}`, for a chain."""
    series: str
    """See `identity.series`; empty for an underlying."""


@dataclass(slots=True)
class Enriched:
    """All results of one batch.

    Keys: `documents` by kind; `latest` by (product, field of the index); `bars` by (product, minutes);
    `forwards` by (product, expiry). `published` keeps the order of publishing.
    """

    documents: dict[Kind, list[dict[str, Any]]] = field(default_factory=dict)
    published: list[tuple[Kind, bytes]] = field(default_factory=list)
    latest: dict[tuple[str, str], Latest] = field(default_factory=dict)
    bars: dict[tuple[str, int], list[Bar]] = field(default_factory=dict)
    forwards: dict[tuple[str, str], Forward] = field(default_factory=dict)
    vendor_differences: list[float] = field(default_factory=list)
    """Our implied volatilities minus those of the source."""
