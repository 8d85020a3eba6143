"""The format of recordings: every message comes back as it was, and memory does not grow with the file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from tests.support.contracts import sent, validator

from deltastream_cli.adapters import recording_file
from deltastream_cli.domain import recording
from deltastream_cli.domain.recording import KINDS, BadMessage
from deltastream_cli.errors import CommandError, UsageError

OPTIONAL: dict[str, dict[str, Any]] = {
    "underlying": {},
    "option_quote": {
        "settlement_session": "open",
        "settlement_currency": "BTC",
        "price_unit": "USD",
        "multiplier": 0.5,
        "quote_age_ms": 40,
        "bid_size": 0.3,
        "vendor": {"iv": 0.65, "delta": -0.25, "forward": 64_000.5},
    },
    "option_chain": {"settlement_session": "close", "price_unit": "USD", "vendor_forward": 23_470.5},
}


def with_truth(kind: str) -> dict[str, Any]:
    truths: dict[str, dict[str, Any]] = {
        "underlying": {"volatility": 0.2, "drift": 0.05},
        "option_quote": {"forward": 23_465.5, "discount": 0.999, "iv": 0.106, "price": 118.25},
        "option_chain": {"forward": 23_465.5, "discount": 0.999, "iv": [0.106, 0.105]},
    }
    return sent(kind) | {"truth": truths[kind]}


def test_every_message_comes_back_as_it_was(tmp_path: Path) -> None:
    """Also with optional members, fractional sizes and the truth of a synthetic market; in the same order."""
    messages = [sent(kind) for kind in KINDS] + [sent(kind) | OPTIONAL[kind] for kind in KINDS]
    messages += [with_truth(kind) for kind in KINDS]
    chain = deepcopy(sent("option_chain"))
    for side in ("calls", "puts"):
        chain[side] |= {"vendor_iv": [0.65, None], "vendor_delta": [None, -0.5], "quote_age_ms": [12, 40.5]}
    messages.append(chain)
    file = tmp_path / "day.parquet"
    contents = recording_file.write(file, map(recording.row, messages), {"source": "stream"})
    reader = recording_file.Reader(file)
    assert [recording.message(row) for row in reader.rows()] == messages
    whole = [recording.message(row) for row in reader.rows()][1]["volume"]
    assert isinstance(whole, int)
    assert reader.metadata == {"version": 1, "zone": "UTC", "source": "stream", **contents.as_json()}
    assert contents.messages == {"underlying": 3, "option_quote": 3, "option_chain": 4}
    assert [path.name for path in tmp_path.iterdir()] == ["day.parquet"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_member_of_the_messages_has_a_column(kind: str) -> None:
    """A new member of the contract cannot be left out of a recording unnoticed."""

    def compare(content: dict[str, Any], columns: tuple[recording.Column, ...], within: str) -> None:
        ours = {column.name: column for column in columns if kind in column.kinds}
        members = {n: one for n, one in content["properties"].items() if n not in ("sent_ts", "replay")}
        assert len(ours) == len(members), within
        for name, member in members.items():
            column = ours["ivs" if (kind, within, name) == ("option_chain", "truth", "iv") else name]
            assert column.repeated == (member.get("type") == "array"), name
            assert column.optional == (name not in content.get("required", ())), name
            if column.parts:
                compare(member, column.parts, name)

    compare(dict(validator(f"market-{kind}").schema), recording.COLUMNS, "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "trade"}, "kind: must be one of"),
        ({"colour": "red"}, "colour: is not in version 1"),
        ({"ts": 1.5}, "ts: must be whole nanoseconds"),
        ({"ts": None}, "ts: is missing"),
        ({"strikes": 7}, "strikes: must be an array"),
        ({"strikes": [1.0]}, "one entry for each strike"),
        ({"spot_price": "7"}, "spot_price: must be a number"),
        ({"spot_price": float("inf")}, "spot_price: must be -1e18 to 1e18"),
        ({"spot_price": float("nan")}, "spot_price: must be -1e18 to 1e18"),
        ({"spot_price": 10**400}, "spot_price: must be -1e18 to 1e18"),
        ({"product": "\ud800"}, "product: must be text in ASCII"),
        ({"expiry": "June"}, "expiry: must be a date"),
        ({"calls": []}, "calls: must be an object"),
        ({"lot_size": True}, "lot_size: must be a number"),
        ({"expiry": "20240627"}, "expiry: must be a date"),
        ({"\x1b[31m": 1}, r"'\\x1b\[31m': is not in version 1"),
    ],
)
def test_a_message_that_does_not_fit_is_refused_by_name(change: dict[str, Any], said: str) -> None:
    """The text names the member and the rule."""
    with pytest.raises(BadMessage, match=said):
        recording.row(sent("option_chain") | change)


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    """Each with its reason: absent, another format, Parquet of something else, another version, cut off."""
    import pyarrow
    from pyarrow import parquet

    def refused(path: Path) -> str:
        with pytest.raises(UsageError) as error:
            recording_file.Reader(path)
        return str(error.value)

    other, text, newer, cut = (tmp_path / name for name in ("other", "text", "newer", "cut"))
    table = pyarrow.table({"price": [1.0]})
    parquet.write_table(table, other)
    text.write_text("expiry,strike\n")
    about = {recording_file.KEY: json.dumps({"version": 2}).encode()}
    parquet.write_table(table.replace_schema_metadata(about), newer)
    recording_file.write(cut, [recording.row(sent("underlying"))], {})
    cut.write_bytes(cut.read_bytes()[:-9])
    assert "there is no such file" in refused(tmp_path / "absent")
    assert "is not a whole Parquet file" in refused(text)
    assert "is not a whole Parquet file" in refused(cut)
    assert "not a recording" in refused(other)
    assert "has version 2 of the format, this release reads 1" in refused(newer)
    for about in (b"{", b"[]", b"{}"):
        parquet.write_table(table.replace_schema_metadata({recording_file.KEY: about}), other)
        assert "deltastream.recording: must be a JSON object with a version" in refused(other)
    part = tmp_path / "absent.part"
    part.touch()
    assert "the unfinished" in refused(tmp_path / "absent")


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """Nothing is left behind."""
    with pytest.raises(CommandError, match="cannot be written"):
        recording_file.write(tmp_path / "none" / "day.parquet", [recording.row(sent("underlying"))], {})


_MEASURED = """
import json, resource, sys
from pathlib import Path
from deltastream_cli.adapters import recording_file
from deltastream_cli.domain import recording
row = recording.row(json.loads(sys.argv[1]))
file = Path(sys.argv[2])
recording_file.write(file, (row for _ in range(int(sys.argv[3]))), {})
assert sum(1 for _ in recording_file.Reader(file).rows()) == int(sys.argv[3])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_recording(tmp_path: Path, command: Callable[..., str]) -> None:
    """Five times the messages need at most a tenth more memory to write and to read."""
    quote = json.dumps(sent("option_quote"))
    few, many = (int(command(_MEASURED, quote, str(tmp_path / n), n)) for n in ("20000", "100000"))
    assert many <= 1.1 * few, (few, many)


@pytest.fixture
def command() -> Callable[..., str]:
    """Run a program of Python in a process of its own and return what it prints."""

    def run(program: str, *arguments: str) -> str:
        own = {**os.environ, "PYTHONPATH": str(Path(recording.__file__).parents[2])}
        command = [sys.executable, "-c", program, *arguments]
        return subprocess.run(command, env=own, stdout=subprocess.PIPE, text=True, check=True).stdout

    return run


def test_the_documentation_lists_every_column_with_type_and_unit() -> None:
    """docs/recording-format.md is what a reader in another language is written from."""
    types = {"text": "string", "whole": "int32", "time": "timestamp[ns, UTC]", "date": "date32"}
    kinds = {"underlying": "tick", "option_quote": "quote", "option_chain": "chain"}
    document = (Path(recording.__file__).parents[3] / "docs/recording-format.md").read_text()
    for path, column in recording.described():
        type_ = "struct" if column.parts else types.get(column.type, "double")
        within = ", ".join(kinds[kind] for kind in KINDS if kind in column.kinds)
        if "." in path and not path.startswith("truth."):
            within = ""
        of_strikes = "list of " if column.repeated else ""
        optional = "optional" if column.optional else "null: unknown" if column.unknowable else ""
        line = f"| `{path}` | {of_strikes}{type_} | {column.unit} | {within} | {optional} |"
        assert line in document.splitlines(), line
    assert document.count("\n| `") == len(list(recording.described())) + 8  # and the members of the metadata
