"""What an import found: the report of the importer as facts and a table of problems."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from deltastream_cli.domain.reports import Cell, Column, Fact, Report

OPTIONS = {
    "PRODUCTS": "--product",
    "REPLAY_AS_OF": "--as-of",
    "REPLAY_EXPIRY": "--expiry",
    "REPLAY_SPOT": "--spot",
    "REPLAY_GROUP_MILLIS": "--group-millis",
    "DEFINITIONS": "spec.definitions",
}
"""The option for each setting that the importer names in brackets or first in an error."""
_SETTING = re.compile(r"(?<=\()[A-Z_]+(?=\))|^[A-Z_]+(?=:)")
_COLUMNS = (
    Column("problem", "problem"),
    Column("text", "first of its kind"),
    Column("count", "count", "count"),
    Column("place", "first place"),
)


@dataclass(frozen=True)
class Wanted:
    """The arguments of an import. What is None was not given."""

    files: Sequence[str]
    out: str
    format: str = "auto"
    as_of: str | None = None
    spot: float | None = None
    expiry: str | None = None
    products: Sequence[str] = ()
    group_millis: int | None = None

    def arguments(self) -> list[str]:
        """Return the importer's arguments. Files come last, behind `--`, whatever their names are."""
        return [f"--out={self.out}", f"--format={self.format}", *self._options(), "--", *self.files]

    def _options(self) -> list[str]:
        stated = {
            "--as-of": self.as_of,
            "--spot": self.spot,
            "--expiry": self.expiry,
            "--group-millis": self.group_millis,
        }
        options = [f"{name}={value}" for name, value in stated.items() if value is not None]
        return [*options, *(f"--product={name}" for name in self.products)]

    def completed(self, program: str, examples: Mapping[str, str]) -> str:
        """Return the command line of this import, with `examples` for what the files do not state."""
        whole = replace(
            self,
            as_of=examples.get("as_of", self.as_of),
            expiry=examples.get("expiry", self.expiry),
            products=(examples["product"],) if "product" in examples else self.products,
        )
        form = [] if self.format == "auto" else [f"--format={self.format}"]
        return shlex.join(
            [program, "import", *form, *whole._options(), f"--out={self.out}", "--", *self.files]
        )


def worded(text: str) -> str:
    """Return a text of the importer with options in the place of settings."""
    return _SETTING.sub(lambda found: OPTIONS.get(found[0], found[0]), text)


def report(found: Mapping[str, Any], out: str) -> Report:
    """Return the report of a finished import. Its code is 1 if the files were refused."""
    refused = found["refused"]
    nothing = Cell(None, "nothing is written: the files have errors")
    products = ", ".join(found["products"])
    facts = [
        Fact("file", "file", nothing if refused else Cell(out)),
        Fact("format", "format", Cell(found["format"])),
        Fact("rows", "rows", Cell(found["rows"]), "count"),
        Fact("snapshots", "snapshots", Cell(found["snapshots"]), "count"),
        Fact("chains", "chains", Cell(found["chains"]), "count"),
        Fact("contracts", "contracts", Cell(found["contracts"]), "count"),
        Fact("products", "products", Cell(products)),
        Fact("from", "from", _time(found["first_ts"])),
        Fact("to", "to", _time(found["last_ts"])),
        Fact("price_unit", "prices in", _all(found["price_units"])),
        Fact("oi_unit", "counts in", _all(found["oi_units"])),
    ]
    replay = f"a feed replays it with products: [{products}] and source: {{replay: {{path: {out}}}}}"
    problems = found["problems"]
    if not problems:
        return Report("", facts, notes=["no problems", replay])
    rows = [
        [
            Cell("error" if problem["refused"] else "note"),
            Cell(_text(problem)),
            Cell(problem["count"]),
            Cell(f"{problem['file']}:{problem['line']}"),
        ]
        for problem in sorted(problems, key=lambda problem: not problem["refused"])
    ]
    notes = [] if refused else [replay]
    return Report("", facts, "problems", _COLUMNS, rows, notes=notes, code=1 if refused else 0)


def _text(problem: Mapping[str, Any]) -> str:
    column = "" if problem["column"] == "-" else f"{problem['column']}: "
    return f"{column}{worded(problem['text'])}"


def _all(units: Sequence[str]) -> Cell:
    return Cell(", ".join(units)) if units else Cell(None, "not stated")


def _time(ns: int | None) -> Cell:
    if ns is None:
        return Cell(None, "no snapshot")
    return Cell(datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="milliseconds"))
