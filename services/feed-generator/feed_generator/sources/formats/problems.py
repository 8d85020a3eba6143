"""Collect what is wrong or remarkable in files: every kind once, with its count and its first place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from feed_generator.errors import BadRecording
from feed_generator.sources.formats.row import Place


class BadCell(Exception):
    """A cell breaks a rule. A reader reports it with the line and reads the next line."""

    def __init__(self, column: str, rule: str, shown: str | None = None) -> None:
        super().__init__(f"column {column}: {rule}")
        self.column, self.rule, self.shown = column, rule, shown


class NotReadable(Exception):
    """The whole file cannot be read, whatever its rows are. `rule` says why and what to do."""

    def __init__(self, rule: str, *, line: int = 1, column: str = "-") -> None:
        super().__init__(rule)
        self.rule, self.line, self.column = rule, line, column


class NotStated(Exception):
    """The file does not say something, and nobody else did. `names`: a subset of WHAT_TO_STATE's keys."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        super().__init__(", ".join(self.names))


WHAT_TO_STATE = {
    "as_of": ("the time of its prices", "REPLAY_AS_OF"),
    "expiry": ("the expiry of its contracts", "REPLAY_EXPIRY"),
    "product": ("its product", "PRODUCTS"),
}
"""By name: what a file may leave open, and the setting that states it."""


@dataclass(slots=True)
class Problem:
    """One kind of problem in one column, and the text of the first. `refused`: the files may not be used."""

    refused: bool
    column: str
    kind: str
    text: str
    place: Place
    count: int = 1

    @property
    def sentence(self) -> str:
        """Place, text and count in one line."""
        column = "" if self.column == "-" else f", column {self.column}"
        times = "" if self.count == 1 else f" ({self.count:,} times)"
        return f"{self.place.path}, line {self.place.line}{column}: {self.text}{times}"


class Problems:
    """The problems of all files of one reading, in the order of their first places."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Problem] = {}

    def refuse(
        self, place: Place, column: str, kind: str, *, shown: str | None = None, text: str = ""
    ) -> None:
        """Count a problem that makes the files unusable: the bad value, or a fuller sentence."""
        self._count(True, place, column, kind, text or _with_value(kind, shown))

    def note(self, place: Place, kind: str, *, column: str = "-", shown: str | None = None) -> None:
        """Count something that the user has to know, though the files can be used."""
        self._count(False, place, column, kind, _with_value(kind, shown))

    def _count(self, refused: bool, place: Place, column: str, kind: str, text: str) -> None:
        known = self._found.get((column, kind))
        if known is None:
            self._found[column, kind] = Problem(refused, column, kind, text, place)
        else:
            known.count += 1

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._found.values())

    @property
    def refused(self) -> bool:
        """Whether a problem makes the files unusable."""
        return any(problem.refused for problem in self)

    def raise_refusal(self) -> None:
        """Raise BadRecording with the first refusal and the number of the others, if there is one."""
        bad = [problem for problem in self if problem.refused]
        if not bad:
            return
        first, others = bad[0], sum(problem.count for problem in bad) - 1
        more = f" (and {others} more; `deltastream import` lists every kind)" if others else ""
        raise BadRecording(first.place.path, first.place.line, first.column, first.text + more)


def _with_value(kind: str, shown: str | None) -> str:
    return kind if shown is None else f"{kind}: {shown!r:.60}"
