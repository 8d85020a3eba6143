"""A DeltaStreamFeed's spec as values. `resource.py` reads it from YAML and checks it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Synthetic:
    """A seeded market model."""

    seed: int = 0
    speed_percent: int = 100
    messages_per_second: int = 60


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A recorded chain; `as_of` is the time of a recording that has no timestamps."""

    as_of: str | None = None
    config_map: str | None = None
    path: Path | None = None
    interval_millis: int = 1000
    speed_percent: int = 100
    loop: Literal["Forever", "Once"] = "Forever"


@dataclass(frozen=True, kw_only=True)
class Generator:
    """Scales by products, never by queue: a generator that lags must not be multiplied."""

    min_replicas: int = 1
    max_replicas: int = 8
    products_per_replica: int = 50


@dataclass(frozen=True, kw_only=True)
class Enricher:
    """Each replica is a pair: subscriber and Celery worker."""

    replicas: int
    concurrency_per_replica: int = 1


@dataclass(frozen=True, kw_only=True)
class Feed:
    """One feed: a stream of its own, its generators and its enrichers."""

    name: str
    products: tuple[str, ...]
    source: Synthetic | Replay
    enricher: Enricher
    generator: Generator = field(default_factory=Generator)
    mode: Literal["Manual"] = "Manual"
