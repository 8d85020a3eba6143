"""Load files as a recording: their rows in order of time, as snapshots."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from feed_generator.domain.definitions import DefinedProduct
from feed_generator.domain.rulebook import ProductRules, known_rules, rules
from feed_generator.domain.terms import Terms
from feed_generator.errors import BadRecording, UnknownProduct
from feed_generator.sources.formats.detect import Format
from feed_generator.sources.formats.problems import Problems
from feed_generator.sources.formats.reading import GROUP_NS, Session
from feed_generator.sources.formats.row import Row, Told
from feed_generator.sources.recording import Assembler, Carry, Snapshot

MOST_ROWS = 200_000
"""A replay keeps its whole recording in memory, about 2.3 KiB a row."""
_WINDOW = 100_000
_YEAR_NS = 365 * 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Loaded:
    """A recording in memory, and what the user has to know about it, one sentence each."""

    snapshots: list[Snapshot]
    format: Format
    notes: list[str]


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


def load(path: str, wanted: Format | Literal["auto"], told: Told, terms: Mapping[str, Terms]) -> Loaded:
    """Return the recording of a file, or of a folder's files. Raises BadRecording or UnknownProduct."""
    session, problems = Session(files_of(path), wanted, told), Problems()
    assembler = assembler_of(session, told, terms, problems)
    rows = in_order(_compared_with_ticks(session.rows(problems), terms, problems))
    snapshots = list(assembler.snapshots(_few(rows)))
    problems.raise_refusal()
    if not snapshots:
        raise BadRecording(path, 1, "-", "the file has no rows")
    for product in sorted(set(_need_terms(snapshots))):
        _known(product, terms)
    return Loaded(snapshots, session.format, [problem.sentence for problem in problems])


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
        raise UnknownProduct(f"{unknown}; or define it in the feed (DEFINITIONS)") from None


def currency_of(product: str) -> str | None:
    """Return the currency of a product's prices, or None if the rulebook does not have it."""
    known = known_rules([product])
    return known[product].currency if known else None


def _need_terms(snapshots: Iterable[Snapshot]) -> Iterator[str]:
    for snapshot in snapshots:
        if not all(chain.stated.complete for chain in snapshot.chains.values()):
            yield snapshot.product


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
    defined = {name: its for name, its in terms.items() if isinstance(its, DefinedProduct)}
    for row in rows:
        its = defined.get(row.product)
        for column in ("bid", "ask") if its else ():
            if its and not its.on_grid(row.leg[column]):
                rule = f"is no multiple of the tick {its.tick:g}"
                hint = "check the unit of the prices, or the definition"
                problems.note(row.place, f"{rule}: {hint}", column=column, shown=f"{row.leg[column]:g}")
        yield row


def _few(rows: Iterable[Row]) -> Iterator[Row]:
    for number, row in enumerate(rows):
        if number == MOST_ROWS:
            raise BadRecording(
                row.place.path,
                row.place.line,
                "-",
                f"has more than {MOST_ROWS:,} rows, and a replay keeps all in memory: split the file by time",
            )
        yield row
