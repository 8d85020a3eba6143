"""Limit the size of the processes' log files and read their ends."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

MAX_BYTES = 10 << 20


def bound(folder: Path, max_bytes: int = MAX_BYTES) -> None:
    """Move the content of each log larger than `max_bytes` to `{name}.1`, its one predecessor.

    The file is copied and truncated, not renamed, because the writer keeps it open (in append mode, so that
    it continues at offset 0). Lines written between the two steps are lost. A pipe through the local run
    would lose none, but would cost CPU for every line of every process.
    """
    for log in folder.glob("*.log"):
        if log.stat().st_size > max_bytes:
            shutil.copyfile(log, log.with_suffix(".log.1"))
            os.truncate(log, 0)


def tail(log: Path, lines: int, since: int = 0) -> list[str]:
    """Return the last `lines` non-empty lines after byte `since`, each cut to 300 characters."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, since, log.stat().st_size - 64_000))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line[:300] for line in _full(text.splitlines())][-lines:]


def _full(lines: Iterable[str]) -> list[str]:
    return [line.rstrip() for line in lines if line.strip()]
