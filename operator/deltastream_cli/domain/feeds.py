"""Build the report of the feeds table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deltastream_cli.domain.reports import Cell, Column, Report

_COLUMNS = (
    Column("name", "feed"),
    Column("ready", "ready"),
    Column("mode", "mode", drop=1),
    Column("source", "source", drop=3),
    Column("products", "products", drop=2),
    Column("generators", "gen."),
    Column("enrichers", "enr."),
    Column("lag", "lag", "count"),
    Column("oldest_seconds", "oldest", "seconds", drop=1),
    Column("arrivals_per_second", "in/s", "number"),
)

# A missing connection is shown although the feed is Ready: its processes serve what has arrived.
_SHOWN = ("Ready", "SourceConnected")


def feeds(found: Sequence[Mapping[str, Any]]) -> Report:
    """Return the report of the feeds: load, replicas as ready/desired, and each feed's last decision."""
    notes = [
        f"{feed['name']}: {condition['message']}"
        for feed in found
        for condition in feed["conditions"]
        if condition["type"] in _SHOWN and condition["status"] != "True"
    ]
    decided = [f"{feed['name']}: {feed['decisions'][-1]['message']}" for feed in found if feed["decisions"]]
    rows = [_row(feed) for feed in found]
    return Report("feeds", rows_key="feeds", columns=_COLUMNS, rows=rows, notes=notes + decided)


def _row(feed: Mapping[str, Any]) -> list[Cell]:
    ready = next((one for one in feed["conditions"] if one["type"] == "Ready"), None)
    state = (
        Cell("yes" if ready["status"] == "True" else ready["reason"]) if ready else Cell(None, "no condition")
    )
    unreadable = "the spec cannot be read"
    why = feed.get("load_reason") or "the load is unknown"
    load = [
        Cell(feed[key], why if feed[key] is None else None)
        for key in ("lag", "oldest_seconds", "arrivals_per_second")
    ]
    return [
        Cell(feed["name"]),
        state,
        Cell(feed["mode"], None if feed["mode"] else unreadable),
        Cell(feed["source"], None if feed["source"] else unreadable),
        Cell(feed["products"]),
        _replicas(feed["generator"]),
        _replicas(feed["enricher"]),
        *load,
    ]


def _replicas(component: Mapping[str, Any]) -> Cell:
    if component["desired"] is None:
        return Cell(None, "not decided yet")
    return Cell(f"{component['ready']}/{component['desired']}")
