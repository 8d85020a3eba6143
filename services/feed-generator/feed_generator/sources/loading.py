"""Load files as a recording: their rows in order of time, as snapshots."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from feed_generator.domain.rulebook import ProductRules, known_rules, rules
from feed_generator.domain.terms import Terms
from feed_generator.errors import BadRecording, UnknownProduct
from feed_generator.sources.formats.detect import Format
from feed_generator.sources.formats.problems import Problems
from feed_generator.sources.formats.reading import GROUP_NS, Session
from feed_generator.sources.formats.row import Row, Told
from feed_generator.sources.recording import Assembler, Carry, Snapshot

KEPT_ROWS = 200_000
"""A replay keeps so many rows in memory, about 2.3 KiB a row. It reads a longer recording in each pass."""
_WINDOW = 100_000
_BEAT_ROWS = 5_000
_YEAR_NS = 365 * 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Loaded:
    """A checked recording. `notes`: remarks for the user, one sentence each.

    `snapshots` is a list of at most KEPT_ROWS rows, or reads the files each time that it is iterated over.
    """

    snapshots: Iterable[Snapshot]
    format: Format
    notes: list[str]
    first_ts: int
    last_ts: int


def files_of(path: str) -> list[str]:
    """Return the files of a recording: the path itself, or the files in the folder, which are one session.

    Raises BadRecording for a folder without files.
    """
    folder = Path(path)
    if not folder.is_dir():
        return [path]
    files = sorted(str(file) for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    if not files:
        raise BadRecording(path, 0, "-", "is a folder without files")
    return files


def load(
    path: str,
    wanted: Format | Literal["auto"],
    told: Told,
    terms: Mapping[str, Terms],
    beat: Callable[[], None] = lambda: None,
) -> Loaded:
    """Return the recording of a file, or of a folder's files. Raises BadRecording or UnknownProduct.

    `beat` is called every few thousand rows, in each reading: a long file takes longer than a probe waits.
    """
    recording, problems = _Recording(Session(files_of(path), wanted, told), told, terms, beat), Problems()
    kept: list[Snapshot] | None = []
    first: Snapshot | None = None
    undefined = set[str]()
    assembler = assembler_of(recording.session, told, terms, problems)
    rows = _compared_with_ticks(recording.watched(problems), terms, problems)
    for last in assembler.snapshots(in_order(rows)):
        first = first or last
        if needs_terms(last):
            undefined.add(last.product)
        if kept is not None and assembler.rows <= KEPT_ROWS:
            kept.append(last)
        else:
            kept = None
    problems.raise_refusal()
    if first is None:
        raise BadRecording(path, 1, "-", "the file has no rows")
    for product in sorted(undefined):
        _known(product, terms)
    notes = [problem.sentence for problem in problems]
    snapshots = recording if kept is None else kept
    return Loaded(snapshots, recording.session.format, notes, first.ts, last.ts)


@dataclass(slots=True)
class _Recording:
    """Reads the snapshots of a session's files from the first one on, each time that it is iterated over."""

    session: Session
    told: Told
    terms: Mapping[str, Terms]
    beat: Callable[[], None]
    ascending: bool = True

    def watched(self, problems: Problems) -> Iterator[Row]:
        """Yield the rows of the first reading, and note whether they ascend: others need a window again."""
        newest = 0
        for row in self._rows(problems):
            self.ascending = self.ascending and row.ts >= newest
            newest = row.ts
            yield row

    def __iter__(self) -> Iterator[Snapshot]:
        problems = Problems()  # those of the first reading are known
        rows = self._rows(problems)
        assembler = assembler_of(self.session, self.told, self.terms, problems)
        return assembler.snapshots(rows if self.ascending else in_order(rows))

    def _rows(self, problems: Problems) -> Iterator[Row]:
        for number, row in enumerate(self.session.rows(problems)):
            if number % _BEAT_ROWS == 0:
                self.beat()
            yield row


def assembler_of(session: Session, told: Told, terms: Mapping[str, Terms], problems: Problems) -> Assembler:
    """Return the assembler of a session's rows."""
    group_ns = GROUP_NS.get(session.format, 0) if told.group_ns is None else told.group_ns
    if session.format == "dbn":
        group_ns = 0  # its reader makes the groups, because quotes last beyond them
    return Assembler(problems, group_ns=group_ns, carry=_carry_of(terms))


def lots_of(terms: Mapping[str, Terms]) -> Callable[[str, date, date], int]:
    """Return the function that gives the lot size of a product's contracts by expiry and trading day."""

    def lots(product: str, expiry: date, on: date) -> int:
        return _known(product, terms).lot_size(expiry, on)

    return lots


def _carry_of(terms: Mapping[str, Terms]) -> Carry:
    def carry(product: str, expiry: date, ts: int) -> tuple[float, float]:
        its = _known(product, terms)
        # A product that the feed defines has no rate: its spot is derived without carry.
        rate = its.rate if isinstance(its, ProductRules) else 0.0
        return max(0, its.expiry_ns(expiry) - ts) / _YEAR_NS, rate

    return carry


def _known(product: str, terms: Mapping[str, Terms]) -> Terms:
    if product in terms:
        return terms[product]
    try:
        return rules(product)
    except UnknownProduct as unknown:
        raise UnknownProduct(
            f"{unknown}; or define it in the feed that replays the files (DEFINITIONS)"
        ) from None


def currency_of(product: str) -> str | None:
    """Return the currency of a product's prices, or None if the rulebook does not have it."""
    known = known_rules([product])
    return known[product].currency if known else None


def needs_terms(snapshot: Snapshot) -> bool:
    """Return whether the files leave out terms of the snapshot's contracts."""
    return not all(chain.stated.complete for chain in snapshot.chains.values())


def in_order(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield rows in order of time, if none is more than a window of rows away from its place."""
    waiting: list[tuple[int, int, Row]] = []
    for number, row in enumerate(rows):
        entry = (row.ts, number, row)
        if len(waiting) < _WINDOW:
            heapq.heappush(waiting, entry)
        else:
            yield heapq.heappushpop(waiting, entry)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def _compared_with_ticks(
    rows: Iterable[Row], terms: Mapping[str, Terms], problems: Problems
) -> Iterator[Row]:
    """Yield the rows, and note quotes that are no multiples of the tick that the feed defines."""
    ticks = {name: its.tick for name, its in terms.items() if its.tick is not None}
    for row in rows:
        tick = ticks.get(row.product)
        for column in ("bid", "ask") if tick else ():
            if tick and not _is_multiple(row.leg[column], tick):
                rule = f"is no multiple of the tick {tick:g}"
                hint = "check the unit of the prices, or the definition"
                problems.note(row.place, f"{rule}: {hint}", column=column, shown=f"{row.leg[column]:g}")
        yield row


def _is_multiple(price: float, tick: float) -> bool:
    off = abs(price - round(price / tick) * tick)
    return off <= 1e-6 * tick + 1e-12 * price  # prices are floats
