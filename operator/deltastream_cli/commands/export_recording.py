"""Export everything that is stored about a product as a recording, from where an interrupted one ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deltastream_cli.adapters import message_spool, recording_file
from deltastream_cli.adapters.gateway import Answer, Gateway
from deltastream_cli.adapters.screen import Screen
from deltastream_cli.commands.export import patient, require_known, time_of
from deltastream_cli.commands.recordings import continued, finished
from deltastream_cli.domain.progress import moment
from deltastream_cli.domain.reports import Report
from deltastream_cli.domain.stored import lacks_previous_close, message
from deltastream_cli.errors import UsageError


@dataclass(frozen=True)
class _Source:
    """Where one kind of document is: the route, the member of its answer, the page, the kind of message."""

    path: str
    member: str
    page: int
    kind: str


_SOURCES = (
    _Source("/api/data/chain/{}", "chains", 100, "option_chain"),
    _Source("/api/data/quote/{}", "quotes", 1000, "option_quote"),
    _Source("/api/data/underlying/{}", "ticks", 1000, "underlying"),
)


@dataclass(frozen=True)
class _Page:
    """A page of one series: its messages and what is done.

    `position` is the kind, the product or contract, and the cursor behind the page; None behind the last one.
    `share` is the part of all series, 0 to 1. `without_close` chains have no previous close.
    """

    messages: list[dict[str, Any]]
    position: tuple[str, str, str | None]
    share: float
    without_close: int


def export_recording(
    gateway: Gateway,
    screen: Screen,
    product: str,
    file: Path,
    *,
    start: str | None,
    end: str | None,
    now: str,
    sleep: Callable[[float], None],
) -> Report:
    """Write the stored ticks, quotes and chains as messages to the recording `file`, and return the counts.

    `start` and `end` are inclusive event times; None is open, or `now`. Raises a CommandError; the next call
    then continues.
    """
    recording_file.check()
    wanted = _request(gateway.url, product, start, end, now)
    require_known(gateway, product)
    with message_spool.opened(file) as spool:
        if end is None and spool.request is not None:
            wanted["end"] = spool.request["end"]
        request = continued(spool, wanted, screen, file)
        unknown = 0
        with _bar(screen) as bar:
            task = bar.add_task(f"reads {product}", total=None, messages="")
            for page in _pages(patient(gateway, screen, sleep), request, spool.position):
                spool.append(page.messages, request, page.position)
                unknown += page.without_close
                bar.update(task, total=1.0, completed=page.share, messages=f"{len(spool):,} messages")
        report = finished(spool, file, screen, source="store", order="time")
    message_spool.discard(file)
    if unknown:
        note = f"{unknown:,} chains were stored without previous closes: their build-up replays as unknown"
        report = replace(report, notes=[*report.notes, note])
    return report


def _request(url: str, product: str, start: str | None, end: str | None, now: str) -> dict[str, Any]:
    first = None if start is None else time_of("--from", start)
    last = now if end is None else time_of("--to", end)
    if first is not None and moment(first) > moment(last):
        raise UsageError("--from: must not be after --to")
    return {"url": url, "product": product, "start": first, "end": last}


def _pages(
    get: Callable[..., Answer], request: Mapping[str, Any], position: Sequence[Any] | None
) -> Iterator[_Page]:
    """Yield each page behind the position: chains, the quotes of each contract, ticks."""
    product = request["product"]
    contracts = get("/api/data/contracts/{}", product)["contracts"]
    names = {"quotes": sorted(contracts)}
    series = [(source, name) for source in _SOURCES for name in names.get(source.member, [product])]
    kind, reached, cursor = position or ("", "", None)
    for number, (source, name) in enumerate(series):
        if (source.kind, name) < (kind, reached) or ((source.kind, name) == (kind, reached) and not cursor):
            continue
        more = cursor if (source.kind, name) == (kind, reached) else ""
        while more is not None:
            bounds = {"start": request["start"], "end": request["end"], "cursor": more or None}
            answer = get(source.path, name, order="oldest", limit=source.page, **bounds)
            more = answer["next"]
            found = answer[source.member]
            yield _Page(
                messages=[message(source.kind, document) for document in found],
                position=(source.kind, name, more),
                share=(number + 1) / len(series),
                without_close=sum(map(lacks_previous_close, found)) if source.member == "chains" else 0,
            )


def _bar(screen: Screen) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[messages]}"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=screen.err, disable=not screen.err.is_terminal)
