"""Tables with the call of a strike on the left and its put on the right, as NSE and Cboe write them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from feed_generator.sources.formats.cells import Cells
from feed_generator.sources.formats.problems import NotReadable, Problems
from feed_generator.sources.formats.row import Place, Row
from feed_generator.sources.formats.table import cells_of, refused_cells


@dataclass(frozen=True, slots=True)
class Header:
    """The names of the columns, each twice but for the strike's, which is number `middle`."""

    names: Sequence[str]
    middle: int

    @classmethod
    def of(cls, names: Sequence[str], strike: str, needed: Iterable[str], line: int) -> Header:
        """Return the header. Raises NotReadable if a side lacks a column."""
        for column in needed:
            if names.count(column) != 2:
                raise NotReadable("must be in the header for calls and for puts", line=line, column=column)
        return cls(names, names.index(strike))

    def rows(
        self,
        place: Place,
        values: Sequence[str],
        make: Callable[[float, bool, Cells], Row],
        problems: Problems,
    ) -> Iterator[Row]:
        """Yield what `make` makes of strike, side (True: the call) and cells. Raises BadCell for a strike.

        A bad call does not hide its put.
        """
        at, end = self.middle, len(self.names)
        name = self.names[at]
        strike = Cells({name: values[at] if len(values) > at else None}).positive(name)
        for is_call, side in ((True, slice(0, at)), (False, slice(at + 1, end))):
            cells = cells_of(self.names[side], values[side], place, problems)
            with refused_cells(place, problems):
                yield make(strike, is_call, cells)
