"""Convert files to one recording: `python -m feed_generator.importing`, which `deltastream import` runs.

It needs the standard library only, so it also runs outside the services' environment. It prints one JSON
object a line: `{"read": bytes, "of": bytes}` now and then, and `{"report": …}` or `{"error": text}` at the
end. If the files leave something open, the error has `examples`: a value by the name of each thing to state.
The recording appears under its name only if nothing of the files was refused.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

from feed_generator.errors import BadRecording, FeedError, Unstated
from feed_generator.sources import loading
from feed_generator.sources.formats import writing
from feed_generator.sources.formats.deltastream import UNIT
from feed_generator.sources.formats.detect import FORMATS
from feed_generator.sources.formats.problems import Problems
from feed_generator.sources.formats.reading import Session
from feed_generator.sources.formats.row import Place, Told
from feed_generator.sources.recording import Snapshot

REFUSED = 1
"""Exit code if the files are refused. 2: the arguments or a whole file are wrong."""


def main(argv: Sequence[str]) -> int:
    """Convert the files that the arguments name. Returns the exit code."""
    given = _arguments().parse_args(argv)
    told = Told(
        as_of=given.as_of,
        spot=given.spot,
        expiry=given.expiry,
        products=tuple(given.product),
        group_ns=None if given.group_millis is None else given.group_millis * 1_000_000,
        lots=loading.lots_of({}),
    )
    new = Path(f"{given.out}.new")
    try:
        # Whoever has read the answer may end this process at once, so the file is gone before the answer.
        with _removed_at_end(new):
            files = [path for name in given.files for path in loading.files_of(name)]
            report = _convert(files, given, told, new)
    except Unstated as error:
        _say({"error": str(error), "examples": error.examples})
        return 2
    except FeedError as error:
        _say({"error": str(error)})
        return 2
    _say({"report": report})
    return REFUSED if report["refused"] else 0


@contextmanager
def _removed_at_end(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _convert(paths: Sequence[str], given: argparse.Namespace, told: Told, new: Path) -> dict[str, Any]:
    if any(Path(path).resolve() == Path(given.out).resolve() for path in paths):
        raise BadRecording(
            given.out, 0, "-", "is one of the files to import: give the recording another name"
        )
    session, problems, counted = Session(paths, given.format, told), Problems(), _Counted()
    assembler = loading.assembler_of(session, told, {}, problems)
    total, read = sum(os.path.getsize(path) for path in paths), 0

    def progress(more: int) -> None:
        nonlocal read
        read += more
        _say({"read": read, "of": total})

    rows = loading.in_order(session.rows(problems, progress))
    try:
        with new.open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(writing.HEADER)
            for snapshot in assembler.snapshots(rows):
                counted.add(snapshot)
                if not problems.refused:
                    out.writerows(writing.rows(snapshot))
    except OSError as error:
        raise BadRecording(str(new), 0, "-", f"cannot be written: {error.strerror}") from None
    if not counted.snapshots and not problems.refused:
        raise BadRecording(session.paths[0], 1, "-", "the file has no rows")
    for product in sorted(counted.incomplete):
        if loading.currency_of(product) is None:
            kind = "the rulebook has no such product: the feed that replays the recording must define it"
            problems.note(Place(session.paths[0], 1), f"{kind} (DEFINITIONS)", shown=product)
    if not problems.refused:
        new.replace(given.out)
    return {
        "format": session.format,
        "files": len(paths),
        "refused": problems.refused,
        "rows": assembler.rows,
        "contracts": len(assembler.contracts),
        **counted.as_json(),
        "problems": [
            {
                "refused": problem.refused,
                "column": problem.column,
                "text": problem.text,
                "count": problem.count,
                "file": problem.place.path,
                "line": problem.place.line,
            }
            for problem in problems
        ],
    }


class _Counted:
    """What the snapshots hold. `incomplete`: products whose terms the files do not state."""

    def __init__(self) -> None:
        self.snapshots = self.chains = 0
        self.products, self.oi_units, self.price_units = set[str](), set[str](), set[str]()
        self.incomplete = set[str]()
        self.first_ts: int | None = None
        self.last_ts: int | None = None

    def add(self, snapshot: Snapshot) -> None:
        self.snapshots += 1
        self.chains += len(snapshot.chains)
        self.products.add(snapshot.product)
        if loading.needs_terms(snapshot):
            self.incomplete.add(snapshot.product)
        self.first_ts = snapshot.ts if self.first_ts is None else self.first_ts
        self.last_ts = snapshot.ts  # snapshots ascend
        for chain in snapshot.chains.values():
            self.oi_units.add(chain.stated.oi_unit or UNIT)
            if unit := chain.stated.price_unit or loading.currency_of(snapshot.product):
                self.price_units.add(unit)

    def as_json(self) -> dict[str, Any]:
        return {
            "snapshots": self.snapshots,
            "chains": self.chains,
            "products": sorted(self.products),
            "oi_units": sorted(self.oi_units),
            "price_units": sorted(self.price_units),
            "first_ts": self.first_ts,
            "last_ts": self.last_ts,
        }


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="feed_generator.importing")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--out", required=True)
    parser.add_argument("--format", default="auto", choices=["auto", *FORMATS])
    parser.add_argument("--as-of", type=datetime.fromisoformat)
    parser.add_argument("--spot", type=float)
    parser.add_argument("--expiry", type=date.fromisoformat)
    parser.add_argument("--product", action="append", default=[])
    parser.add_argument("--group-millis", type=int)
    return parser


def _say(event: dict[str, Any]) -> None:
    print(json.dumps(event), flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the unfinished file is removed
    sys.exit(main(sys.argv[1:]))
