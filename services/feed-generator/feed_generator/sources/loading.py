"""Load files as a recording: their rows in order of time, as snapshots."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from feed_generator.domain.rulebook import ProductRules, all_rules
from feed_generator.domain.rulebook import products as rulebook_products
from feed_generator.errors import BadRecording
from feed_generator.sources.formats.detect import Format
from feed_generator.sources.formats.problems import Problems
from feed_generator.sources.formats.reading import GROUP_NS, Session
from feed_generator.sources.formats.row import Row, Told
from feed_generator.sources.recording import Assembler, Carry, Snapshot

MOST_ROWS = 500_000
"""A replay keeps its whole recording in memory, about 2 KB a row."""
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


def load(
    path: str, wanted: Format | Literal["auto"], told: Told, rules: Mapping[str, ProductRules]
) -> Loaded:
    """Return the recording of a file, or of a folder's files. Raises BadRecording or UnknownProduct."""
    session, problems = Session(files_of(path), wanted, told), Problems()
    assembler = assembler_of(session, told, rules, problems)
    snapshots = list(assembler.snapshots(_few(in_order(session.rows(problems)))))
    problems.raise_refusal()
    if not snapshots:
        raise BadRecording(path, 1, "-", "the file has no rows")
    all_rules(sorted({name for name in _need_rules(snapshots) if name not in rules}))
    return Loaded(snapshots, session.format, [problem.sentence for problem in problems])


def assembler_of(
    session: Session, told: Told, rules: Mapping[str, ProductRules], problems: Problems
) -> Assembler:
    """Return the assembler of a session's rows."""
    group_ns = GROUP_NS.get(session.format, 0) if told.group_ns is None else told.group_ns
    return Assembler(problems, group_ns=group_ns, carry=carry_of(rules))


def known_rules(products: Iterable[str]) -> dict[str, ProductRules]:
    """Return the rules of the products that the rulebook has."""
    known = set(rulebook_products())
    return all_rules([name for name in products if name in known])


def lots_of(rules: Mapping[str, ProductRules]) -> Callable[[str, date, date], int]:
    """Return the function that gives the lot size of a product's contracts by expiry and trading day."""

    def lots(product: str, expiry: date, on: date) -> int:
        del expiry
        return _rules(product, rules).contract(on).lot_size

    return lots


def carry_of(rules: Mapping[str, ProductRules]) -> Carry:
    """Return the function that gives the years until an expiry and the interest rate of a product."""

    def carry(product: str, expiry: date, ts: int) -> tuple[float, float]:
        its = _rules(product, rules)
        return max(0, its.expiry_ns(expiry) - ts) / _YEAR_NS, its.rate

    return carry


def _rules(product: str, rules: Mapping[str, ProductRules]) -> ProductRules:
    return rules[product] if product in rules else all_rules([product])[product]


def _need_rules(snapshots: Iterable[Snapshot]) -> Iterator[str]:
    for snapshot in snapshots:
        if not all(chain.terms.complete for chain in snapshot.chains.values()):
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
