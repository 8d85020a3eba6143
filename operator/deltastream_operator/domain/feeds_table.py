"""Build the feeds table: what the operator knows and decided about every feed, for people and programs.

The local run and the controller build the same table (contract `feeds-table`) from a feed's spec, its status
and its load. Beside it they write the external feeds (contract `feeds-external`), in which the API gateway
looks up a feed by its name.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from deltastream_operator.domain.feed import (
    COMPONENTS,
    SOURCES,
    Component,
    ConfigMapRef,
    Deribit,
    External,
    Feed,
    Kite,
    Replay,
    Source,
    Synthetic,
)
from deltastream_operator.domain.signals import Reading, Unknown

Authority = Literal["local", "cluster"]

# The limits of the contract.
FEEDS_MAX, PRODUCTS_MAX, CONDITIONS_MAX, DECISIONS_MAX, POINTS_MAX = 200, 100, 16, 5, 60
POINT_S = 10
_TEXT_MAX, _LOAD_REASON_MAX, _ORIGIN_MAX = 1024, 600, 300
_DECISION = ("time", "component", "from", "to", "reason", "message")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is known of one feed. `feed` is None if its spec cannot be read.

    `status` has the fields of a DeltaStreamFeed's status (`status.build`); it is empty before the first one.
    """

    name: str
    feed: Feed | None
    status: Mapping[str, Any]
    reading: Reading


@dataclass(frozen=True, kw_only=True)
class Point:
    """A point of a feed's history: epoch seconds, the lag (None: unknown) and the enrichers that serve."""

    at: int
    lag: int | None
    enrichers: int


class History:
    """The last points of every feed: one each 10 s, for 10 minutes."""

    def __init__(self) -> None:
        self._points: dict[str, deque[Point]] = {}

    def add(self, entries: Iterable[Entry], now: datetime) -> None:
        """Add the points that are due, and forget feeds that are not in `entries`."""
        at = int(now.timestamp())
        kept: dict[str, deque[Point]] = {}
        for entry in entries:
            points = kept[entry.name] = self._points.get(entry.name) or deque(maxlen=POINTS_MAX)
            # A clock that was set back must not stop the history.
            if not points or not 0 <= at - points[-1].at < POINT_S:
                lag = None if isinstance(entry.reading, Unknown) else entry.reading.lag
                points.append(Point(at=at, lag=lag, enrichers=_replicas(entry.status, "enricher")["ready"]))
        self._points = kept

    def of(self, name: str) -> list[Point]:
        """Return the points of a feed, oldest first."""
        return list(self._points.get(name, ()))


def build(
    entries: Iterable[Entry],
    history: History,
    *,
    now: datetime,
    authority: Authority,
    namespace: str | None = None,
) -> dict[str, Any]:
    """Return the table. The feeds are sorted by name; those beyond the first 200 are only counted."""
    known = sorted(entries, key=lambda entry: entry.name)
    return {
        "updated_at": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
        "authority": authority,
        "namespace": namespace,
        "feeds": [row(entry, history.of(entry.name)) for entry in known[:FEEDS_MAX]],
        "omitted": max(0, len(known) - FEEDS_MAX),
    }


def external(entries: Iterable[Entry]) -> dict[str, str]:
    """Return all external feeds: by name, the JSON with all products and definitions."""
    return {
        entry.name: json.dumps(_external(entry.feed))
        for entry in entries
        if entry.feed and isinstance(entry.feed.source, External)
    }


def _external(feed: Feed) -> dict[str, Any]:
    definitions = [one.spec() for one in feed.definitions]
    return {"products": list(feed.products), **({"definitions": definitions} if definitions else {})}


def row(entry: Entry, points: list[Point]) -> dict[str, Any]:
    """Return the row of one feed. A number that is not known is None, and `load_reason` says why."""
    feed, status = entry.feed, entry.status
    products = feed.products if feed else ()
    return {
        "name": entry.name,
        "mode": feed.mode if feed else None,
        "source": SOURCES[type(feed.source)] if feed else None,
        "origin": _origin(feed.source)[:_ORIGIN_MAX] if feed else "",
        "products": list(products[:PRODUCTS_MAX]),
        "product_count": len(products),
        **{component: _replicas(status, component) for component in COMPONENTS},
        **_load(entry.reading),
        "conditions": [_condition(one) for one in (status.get("conditions") or [])[:CONDITIONS_MAX]],
        "decisions": [_decision(one) for one in _whole(status.get("decisions") or [])[-DECISIONS_MAX:]],
        "history": {
            "at": [point.at for point in points],
            "lag": [point.lag for point in points],
            "enrichers": [point.enrichers for point in points],
        },
    }


def _origin(source: Source) -> str:
    """Return where the market comes from. Of a URL only the host: the rest may hold a secret."""
    match source:
        case Synthetic(seed=seed):
            return f"seed {seed}"
        case Replay(path=Path() as path):
            return path.name
        case Replay(config_map=ConfigMapRef(name=name, key=key)):
            return f"{name}/{key}"
        case Deribit(currencies=currencies, url=url):
            return f"{', '.join(currencies)} at {urlsplit(url).hostname}"
        case Kite(url=url):
            return f"{urlsplit(url).hostname}"
        case _:
            return ""


def _replicas(status: Mapping[str, Any], component: Component) -> dict[str, Any]:
    counts = status.get(component) or {}
    return {"desired": counts.get("desiredReplicas"), "ready": counts.get("readyReplicas", 0)}


def _load(reading: Reading) -> dict[str, Any]:
    if isinstance(reading, Unknown):
        unknown = dict.fromkeys(("lag", "oldest_seconds", "arrivals_per_second", "service_seconds"))
        return {**unknown, "load_reason": f"{reading.reason}: {reading.message}"[:_LOAD_REASON_MAX]}
    service = reading.service_seconds
    return {
        "lag": reading.lag,
        "oldest_seconds": round(reading.oldest_seconds, 1),
        "arrivals_per_second": round(reading.arrivals_per_second, 1),
        "service_seconds": None if service is None else round(service, 7),
        "load_reason": None,
    }


def _condition(condition: Mapping[str, Any]) -> dict[str, str]:
    return {
        "type": condition["type"],
        "status": condition["status"],
        "reason": condition["reason"],
        "message": condition["message"][:_TEXT_MAX],
        "last_transition": condition["lastTransitionTime"],
    }


def _whole(decisions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the decisions with all fields. The CRD requires none of them, and a person may edit a status."""
    return [one for one in decisions if one.keys() >= set(_DECISION)]


def _decision(decision: Mapping[str, Any]) -> dict[str, Any]:
    return {name: decision[name] for name in _DECISION}
