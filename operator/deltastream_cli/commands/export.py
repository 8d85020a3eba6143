"""Export stored data page by page to a file, from where an interrupted export ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deltastream_cli.adapters import parquet, spool
from deltastream_cli.adapters.gateway import Answer, Gateway
from deltastream_cli.adapters.screen import Screen
from deltastream_cli.domain import figures
from deltastream_cli.domain.kinds import KINDS, Kind
from deltastream_cli.domain.progress import Position, moment, share
from deltastream_cli.domain.reports import Cell, Fact, Report
from deltastream_cli.errors import NotFound, RateLimited, UsageError


@dataclass(frozen=True)
class Wanted:
    """What to export. `start` and `end` are inclusive event times; None is open, or now."""

    product: str
    kind: str
    start: str | None
    end: str | None
    window: int
    format: str

    def request(self, url: str, now: str) -> dict[str, Any]:
        """Return the export as `{file}.resume` stores it, with times in UTC. Raises UsageError."""
        start = None if self.start is None else time_of("--from", self.start)
        end = now if self.end is None else time_of("--to", self.end)
        if start is not None and moment(start) > moment(end):
            raise UsageError("--from: must not be after --to")
        window = self.window if self.kind == "bars" else None
        return {
            "url": url,
            "product": self.product,
            "kind": self.kind,
            "start": start,
            "end": end,
            "window": window,
        }


def export(
    gateway: Gateway, screen: Screen, wanted: Wanted, file: Path, *, now: str, sleep: Callable[[float], None]
) -> Report:
    """Write the rows to `file` and return the counts. Raises a CommandError; the next call then continues."""
    if wanted.format == "parquet":
        parquet.check()
    kind = KINDS[wanted.kind]
    request = wanted.request(gateway.url, now)
    require_known(gateway, wanted.product)
    with spool.opened(file) as unfinished, _bar(screen) as bar:
        position = Position()
        if unfinished.saved is not None:
            request, position = _continued(unfinished.saved, request, wanted, file), unfinished.saved.position
            screen.note(f"continues after {position.rows:,} rows")
        else:
            unfinished.append([[name for name, _ in kind.columns]], request, position)
        task = bar.add_task(f"{wanted.product} {wanted.kind}", total=None, rows="")
        pages = _pages(gateway, request, kind, position, screen, sleep)
        for answer, position in pages:
            unfinished.append(kind.rows(answer), request, position)
            done = share(request["start"], request["end"], position.last)
            bar.update(task, total=1.0 if done else None, completed=done or 0, rows=f"{position.rows:,} rows")
        bar.update(task, total=1.0, completed=1.0)
    if wanted.format == "parquet":
        parquet.convert(spool.part_of(file), kind.columns, file)
        spool.discard(file)
    else:
        spool.finish(file)
    return _counts(request, position, file)


def _continued(saved: spool.Saved, request: Mapping[str, Any], wanted: Wanted, file: Path) -> dict[str, Any]:
    """Return the request of the unfinished export; it keeps its `end` if the new one names none."""
    expected = dict(request) if wanted.end else {**request, "end": saved.request["end"]}
    for name, value in saved.request.items():
        if expected.get(name) != value:
            raise UsageError(
                f"{spool.part_of(file)} is an unfinished export with another {name} ({value}): repeat its "
                "arguments, remove it, or name another file with --output-file"
            )
    return dict(saved.request)


def require_known(gateway: Gateway, product: str) -> None:
    products = gateway.get("/api/data/products")["products"]
    if product not in products:
        raise NotFound(f"{product} has no stored data; there are: {', '.join(products) or 'no products yet'}")


def _pages(
    gateway: Gateway,
    request: Mapping[str, Any],
    kind: Kind,
    position: Position,
    screen: Screen,
    sleep: Callable[[float], None],
) -> Iterator[tuple[Answer, Position]]:
    """Yield each page with the position behind it."""
    if position.done:
        return
    get = patient(gateway, screen, sleep)
    if kind.member == "quotes":
        contracts = get("/api/data/contracts/{}", request["product"])["contracts"]
        done = position.series if position.ended else ""
        series = [symbol for symbol in contracts if symbol > done and symbol >= position.series]
    else:
        series = [request["product"]]
    query = {name: request[name] for name in ("start", "end", "window") if request[name] is not None}
    for name in series:
        cursor = position.cursor if name == position.series else None
        more = True
        while more:
            bound = {"start": cursor} if cursor and kind.member == "bars" else {"cursor": cursor}
            answer = get(kind.path, name, **{**query, "order": "oldest", "limit": kind.page, **bound})
            rows = list(kind.rows(answer))
            cursor = _following(answer, kind)
            more = cursor is not None
            last = str(rows[-1][0]) if rows else position.last
            position = Position(
                series=name,
                cursor=cursor,
                ended=not more,
                last=last,
                rows=position.rows + len(rows),
                pages=position.pages + 1,
                done=not more and name == series[-1],
            )
            yield answer, position


def _following(answer: Answer, kind: Kind) -> str | None:
    """Return the cursor of the next page. A window has one bar, so the time is enough for bars."""
    if kind.member != "bars":
        following: str | None = answer["next"]
        return following
    bars = answer["bars"]
    if len(bars) < kind.page:
        return None
    return str(bars[-1]["start"]).replace("Z", "001Z")  # one microsecond later


def patient(gateway: Gateway, screen: Screen, sleep: Callable[[float], None]) -> Callable[..., Answer]:
    """Return `gateway.get` that waits if there were too many requests."""

    def get(path: str, *segments: str, **query: object) -> Answer:
        while True:
            try:
                return gateway.get(path, *segments, **query)
            except RateLimited as limited:
                screen.note(f"the gateway's rate limit is reached: waits {limited.wait_s} s")
                sleep(limited.wait_s)

    return get


def _bar(screen: Screen) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[rows]}"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=screen.err, disable=not screen.err.is_terminal)


def _counts(request: Mapping[str, Any], position: Position, file: Path) -> Report:
    facts = [
        Fact("file", "file", Cell(str(file))),
        Fact("rows", "rows", Cell(position.rows), "count"),
        Fact("pages", "pages", Cell(position.pages), "count"),
        Fact("size", "size", Cell(figures.size(file.stat().st_size))),
        Fact("from", "from", Cell(request["start"], None if request["start"] else "the first row")),
        Fact("to", "to", Cell(request["end"])),
    ]
    return Report("", facts)


def time_of(option: str, given: str) -> str:
    try:
        return moment(given).isoformat()
    except ValueError:
        raise UsageError(
            f"{option} {given}: must be a time such as 2024-06-21 or 2024-06-21T09:15:00Z"
        ) from None
