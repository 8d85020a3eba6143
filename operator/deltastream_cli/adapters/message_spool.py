"""The messages of an unfinished recording, in the SQLite file `{file}.part` that survives a kill.

A page of messages and the place behind it are one transaction, so the next call of the command neither loses
nor repeats a message. A message that comes twice is kept once, because `mid` is unique in a feed.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from deltastream_cli.domain.recording import BadMessage, Row, row
from deltastream_cli.errors import CommandError, UsageError

Order = Literal["stream", "time"]
_MID = re.compile(r"([1-9][0-9]{0,9}):([1-9][0-9]{0,14})")
_MOST_PASSES = 10**16
_MOST_REASONS, _OTHER = 50, "other reasons"
_TABLES = """
CREATE TABLE IF NOT EXISTS message (
  place INTEGER PRIMARY KEY, feed TEXT, epoch INTEGER, seq INTEGER, pass INTEGER, ts INTEGER, body TEXT,
  UNIQUE (feed, epoch, seq)
);
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT);
"""
_SPANS = "SELECT feed, epoch, min(seq), max(seq), count(*) FROM message GROUP BY feed, epoch"
_BODIES: dict[Order, str] = {
    "stream": "SELECT body FROM message ORDER BY place",
    "time": "SELECT body FROM message ORDER BY pass, ts, epoch, seq",
}
_BY_TIME = "CREATE INDEX IF NOT EXISTS by_time ON message (pass, ts, epoch, seq)"


class MessageSpool:
    """An open unfinished recording. Use `opened`."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.executescript(_TABLES)
        self.refused: dict[str, int] = {}
        """How many messages did not fit the format, by the member and the rule."""
        self._spans: dict[tuple[str, int], tuple[int, int]] = {}  # first and last number of each producer
        self._total = 0
        self.count()

    def count(self) -> None:
        """Count what is kept. Ctrl-C may have come between keeping a page and counting it."""
        self.refused = self._state("refused") or {}
        self._spans, self._total = {}, 0
        for feed, epoch, first, last, count in self._database.execute(_SPANS):
            self._spans[feed, epoch] = first, last
            self._total += count

    def __len__(self) -> int:
        return self._total

    @property
    def request(self) -> Any:
        """What the first call recorded or exported, or None if this is the first one."""
        return self._state("request")

    @property
    def position(self) -> Any:
        """The place behind the last page, or None."""
        return self._state("position")

    @property
    def missing(self) -> int:
        """How many sequence numbers between the first and the last one of each producer are not here."""
        return sum(last - first + 1 for first, last in self._spans.values()) - self._total

    def append(self, messages: Iterable[object], request: Mapping[str, Any], position: object) -> int:
        """Keep the messages of a page, and the place behind it. Returns how many of them are new."""
        with self._database:
            before = self._database.total_changes
            self._database.executemany(
                "INSERT OR IGNORE INTO message (feed, epoch, seq, pass, ts, body) VALUES (?, ?, ?, ?, ?, ?)",
                self._fitting(messages),
            )
            new = self._database.total_changes - before
            state = {"request": request, "position": position, "refused": self.refused}
            self._database.executemany(
                "INSERT OR REPLACE INTO state VALUES (?, ?)",
                [(name, json.dumps(value)) for name, value in state.items()],
            )
        self._total += new
        return new

    def rows(self, order: Order) -> Iterator[Row]:
        """Yield the rows of the recording, in the order of the stream or of event times."""
        if order == "time":
            self._database.execute(_BY_TIME)  # a sort would need the disk space of all bodies again
        for (body,) in self._database.execute(_BODIES[order]):
            yield row(json.loads(body))

    def _fitting(self, messages: Iterable[object]) -> Iterator[tuple[object, ...]]:
        for message in messages:
            try:
                fits = row(message)
                epoch, seq = _numbers(fits["mid"])
            except BadMessage as error:
                reason = str(error)
                if len(self.refused) >= _MOST_REASONS and reason not in self.refused:
                    reason = _OTHER
                self.refused[reason] = self.refused.get(reason, 0) + 1
                continue
            first, last = self._spans.get((fits["feed"], epoch), (seq, seq))
            self._spans[fits["feed"], epoch] = min(first, seq), max(last, seq)
            passed = message.get("replay") if isinstance(message, dict) else None
            passed = passed if isinstance(passed, int) and 0 <= passed <= _MOST_PASSES else 0
            body = json.dumps(message, separators=(",", ":"))
            yield fits["feed"], epoch, seq, passed, fits["ts"], body

    def _state(self, name: str) -> Any:
        found = self._database.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
        return json.loads(found[0]) if found else None


def _numbers(mid: str) -> tuple[int, int]:
    """Return epoch and number of a message id. Raises BadMessage."""
    found = _MID.fullmatch(mid)
    if found is None:
        raise BadMessage("mid: must be {epoch}:{seq}, as the contract says")
    return int(found[1]), int(found[2])


def part_of(file: Path) -> Path:
    """Return the path of the unfinished recording."""
    return file.with_name(file.name + ".part")


@contextmanager
def opened(file: Path) -> Iterator[MessageSpool]:
    """Open the unfinished recording beside `file`, and continue it if there is one.

    Raises UsageError if `file` exists or another process writes it, and CommandError if it cannot be written.
    """
    if file.exists():
        raise UsageError(f"{file} exists already: remove it, or name another file")
    part = part_of(file)
    try:
        os.close(os.open(part, os.O_RDWR | os.O_CREAT, 0o644))  # SQLite gives no reason
    except OSError as error:
        raise CommandError(f"{part} cannot be written: {error.strerror}") from None
    empty = False
    try:
        database = sqlite3.connect(part, timeout=0)
        try:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("BEGIN EXCLUSIVE").connection.commit()
            spool = MessageSpool(database)
            try:
                yield spool
            finally:
                empty = spool.request is None
        finally:
            database.close()
    except sqlite3.Error as error:
        if "locked" in str(error):
            raise UsageError(f"another process writes {file}: wait for it, or name another file") from None
        if "not a database" in str(error):
            raise UsageError(
                f"{part} is not an unfinished recording: remove it, or name another file"
            ) from None
        raise CommandError(f"{part} cannot be written: {error}; {kept(file)}") from None
    finally:
        if empty:
            discard(file)


def kept(file: Path) -> str:
    """Return the sentence that says where the messages are kept after an error."""
    return f"the messages so far are kept in {part_of(file)}: the same command continues"


def discard(file: Path) -> None:
    """Remove the unfinished recording, and the journal that SQLite leaves after a kill."""
    part_of(file).unlink(missing_ok=True)
    part_of(file).with_name(part_of(file).name + "-journal").unlink(missing_ok=True)
