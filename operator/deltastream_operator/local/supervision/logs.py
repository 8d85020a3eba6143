"""Bounded log files: each process appends to its own, the local run keeps them small."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

MAX_BYTES = 10 << 20


def bound(folder: Path, max_bytes: int = MAX_BYTES) -> None:
    """Move what outgrew the bound to `{name}.1`; a log never takes more than twice the bound.

    Copied and truncated, not renamed: the writer holds the file open (append mode, so it goes on at 0).
    Lines written between the two steps are lost; a pipe through the local run would lose none, but would
    cost it CPU for every line of every process.
    """
    for log in folder.glob("*.log"):
        if log.stat().st_size > max_bytes:
            shutil.copyfile(log, log.with_suffix(".log.1"))
            os.truncate(log, 0)


def tail(log: Path, lines: int, since: int = 0) -> list[str]:
    """The last lines after byte `since` that are not empty, each cut to a screen's width or two."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, since, log.stat().st_size - 64_000))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line[:300] for line in _full(text.splitlines())][-lines:]


def _full(lines: Iterable[str]) -> list[str]:
    return [line.rstrip() for line in lines if line.strip()]
