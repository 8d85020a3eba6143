"""The file of messages that `convert` makes: what a generator reads."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.contracts import example
from typer.testing import Result

from deltastream_cli.adapters import recording_file
from deltastream_cli.domain.recording import KINDS, row

Run = Callable[..., Result]


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    recording_file.write(Path("day.parquet"), [row(example(f"market-{kind}")) for kind in KINDS], {})
    return tmp_path / "day.parquet"


def test_the_file_has_a_line_for_each_message(run: Run, recording: Path, tmp_path: Path) -> None:
    """Without what the feed that replays it writes itself. The first line says what the file holds."""
    ended = run("convert", "day.parquet", "day.messages.gz", "-o", "json")
    assert ended.exit_code == 0, ended.output
    assert json.loads(ended.stdout)["messages"] == 3
    header, *lines = map(
        json.loads, gzip.decompress((tmp_path / "day.messages.gz").read_bytes()).splitlines()
    )
    ts = example("market-underlying")["ts"]
    assert header == {
        "format": "deltastream-messages", "version": 1, "feeds": ["nifty-replay"], "products": ["NIFTY"],
        "first_ts": ts, "last_ts": ts, "messages": dict.fromkeys(KINDS, 1),
    }  # fmt: skip
    mine = ("mid", "feed", "sent_ts", "replay")
    expected: list[dict[str, Any]] = [example(f"market-{kind}") for kind in KINDS]
    assert lines == [{k: v for k, v in one.items() if k not in mine} for one in expected]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["day.messages.gz", "day.parquet"]


def test_a_file_is_never_replaced_and_another_one_is_no_recording(run: Run, recording: Path) -> None:
    """Each is one line with the fix."""
    for arguments, said in (
        (("day.parquet", "day.parquet"), "exists already"),
        (("none.parquet", "new.gz"), "there is no such file"),
    ):
        ended = run("convert", *arguments)
        assert ended.exit_code == 2
        assert said in ended.stderr
        assert len(ended.stderr.splitlines()) == 1


def test_what_somebody_took_out_of_a_recording_is_not_promised(
    run: Run, recording: Path, tmp_path: Path
) -> None:
    """The first line counts what the file has, so a feed is not refused for products that are gone."""
    from pyarrow import parquet

    about = parquet.read_metadata(recording).metadata
    rows = [row(example("market-underlying") | {"product": name, "ts": 10**18}) for name in ("SPY", "QQQ")]
    recording_file.write(tmp_path / "two.parquet", rows, {})
    part = parquet.read_table(tmp_path / "two.parquet").slice(1).replace_schema_metadata(about)
    parquet.write_table(part, recording)
    ended = run("convert", "day.parquet", "day.messages.gz")
    assert "somebody has changed the recording" in ended.stdout
    header = json.loads(gzip.decompress((tmp_path / "day.messages.gz").read_bytes()).splitlines()[0])
    assert (header["products"], header["first_ts"], sum(header["messages"].values())) == (["QQQ"], 10**18, 1)
    parquet.write_table(part.slice(0, 0), recording)
    ended = run("convert", "day.parquet", "empty.messages.gz")
    assert ended.exit_code == 2
    assert "day.parquet: has no messages" in ended.stderr
