"""What the commands that make a recording share: continue an unfinished one, and write the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deltastream_cli.adapters import message_spool, recording_file
from deltastream_cli.adapters.message_spool import MessageSpool, Order
from deltastream_cli.adapters.screen import Screen
from deltastream_cli.domain import figures
from deltastream_cli.domain.following import Place
from deltastream_cli.domain.recording import KINDS, Contents, Row
from deltastream_cli.domain.reports import Cell, Fact, Report
from deltastream_cli.domain.times import instant
from deltastream_cli.errors import CommandError, NotFound, UsageError

_TITLES = {"underlying": "ticks", "option_quote": "quotes", "option_chain": "chains"}


def continued(
    spool: MessageSpool, request: Mapping[str, Any], screen: Screen, file: Path
) -> Mapping[str, Any]:
    """Return the request of the unfinished recording, or the given one. Raises UsageError if they differ."""
    saved: Mapping[str, Any] | None = spool.request
    if saved is None:
        return request
    for name, value in saved.items():
        if request.get(name) != value:
            raise UsageError(
                f"{message_spool.part_of(file)} is an unfinished recording with another {name} ({value}): "
                "repeat its arguments, remove it, or name another file"
            )
    screen.note(f"continues after {len(spool):,} messages")
    return saved


def finished(spool: MessageSpool, file: Path, screen: Screen, *, source: str, order: Order) -> Report:
    """Write the messages to the recording `file` and return the counts.

    Raises NotFound without any message, and CommandError if the file cannot be written. The spool stays.
    """
    spool.count()
    total = len(spool)
    if not total:
        message_spool.discard(file)
        raise NotFound(f"there was no message: {file} is not written")
    metadata: dict[str, Any] = {"source": source, "refused": sum(spool.refused.values())}
    if source == "stream":
        metadata["missing"] = missing(spool)
    with bar(screen) as progress:
        task = progress.add_task(f"writes {file}", total=total)

        def rows() -> Iterator[Row]:
            for row in spool.rows(order):
                yield row
                progress.advance(task)

        try:
            contents = recording_file.write(file, rows(), metadata)
        except CommandError as error:
            raise CommandError(f"{error}; {message_spool.kept(file)}") from None
    return counts(contents, metadata, file, spool.refused)


def missing(spool: MessageSpool) -> int:
    """Return how many messages the recorder knows it missed.

    Both counts are lower bounds. The numbers of a producer tell nothing before its first and behind its last
    message here, and the stream tells nothing about entries that Redis has lost.
    """
    return max(spool.missing, Place(**spool.position).removed if spool.position else 0)


def counts(contents: Contents, metadata: Mapping[str, Any], file: Path, refused: Mapping[str, int]) -> Report:
    """Return the report of a file: counts by kind, what is missing, and why messages were refused."""
    facts = [
        Fact("file", "file", Cell(str(file))),
        Fact("messages", "messages", Cell(sum(contents.messages.values())), "count"),
        *(Fact(_TITLES[kind], _TITLES[kind], Cell(contents.messages[kind]), "count") for kind in KINDS),
        Fact("products", "products", Cell(", ".join(sorted(contents.products)))),
        Fact("from", "from", Cell(instant(contents.first_ts))),
        Fact("to", "to", Cell(instant(contents.last_ts))),
        *(
            Fact(name, name, Cell(metadata[name]), "count")
            for name in ("missing", "refused")
            if name in metadata
        ),
        Fact("size", "size", Cell(figures.size(file.stat().st_size))),
    ]
    return Report("", facts, notes=[f"refused {count:,} times: {why}" for why, count in refused.items()])


def bar(screen: Screen) -> Progress:
    """Return a progress bar on standard error. It is shown only on a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} messages"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=screen.err, disable=not screen.err.is_terminal)
