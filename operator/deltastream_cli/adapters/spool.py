"""The unfinished file of an export: rows that survive a kill, and the position behind them.

`{file}.part` has the rows. `{file}.resume` has the number of its whole bytes and where the next page begins.
A page is written and synced before the position. After a kill the next call cuts off the bytes behind the
position and reads their page again. So no row is lost and none is written twice.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deltastream_cli.domain.progress import Position
from deltastream_cli.errors import CommandError, UsageError


@dataclass(frozen=True)
class Saved:
    """What `{file}.resume` has: the request, the position, and the number of whole bytes."""

    request: Mapping[str, Any]
    position: Position
    size: int


class Spool:
    """An open unfinished file. Use `opened`."""

    def __init__(self, part: io.BufferedRandom, resume: Path, saved: Saved | None) -> None:
        whole = part.seek(0, os.SEEK_END)
        if saved is not None and saved.size > whole:
            saved = None  # the rows of this position are gone: start anew
        self._part, self._resume, self.saved = part, resume, saved
        part.truncate(saved.size if saved else 0)
        part.seek(0, os.SEEK_END)

    def append(self, rows: Iterable[Sequence[Any]], request: Mapping[str, Any], position: Position) -> None:
        """Write the rows of a page, and then the position behind it."""
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(rows)
        self._part.write(text.getvalue().encode())
        self._part.flush()
        os.fsync(self._part.fileno())
        saved = Saved(request, position, self._part.tell())
        new = self._resume.with_name(self._resume.name + ".new")
        new.write_text(json.dumps(asdict(saved)))
        new.replace(self._resume)


def part_of(file: Path) -> Path:
    """Return the path of the unfinished rows of a file."""
    return file.with_name(file.name + ".part")


def _resume_of(file: Path) -> Path:
    return file.with_name(file.name + ".resume")


@contextmanager
def opened(file: Path) -> Iterator[Spool]:
    """Open the unfinished file beside `file`, and continue it if there is one.

    Raises UsageError if `file` exists or another export writes it, and CommandError if it cannot be written.
    """
    if file.exists():
        raise UsageError(f"{file} exists already: remove it, or name another file with --output-file")
    try:
        with open(os.open(part_of(file), os.O_RDWR | os.O_CREAT, 0o644), "r+b") as part:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield Spool(part, _resume_of(file), _saved(_resume_of(file)))
    except BlockingIOError:
        raise UsageError(f"another export writes {file}: wait for it, or name another file") from None
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror or error}") from None


def finish(file: Path) -> None:
    """Give the finished rows their final name, and remove the position."""
    part_of(file).replace(file)
    _resume_of(file).unlink(missing_ok=True)


def discard(file: Path) -> None:
    """Remove the unfinished rows and the position."""
    for path in (part_of(file), _resume_of(file)):
        path.unlink(missing_ok=True)


def _saved(resume: Path) -> Saved | None:
    try:
        found = json.loads(resume.read_text())
        return Saved(found["request"], Position(**found["position"]), found["size"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise CommandError(f"{resume} is damaged: remove it to start the export anew") from None
