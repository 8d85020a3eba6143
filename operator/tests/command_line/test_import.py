"""`deltastream import`: a recording that replays as the files do, or a report of all that is wrong."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from feed_generator.domain.rulebook import known_rules
from feed_generator.sources import loading
from feed_generator.sources.formats.row import Told
from feed_generator.sources.replay import Replay

ROOT = Path(__file__).parents[3]
FILES = ROOT / "services/feed-generator/tests/files"
NSE = "option-chain-ED-NIFTY-27-Jun-2024.csv"
NSE_TIME, YAHOO_TIME = "2024-06-21T15:30:00+05:30", "2025-02-13T16:00:00-05:00"
OWN = """expiry,strike,spot,side,ltp,bid,ask,bid_qty,ask_qty,vol,oi,prev_oi,close
2024-06-27,23500,23501.5,C,100,99,101,25,25,25,25,25,100
"""
Run = Callable[..., Result]


def bodies(path: Path, products: tuple[str, ...], as_of: str | None) -> list[bytes]:
    """What a feed sends that replays the file."""
    rules = known_rules(products)
    told = Told(
        as_of=datetime.fromisoformat(as_of) if as_of else None, products=products, lots=loading.lots_of(rules)
    )
    snapshots = loading.load(str(path), "auto", told, rules).snapshots
    replay = Replay(
        feed="f", terms=rules, snapshots=snapshots, speed_percent=100, interval_ns=1, forever=False
    )
    found: list[bytes] = []
    while replay.due_ns() is not None:
        found += [message.body for message in replay.advance().messages]
    return found


@pytest.mark.parametrize(
    ("file", "products", "as_of"),
    [
        (NSE, ("NIFTY",), NSE_TIME),
        ("cboe_quotes_export.csv", ("SPX", "SPXW"), None),
        ("yahoo_like.csv", ("NVDA",), YAHOO_TIME),
        ("deribit_rows.csv", ("BTC",), None),
    ],
)
def test_the_recording_replays_as_the_file_does(
    run: Run, tmp_path: Path, file: str, products: tuple[str, ...], as_of: str | None
) -> None:
    """Each message is the same, with units, ages and the vendor's own values."""
    out = tmp_path / "rec.csv"
    options = ["--as-of", as_of] if as_of else []
    done = run("import", str(FILES / file), "--out", str(out), *options)
    assert done.exit_code == 0, done.output
    assert bodies(out, products, None) == bodies(FILES / file, products, as_of)


def test_the_report_counts_what_was_read(run: Run, tmp_path: Path) -> None:
    """JSON has the same facts for programs. A note says how a feed replays the recording."""
    out = tmp_path / "rec.csv"
    done = run("import", str(FILES / "deribit_rows.csv"), "--out", str(out), "-o", "json")
    report = json.loads(done.stdout)
    feed = f"products: [BTC] and source: {{replay: {{path: {out}}}}}"
    assert report["notes"] == ["no problems", f"a feed replays it with {feed}"]
    counts = {name: report[name] for name in ("rows", "snapshots", "chains", "contracts")}
    assert counts == {"rows": 18, "snapshots": 1, "chains": 1, "contracts": 18}
    units = {name: report[name] for name in ("format", "price_unit", "oi_unit", "from")}
    at = "2020-05-14T05:41:36.605+00:00"
    assert units == {"format": "deribit", "price_unit": "USD", "oi_unit": "contracts", "from": at}


def test_every_kind_of_problem_is_reported_at_once_and_nothing_is_written(run: Run, tmp_path: Path) -> None:
    """Each has its count and its first place. A recording that was there before stays as it was."""
    text = (FILES / "yahoo_like.csv").read_text()
    text = text.replace("9.58", "-1").replace("7.56", "-1").replace("0.8,", "none?,").replace("Put", "put?")
    bad, out = tmp_path / "bad.csv", tmp_path / "rec.csv"
    bad.write_text(text)
    out.write_text("before")
    done = run("import", str(bad), "--out", str(out), "--as-of", YAHOO_TIME, "-o", "json")
    report = json.loads(done.stdout)
    found = [
        (row["problem"], row["text"].split(":")[0], row["count"], row["place"]) for row in report["problems"]
    ]
    assert found == [
        ("error", "bid", 2, f"{bad}:3"),
        ("error", "bid", 1, f"{bad}:10"),
        ("error", "optionType", 10, f"{bad}:12"),
        ("note", "a chain without puts has no ratios", 1, f"{bad}:11"),
    ]
    assert (done.exit_code, report["file"]) == (1, None)
    assert out.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["bad.csv", "rec.csv"]


@pytest.mark.parametrize("file", [NSE, "yahoo_like.csv", "own.csv"])
def test_the_command_of_the_error_can_be_pasted(run: Run, tmp_path: Path, file: str) -> None:
    """It has all that the file does not state at once: product, expiry and time; and the files' own names."""
    path = tmp_path / "it's mine.csv"  # a name that needs quotes
    out = tmp_path / "rec.csv"
    content = (FILES / file).read_text() if file != "own.csv" else OWN
    path.write_text(content)
    done = run("import", str(path), "--out", str(out))
    assert done.exit_code == 1
    text, _, command = done.output.replace("\n", "").partition(", for example: ")
    options = {"--product", "--expiry", "--as-of"}
    asked = {"own.csv": options - {"--expiry"}, "yahoo_like.csv": {"--as-of"}}.get(file, options)
    assert {option for option in options if f"({option})" in text} == asked
    program, *arguments = shlex.split(command)
    assert (program, out.exists()) == ("deltastream", False)
    again = run(*arguments)
    assert (again.exit_code, out.exists()) == (0, True), again.output


def test_a_product_that_the_rulebook_lacks_is_said(run: Run, tmp_path: Path) -> None:
    """A feed can replay its recording only with a definition; NSE's counts need the lot at once."""
    path, out = tmp_path / "yahoo.csv", str(tmp_path / "rec.csv")
    path.write_text((FILES / "yahoo_like.csv").read_text().replace("NVDA", "IBM"))
    report = json.loads(run("import", str(path), "--out", out, "--as-of", YAHOO_TIME, "-o", "json").stdout)
    rule = "the rulebook has no such product: the feed that replays the recording must define it"
    assert [row["text"] for row in report["problems"]] == [f"{rule} (spec.definitions): 'IBM'"]
    path = tmp_path / NSE.replace("NIFTY", "IDEA")
    path.write_text((FILES / NSE).read_text())
    done = run("import", str(path), "--out", out, "--as-of", NSE_TIME)
    assert "--product: the rulebook has no 'IDEA'" in done.output
    assert "or define it in the feed that replays the files (spec.definitions)" in done.output.replace(
        "\n", " "
    )


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ([], 1, "does not state the time of its prices (--as-of)"),
        (["--as-of", "2025-02-13T16:00:00"], 2, "--as-of 2025-02-13T16:00:00: must be a time with its zone"),
        (["--expiry", "tomorrow"], 2, "--expiry tomorrow: must be a date such as 2024-06-27"),
        (["--out", "rec.xlsx"], 2, "--out rec.xlsx: must end with .csv"),
        (["--as-of", YAHOO_TIME, "--out", str(FILES / "yahoo_like.csv")], 1, "is one of the files to import"),
    ],
)
def test_a_wrong_argument_is_one_line_with_the_option(
    run: Run, tmp_path: Path, options: list[str], code: int, words: str
) -> None:
    """The importer's settings have the names of options."""
    out = [] if "--out" in options else ["--out", str(tmp_path / "rec.csv")]
    done = run("import", str(FILES / "yahoo_like.csv"), *out, *options)
    assert done.exit_code == code
    assert words in done.output


def test_a_huge_file_is_read_in_bounded_memory(tmp_path: Path) -> None:
    """Ten times the rows need less than twice the memory."""

    def peak_kib(snapshots: int) -> int:
        path = tmp_path / f"{snapshots}.csv"
        head, *rows = (FILES / "deribit_rows.csv").read_text().splitlines()
        with path.open("w") as file:
            file.write(head + "\n")
            for number in range(snapshots):
                for row in rows:
                    cells = row.split(",")
                    cells[7] = str(int(cells[7]) + 120_000 * number)  # its time, in ms
                    file.write(",".join(cells) + "\n")
        program = (
            "import resource, sys; from feed_generator import importing; "
            "from feed_generator.sources import loading; "
            "loading._WINDOW = 1000; code = importing.main(sys.argv[1:]); "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr); sys.exit(code)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, f"--out={tmp_path / 'rec.csv'}", str(path)],
            env={**os.environ, "PYTHONPATH": str(ROOT / "services/feed-generator")},
            capture_output=True,
            text=True,
            check=True,
        )
        report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])["report"]
        assert (report["snapshots"], report["rows"]) == (snapshots, 18 * snapshots)
        return int(done.stderr)

    small = peak_kib(200)
    assert peak_kib(2000) < 2 * small


YAHOO = (FILES / "yahoo_like.csv").read_bytes()


@pytest.mark.parametrize(
    ("content", "size", "rule"),
    [
        (
            YAHOO.decode().encode("utf-16"),
            0,
            "is in UTF-16, not UTF-8: save it as `CSV UTF-8`, or run `iconv",
        ),
        (YAHOO.replace(b",", b";"), 0, "has ';' between its cells: save it with ',' between them"),
        (b"<html>Access denied", 0, "is a web page, no CSV: the site refused the download; open it in a"),
        (b"", 0, "is empty: download or save it again"),
        (YAHOO + b"x" * 20_000, 2 << 30, "is longer than 1,048,576 bytes, so the file is no CSV"),
        (YAHOO, 2 << 30, "has bytes of 0 instead of text, so the download is not complete"),
    ],
    ids=["UTF-16", "semicolon", "HTML", "empty", "2 GB in one line", "2 GB of nothing"],
)
def test_a_file_that_is_no_csv_is_one_line_and_leaves_nothing(
    run: Run, tmp_path: Path, content: bytes, size: int, rule: str
) -> None:
    """Also no unfinished recording: the command ends the importer as soon as it has the error."""
    file = tmp_path / "file.csv"
    file.write_bytes(content)
    if size:
        os.truncate(file, size)  # a sparse file
    done = run("import", str(file), "--out", str(tmp_path / "rec.csv"), "--as-of", YAHOO_TIME)
    assert done.exit_code == 1
    assert f"{file}, line " in done.output.replace("\n", "")
    assert rule in done.output
    assert len(done.output.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == [file]
