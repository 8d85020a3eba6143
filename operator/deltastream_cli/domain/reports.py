"""What a command reports: facts and a table. The text and the JSON of a command are made from one report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from deltastream_cli.domain import figures

Kind = Literal["text", "count", "price", "strike", "percent", "ratio", "number", "seconds"]
Value = str | int | float | bool | list[str] | None


@dataclass(frozen=True)
class Cell:
    """A value, or None with the reason why it is missing. `reason` may also qualify a value."""

    value: Value
    reason: str | None = None


@dataclass(frozen=True)
class Column:
    """A column of the table. In a narrow terminal the columns with the highest `drop` are left out first."""

    key: str
    title: str
    kind: Kind = "text"
    drop: int = 0


@dataclass(frozen=True)
class Fact:
    """A named value above the table."""

    key: str
    title: str
    cell: Cell
    kind: Kind = "text"


@dataclass(frozen=True)
class Report:
    """Facts, a table and notes. `rows_key` names the rows in JSON; `marked` is the row to emphasise."""

    title: str
    facts: Sequence[Fact] = ()
    rows_key: str = "rows"
    columns: Sequence[Column] = ()
    rows: Sequence[Sequence[Cell]] = ()
    notes: Sequence[str] = ()
    marked: int | None = None
    decimals: int = 2
    strike_decimals: int = 0
    code: int = 0

    def text(self, cell: Cell, kind: Kind) -> str:
        """Return a value as text; a missing one is `-`."""
        decimals = self.strike_decimals if kind == "strike" else self.decimals
        return figures.text(cell.value, kind, decimals)

    def as_json(self) -> dict[str, Any]:
        """Return the report for programs. A reason is beside its value, under `{key}_reason`."""
        result: dict[str, Any] = {}
        for fact in self.facts:
            result |= _member(fact.key, fact.cell)
        if self.columns:
            result[self.rows_key] = [
                {
                    name: value
                    for column, cell in zip(self.columns, row, strict=True)
                    for name, value in _member(column.key, cell).items()
                }
                for row in self.rows
            ]
        return result | ({"notes": list(self.notes)} if self.notes else {})


def _member(key: str, cell: Cell) -> dict[str, Value]:
    return {key: cell.value, **({f"{key}_reason": cell.reason} if cell.reason else {})}
