"""Split the lines of a CSV file into rows of cells, with the line of each."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from feed_generator.sources.formats.cells import Cells
from feed_generator.sources.formats.problems import BadCell, NotReadable, Problems
from feed_generator.sources.formats.row import Place, Row

Records = Iterator[tuple[int, list[str]]]
_OPEN_QUOTE = "a quote is not closed in its line: close or remove it"
_ZERO = "a price of 0 is read as no price: correct the cell if there is one"


def records(lines: Iterable[str]) -> Records:
    """Yield first line and cells of every row that is not empty. Raises NotReadable."""
    reader = csv.reader(lines)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except UnicodeDecodeError as error:
            raise NotReadable(f"is not in UTF-8: save it as `CSV UTF-8` ({error})", line=line) from None
        except csv.Error as error:
            raise NotReadable(_no_csv(str(error)), line=line) from None
        if cells:
            yield line, cells


def _no_csv(error: str) -> str:
    if "new-line character" in error:
        return "has lines that end with CR only: save it as `CSV UTF-8`, not as `CSV (Macintosh)`"
    if "field larger" in error:
        return f"has a cell of more than {csv.field_size_limit():,} characters, so {_OPEN_QUOTE}"
    return f"is no CSV: {error}"


def header(rows: Records, needed: Iterable[str]) -> list[str]:
    """Take the header from `rows` and return its names. Raises NotReadable if one is missing or repeated."""
    _, names = next(rows, (1, []))
    counted = Counter(names)
    for name, times in counted.items():
        if name and times > 1:
            raise NotReadable(f"occurs {times} times in the header: remove or rename one", column=name)
    for name in needed:
        if name not in counted:
            raise NotReadable("is missing from the header", column=name)
    return names


def cells_of(names: Sequence[str], values: Sequence[str], place: Place, problems: Problems) -> Cells:
    """Return cells by the header's names, for a row or a part of it. Prices of 0 are noted."""
    return Cells(
        dict(zip(names, values, strict=False)), lambda column: problems.note(place, _ZERO, column=column)
    )


def parsed(
    path: str,
    rows: Records,
    names: Sequence[str],
    parse: Callable[[Place, Sequence[str]], Iterable[Row]],
    problems: Problems,
) -> Iterator[Row]:
    """Yield what `parse` makes of each row. A row that it refuses is counted in `problems`."""
    needed = max((at for at, name in enumerate(names, start=1) if name), default=0)
    for line, values in rows:
        place = Place(path, line)
        with refused_cells(place, problems):
            if any("\n" in value for value in values):
                raise BadCell("-", _OPEN_QUOTE)
            if any(values[len(names) :]):  # an unquoted 1,234 would shift all columns after it
                rule = "has more cells than the header: a number with `,` needs quotes"
                raise BadCell("-", rule, str(len(values)))
            if len(values) < needed:
                rule = f"has fewer cells than the {needed} of the header: the line is cut off"
                raise BadCell("-", rule, str(len(values)))
            yield from parse(place, values)


@contextmanager
def refused_cells(place: Place, problems: Problems) -> Iterator[None]:
    """Run a block that reads cells; if it finds a bad one, the block ends and `problems` counts it."""
    try:
        yield
    except BadCell as bad:
        problems.refuse(place, bad.column, bad.rule, shown=bad.shown)
