"""The file that `convert` writes and a generator reads: nothing is lost, and a time is found quickly."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deltastream_cli.adapters import message_file
from deltastream_cli.domain.recording import Contents
from deltastream_cli.errors import CommandError
from feed_generator.errors import BadRecording
from feed_generator.sources import message_file as replayed
from feed_generator.sources.span import EVERYTHING, Span

COUNT = 40
_TEXT = "x" * 200_000  # five messages make a member


def message(seq: int, **changed: Any) -> dict[str, Any]:
    of_feed = {"feed": "spy", "mid": f"7:{seq}"}
    return of_feed | {"kind": "underlying", "product": "SPY", "ts": seq, "text": _TEXT} | changed


def written(path: Path, messages: list[dict[str, Any]]) -> Path:
    contents = Contents.none()
    for one in messages:
        contents.count(one)
    message_file.write(path, messages, contents)
    return path


@pytest.fixture
def day(tmp_path: Path) -> Path:
    return written(tmp_path / "day.messages.gz", [message(seq) for seq in range(1, COUNT + 1)])


def times(path: Path, span: Span = EVERYTHING, from_ns: int = 0) -> list[int]:
    return [one.ts for one in replayed.read(str(path), span, from_ns)]


def members(path: Path) -> list[int]:
    """Return where each member begins."""
    content = path.read_bytes()
    return [at for at in range(len(content)) if content.startswith(b"\x1f\x8b\x08\x04", at)]


def test_the_file_is_gzip_that_every_program_reads(day: Path) -> None:
    """Its members are one text, and the generator reads the same lines."""
    header, *lines = gzip.decompress(day.read_bytes()).splitlines()
    assert json.loads(header)["messages"]["underlying"] == len(lines) == COUNT
    assert [one.line for one in replayed.read(str(day))] == lines
    assert len(members(day)) == 9  # the header, six times six messages, the rest, the end


@pytest.mark.parametrize(
    ("wanted", "first"),
    [
        (lambda day: times(day, from_ns=COUNT), COUNT),
        (lambda day: times(day, Span(COUNT, COUNT)), COUNT),
        (lambda day: times(day, Span(COUNT, 10**18)), COUNT),
    ],
)
def test_what_is_before_the_wanted_time_is_not_read(
    day: Path, wanted: Callable[[Path], list[int]], first: int
) -> None:
    """A part before it may even be damaged: nobody looks at it."""
    content = bytearray(day.read_bytes())
    at = members(day)[1] + 60
    content[at : at + 20] = bytes(20)
    day.write_bytes(content)
    assert first in wanted(day)
    with pytest.raises(BadRecording, match="damaged or cut off"):
        times(day)


def test_what_is_behind_the_last_time_is_not_read(day: Path) -> None:
    content = bytearray(day.read_bytes())
    at = members(day)[-2] + 60
    content[at : at + 20] = bytes(20)
    day.write_bytes(content)
    assert set(range(1, 8)) <= set(times(day, Span(0, 7)))


def test_a_time_that_goes_back_behind_the_sought_one_is_read(tmp_path: Path) -> None:
    """A recording of a replay has several passes. All that comes behind the sought time belongs to it."""
    passes = [message(seq, ts=(seq - 1) % 20 + 1) for seq in range(1, 61)]
    day = written(tmp_path / "day", passes)
    found = times(day, from_ns=20)
    assert found[found.index(20) :] == [20, *range(1, 21), *range(1, 21)]


def test_a_file_that_is_cut_anywhere_is_noticed(day: Path) -> None:
    """Also between two members, where gzip itself sees a whole file."""
    content, starts = day.read_bytes(), members(day)
    for size in (starts[-1], starts[2], starts[2] + 10, starts[2] + 100):
        day.write_bytes(content[:size])
        with pytest.raises(BadRecording, match="damaged or cut off"):
            times(day)
        with pytest.raises(BadRecording, match="damaged or cut off"):
            times(day, from_ns=COUNT + 1)


def test_a_bad_line_is_named_by_its_number_in_the_whole_file(tmp_path: Path) -> None:
    """Also if the parts before it were passed over."""
    bad = message(COUNT + 1, kind="trade")
    contents = Contents.none()
    message_file.write(tmp_path / "day", [*(message(seq) for seq in range(1, COUNT + 1)), bad], contents)
    for from_ns in (0, COUNT + 1):
        with pytest.raises(BadRecording, match=f"line {COUNT + 2}: is no message"):
            times(tmp_path / "day", from_ns=from_ns)


def test_a_message_that_no_feed_could_replay_is_named(tmp_path: Path) -> None:
    """A line of the file is at most 1 MiB."""
    with pytest.raises(CommandError, match="message 7:2: is larger than 1 MiB"):
        written(tmp_path / "day", [message(1), message(2, text="x" * (1 << 20))])
    assert not list(tmp_path.iterdir())
