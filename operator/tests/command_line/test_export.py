"""An export against prepared answers: limits, failures in the middle, and what is left on the disk."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from deltastream_cli.domain.progress import share

Run = Callable[..., Result]
TICK = {"timestamp": "2024-06-21T10:00:00.000Z", "ts": 1, "feed": "f", "product": "SPY"}


@pytest.fixture
def pages(prepared: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Answers that replace those of a page, once each: an export of four ticks in four pages."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("deltastream_cli.main.time.sleep", lambda _: None)
    instead: list[Any] = []

    def page(query: dict[str, str]) -> Any:
        number = int(query.get("cursor", "0"))
        if number == 2 and instead:
            return instead.pop()
        following = str(number + 1) if number < 3 else None
        return 200, {"ticks": [TICK | {"mid": f"1:{number}", "price": number / 2}], "next": following}

    prepared.routes["/api/data/products"] = 200, {"products": ["SPY"]}
    prepared.routes["/api/data/underlying/SPY"] = page
    return instead


def written(file: Path) -> list[str]:
    with file.open(newline="") as opened:
        return [row["mid"] for row in csv.DictReader(opened)]


ALL = ["1:0", "1:1", "1:2", "1:3"]
EXPORT = ("export", "SPY", "--kind", "ticks", "--to", "2024-06-22", "-o", "json")


def test_an_export_waits_at_the_rate_limit(run: Run, pages: list[Any], tmp_path: Path) -> None:
    """It waits as long as Retry-After says, and then repeats the page."""
    pages += [(429, {"detail": "too many"}, {"Retry-After": "9"})]
    ended = run(*EXPORT)
    assert (ended.exit_code, json.loads(ended.stdout)["rows"]) == (0, 4)
    assert "waits 9 s" in ended.stderr
    assert written(tmp_path / "SPY-ticks.csv") == ALL


@pytest.mark.parametrize(
    ("answer", "code"), [((503, {"detail": "MongoDB is unavailable"}), 4), ((401, {"detail": "no token"}), 3)]
)
def test_an_export_that_failed_continues_where_it_was(
    run: Run, pages: list[Any], prepared: Any, tmp_path: Path, answer: Any, code: int
) -> None:
    """The pages that are written are not read again."""
    pages += [answer]
    assert run(*EXPORT).exit_code == code
    assert not (tmp_path / "SPY-ticks.csv").exists()
    del prepared.seen[:]
    assert run(*EXPORT).exit_code == 0
    assert [query.get("cursor") for path, query, _ in prepared.seen if "underlying" in path] == ["2", "3"]
    assert written(tmp_path / "SPY-ticks.csv") == ALL


def test_without_to_a_continued_export_keeps_its_first_end(
    run: Run, pages: list[Any], prepared: Any, tmp_path: Path
) -> None:
    """Otherwise the rows behind the first end would depend on the interruption."""
    pages += [(503, {"detail": "MongoDB is unavailable"})]
    assert run("export", "SPY", "--kind", "ticks").exit_code == 4
    assert run("export", "SPY", "--kind", "ticks").exit_code == 0
    ends = {query["end"] for path, query, _ in prepared.seen if "underlying" in path}
    assert len(ends) == 1


def test_a_position_without_its_rows_is_not_used(run: Run, pages: list[Any], tmp_path: Path) -> None:
    """If somebody removes the unfinished rows, the export starts anew."""
    pages += [(503, {"detail": "MongoDB is unavailable"})]
    assert run(*EXPORT).exit_code == 4
    (tmp_path / "SPY-ticks.csv.part").unlink()
    assert run(*EXPORT).exit_code == 0
    assert written(tmp_path / "SPY-ticks.csv") == ALL


def test_a_product_without_data_leaves_no_file(run: Run, pages: list[Any], tmp_path: Path) -> None:
    """A misspelt product does not leave an unfinished export."""
    assert run("export", "SPI", "--kind", "ticks").exit_code == 5
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_named(run: Run, pages: list[Any]) -> None:
    """The reason is the operating system's."""
    ended = run(*EXPORT, "-f", "missing/file.csv")
    assert (ended.exit_code, ended.stderr.count("\n")) == (1, 1)
    assert "missing/file.csv cannot be written: No such file or directory" in ended.stderr


@pytest.mark.parametrize(
    ("start", "last", "expected"),
    [
        (None, "2024-06-21T12:00:00Z", None),
        ("2024-06-21", None, 0.0),
        ("2024-06-21", "2024-06-21T12:00:00.000Z", 0.5),
        ("2024-06-21", "2024-06-23T00:00:00Z", 1.0),
        ("2024-06-22", None, 1.0),
    ],
)
def test_the_progress_is_the_share_of_the_time_range(
    start: str | None, last: str | None, expected: float
) -> None:
    """Without a start the share is unknown."""
    assert share(start, "2024-06-22", last) == expected
