"""Prove the live source of a feed before it runs."""

from __future__ import annotations

from pathlib import Path

from deltastream_cli.adapters.local_system import check_source
from deltastream_cli.adapters.screen import Screen
from deltastream_cli.domain.reports import Cell, Column, Report
from deltastream_cli.errors import CommandError

_COLUMNS = (
    Column("feed", "feed"),
    Column("source", "source"),
    Column("connected", "connected"),
    Column("frames", "frames", "count"),
    Column("option_quote", "quotes", "count"),
    Column("contracts", "contracts", "count"),
    Column("option_chain", "chains", "count"),
    Column("underlying", "prices", "count"),
    Column("refused", "refused", "count"),
    Column("age_ms", "age ms", "count"),
)


def check(screen: Screen, file: Path, seconds: float) -> Report:
    """Connect to each live source of the file, count for some seconds, and end."""
    screen.note(f"{file}: connects within half a minute, then counts for {seconds:g} s")
    found = check_source(file, seconds)
    rows = []
    for one in found:
        shown = {**one, "connected": "yes" if one["connected"] else "no"}
        rows.append([Cell(shown[column.key]) for column in _COLUMNS])
    notes = []
    for one in found:
        notes.append(f"{one['feed']}: {one['reason']}: {one['message']}")
        if one["refused"]:
            notes.append(f"{one['feed']}: {one['refused']} frames are refused, the first: {one['refusal']}")
    code = 0 if all(one["connected"] for one in found) else CommandError.code
    return Report("", rows_key="sources", columns=_COLUMNS, rows=rows, notes=notes, code=code)
