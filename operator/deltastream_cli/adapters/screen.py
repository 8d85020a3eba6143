"""Prints reports: as a table that fits the terminal, as plain text, or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Literal

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from deltastream_cli.domain.reports import Column, Fact, Report

_UNBOUNDED = 10_000  # without a terminal no column is left out or cut
_FACTS_WIDTH = 100
_NUMBERS = frozenset({"count", "price", "strike", "percent", "ratio", "number", "seconds"})


class Screen:
    """Standard output and standard error of one command.

    rich reads NO_COLOR, TERM and COLUMNS. Without a terminal the output has no colours and every column.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        width = None if sys.stdout.isatty() else _UNBOUNDED
        self.out = Console(highlight=False, width=width)
        self.err = Console(stderr=True, highlight=False, soft_wrap=True)

    def show(self, report: Report) -> None:
        """Print a report to standard output."""
        if self.as_json:
            self.line_of_json(report.as_json(), indent=2)
        else:
            self.out.print(self.rendered(report))

    def line_of_json(self, content: object, indent: int | None = None) -> None:
        """Print a value as JSON."""
        print(json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False), flush=True)

    def line(self, text: str) -> None:
        """Print one line of plain text to standard output, whole even in a narrow terminal."""
        print(printable(text), flush=True)

    def note(self, text: str) -> None:
        """Print one line to standard error: progress and remarks."""
        self.err.print(Text(printable(text)))

    def rendered(self, report: Report) -> RenderableType:
        """Return a report for rich: facts, table and notes."""
        parts: list[RenderableType] = [Text(report.title, style="bold")] if report.title else []
        parts += [_facts(report, min(self.out.width, _FACTS_WIDTH))] if report.facts else []
        if report.columns:
            parts += self._table(report)
        return Group(*parts, *(Text(printable(note)) for note in report.notes))

    def _table(self, report: Report) -> list[RenderableType]:
        for at in sorted({column.drop for column in report.columns} | {0}, reverse=True):
            shown = [number for number, column in enumerate(report.columns) if column.drop <= at]
            reasons = _Reasons()
            table = _drawn(report, shown, reasons)
            if not self.out.is_terminal or at == 0 or self._fits(table):
                break
        left_out = [column.title for column in report.columns if column.drop > at]
        remark = f"not shown in this width: {', '.join(dict.fromkeys(left_out))}"
        return [table, *([Text(remark, style="dim")] if left_out else []), *reasons.legend()]

    def _fits(self, table: Table) -> bool:
        unbounded = self.out.options.update_width(_UNBOUNDED)
        return self.out.measure(table, options=unbounded).maximum <= self.out.width


def printable(text: str) -> str:
    """Return a text without control characters: a feed may hold any, and a terminal obeys them."""
    return text if text.isprintable() else "".join(one if one.isprintable() else "\ufffd" for one in text)


class _Reasons:
    """Numbers the reasons of missing values, so that a cell names its reason in two characters."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, reason: str) -> str:
        return f"[{self._numbers.setdefault(reason, len(self._numbers) + 1)}]"

    def legend(self) -> list[Text]:
        return [Text(f"[{number}] {reason}", style="dim") for reason, number in self._numbers.items()]


def _drawn(report: Report, shown: Iterable[int], reasons: _Reasons) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    numbers = list(shown)
    for number in numbers:
        column = report.columns[number]
        table.add_column(column.title, justify=_justify(column), no_wrap=True)
    for at, row in enumerate(report.rows):
        texts = []
        for number in numbers:
            cell = row[number]
            words = report.text(cell, report.columns[number].kind)
            missing = reasons.mark(cell.reason) if cell.value is None and cell.reason else ""
            texts.append(
                Text(
                    printable(f"{'' if missing else words}{missing}"),
                    style="dim" if cell.value is None else "",
                )
            )
        table.add_row(*texts, style="bold reverse" if at == report.marked else "")
    return table


def _justify(column: Column) -> Literal["right", "left"]:
    return "right" if column.kind in _NUMBERS else "left"


def _facts(report: Report, width: int) -> Text:
    lines, line = [], ""
    for fact in report.facts:
        said = _fact(report, fact)
        if line and len(line) + 3 + len(said) > width:
            lines.append(line)
            line = ""
        line += ("   " if line else "") + said
    return Text("\n".join(map(printable, [*lines, line])))


def _fact(report: Report, fact: Fact) -> str:
    if fact.cell.value is None:
        return f"{fact.title}: {fact.cell.reason or 'unknown'}"
    remark = f" ({fact.cell.reason})" if fact.cell.reason else ""
    return f"{fact.title} {report.text(fact.cell, fact.kind)}{remark}"
