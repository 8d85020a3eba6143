"""Convert files that people have to one recording that a feed can replay."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from datetime import date, datetime
from typing import Any

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from deltastream_cli.adapters import importer
from deltastream_cli.adapters.screen import Screen
from deltastream_cli.domain.imports import Wanted, report, worded
from deltastream_cli.domain.reports import Report
from deltastream_cli.errors import CommandError, UsageError


def convert(screen: Screen, wanted: Wanted) -> Report:
    """Convert the files and return the report. Raises a CommandError; then nothing is written."""
    _check(wanted)
    with closing(importer.events(wanted.arguments())) as events, _bar(screen) as bar:
        task = bar.add_task("import", total=None)
        for event in events:
            if "error" in event:
                raise CommandError(_refusal(event, wanted))
            if "report" in event:
                return report(event["report"], wanted.out)
            bar.update(task, completed=event["read"], total=event["of"])
    raise CommandError("the importer ended without a report")


def _refusal(event: Mapping[str, Any], wanted: Wanted) -> str:
    text = worded(event["error"])
    if "examples" not in event:
        return text
    program = os.environ.get("DELTASTREAM_COMMAND", "deltastream")
    return f"{text}, for example: {wanted.completed(program, event['examples'])}"


def _check(wanted: Wanted) -> None:
    if not wanted.out.endswith(".csv"):
        raise UsageError(
            f"--out {wanted.out}: must end with .csv, the format of a recording that a feed replays"
        )
    if wanted.as_of is not None:
        try:
            zoned = datetime.fromisoformat(wanted.as_of).tzinfo is not None
        except ValueError:
            zoned = False
        if not zoned:
            rule = "must be a time with its zone, such as 2024-06-21T15:30:00+05:30"
            raise UsageError(f"--as-of {wanted.as_of}: {rule}")
    if wanted.expiry is not None:
        try:
            date.fromisoformat(wanted.expiry)
        except ValueError:
            raise UsageError(f"--expiry {wanted.expiry}: must be a date such as 2024-06-27") from None


def _bar(screen: Screen) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        DownloadColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=screen.err, disable=not screen.err.is_terminal)
