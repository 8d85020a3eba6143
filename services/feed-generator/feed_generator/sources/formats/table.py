"""Split the lines of a CSV file into rows of cells, with the line of each."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from feed_generator.sources.formats.cells import Cells
from feed_generator.sources.formats.problems import BadCell, NotReadable, Problems
from feed_generator.sources.formats.row import Place, Row

Records = Iterator[tuple[int, list[str]]]


def records(lines: Iterable[str]) -> Records:
    """Yield line number and cells of every row that is not empty. Raises NotReadable."""
    reader = csv.reader(lines)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (UnicodeDecodeError, csv.Error) as error:
            decoded = isinstance(error, csv.Error)  # else the reader has not counted the line
            line = reader.line_num + (0 if decoded else 1)
            raise NotReadable(f"is not a CSV in UTF-8: {error}", line=line) from None
        if cells:
            yield reader.line_num, cells


def header(rows: Records, needed: Iterable[str]) -> list[str]:
    """Take the header from `rows` and return its names. Raises NotReadable if one is missing or repeated."""
    _, names = next(rows, (1, []))
    for name in names:
        if name and names.count(name) > 1:
            raise NotReadable(f"occurs {names.count(name)} times in the header", column=name)
    for name in needed:
        if name not in names:
            raise NotReadable("is missing from the header", column=name)
    return names


def cells_of(names: Sequence[str], values: Sequence[str]) -> Cells:
    """Return a row's cells by the header's names. Raises BadCell if there are more cells than names."""
    surplus = values[len(names) :]
    if any(surplus):  # an unquoted 1,234 would shift all columns after it
        raise BadCell("-", "has more cells than the header", surplus[0])
    return Cells(dict(zip(names, values, strict=False)))


def parsed(
    path: str,
    rows: Records,
    parse: Callable[[Place, Sequence[str]], Iterable[Row]],
    problems: Problems,
) -> Iterator[Row]:
    """Yield what `parse` makes of each row. A row that it refuses is counted in `problems`."""
    for line, values in rows:
        place = Place(path, line)
        with refused_cells(place, problems):
            yield from parse(place, values)


@contextmanager
def refused_cells(place: Place, problems: Problems) -> Iterator[None]:
    """Run a block that reads cells; if it finds a bad one, the block ends and `problems` counts it."""
    try:
        yield
    except BadCell as bad:
        problems.refuse(place, bad.column, bad.rule, shown=bad.shown)
