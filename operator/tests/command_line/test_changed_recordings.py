"""Recordings that somebody has changed with a library for tables: what is read, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.contracts import sent

from deltastream_cli.adapters import recording_file
from deltastream_cli.domain import recording
from deltastream_cli.errors import CommandError, UsageError

Columns = Callable[[Any], Any]


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[Columns], recording_file.Reader]:
    """A recording of a chain and a quote whose table somebody has changed and written again."""
    from pyarrow import parquet

    written, again = tmp_path / "written.parquet", tmp_path / "again.parquet"
    rows = [recording.row(sent(kind)) for kind in ("option_chain", "option_quote")]
    recording_file.write(written, rows, {})

    def change(columns: Columns) -> recording_file.Reader:
        about = parquet.read_metadata(written).metadata
        parquet.write_table(columns(parquet.read_table(written)).replace_schema_metadata(about), again)
        return recording_file.Reader(again)

    return change


def _with(table: Any, name: str, values: Any) -> Any:
    return table.set_column(table.schema.get_field_index(name), name, values)


def _calls(table: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """Return the table with other columns in its structure `calls`."""
    import pyarrow

    calls = table["calls"].combine_chunks()
    found = change({field.name: calls.field(field.name) for field in calls.type})
    names, values = list(found), list(found.values())
    return _with(table, "calls", pyarrow.StructArray.from_arrays(values, names, mask=calls.is_null()))


@pytest.mark.parametrize(
    "columns",
    [
        lambda table: table.append_column("colour", table["kind"]),
        lambda table: _calls(table, lambda calls: {**calls, "vega": calls["bid"]}),
        lambda table: table.drop_columns(["vendor", "vendor_forward"]),
        lambda table: _calls(table, lambda calls: {n: v for n, v in calls.items() if n != "vendor_iv"}),
        lambda table: table.select(table.column_names[::-1]),
        lambda table: _calls(table, lambda calls: dict(reversed(calls.items()))),
        lambda table: _with(table, "product", table["product"].cast("large_string")),
    ],
    ids=["more", "more in calls", "fewer", "fewer in calls", "reordered", "calls reordered", "large text"],
)
def test_a_recording_with_more_or_fewer_columns_is_read(
    changed: Callable[[Columns], recording_file.Reader], columns: Columns
) -> None:
    """A release may add columns without a new version, so releases read each other's files."""
    read = list(changed(columns).messages())
    assert read == [sent("option_chain"), sent("option_quote")]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (lambda table: table.drop_columns(["strike"]), "column strike: is missing"),
        (lambda table: _with(table, "strike", table["strike"].cast("float")), "strike: must be double"),
        (lambda table: _with(table, "ts", table["ts"].cast("int64")), "column ts: must be timestamp"),
        (
            lambda table: _calls(table, lambda calls: {n: v for n, v in calls.items() if n != "bid"}),
            "column calls.bid: is missing",
        ),
        (
            lambda table: _calls(table, lambda calls: calls | {"bid": table["feed"].combine_chunks()}),
            "column calls.bid: must be list",
        ),
    ],
)  # fmt: skip
def test_a_missing_column_and_another_type_are_refused_by_name(
    changed: Callable[[Columns], recording_file.Reader], columns: Columns, said: str
) -> None:
    """A price in single precision would be rounded, and a time in microseconds cut."""
    with pytest.raises(UsageError, match=said):
        changed(columns)


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("kind", ["option_chain", "trade"], "row 2: kind"),
        ("kind", ["option_chain", None], "row 2: kind"),
        ("strike", [None, None], "row 2: strike: is missing"),
        ("volume", [None, float("nan")], "row 2: volume: must be"),
        ("open_interest", [None, float("inf")], "row 2: open_interest: must be"),
    ],
)
def test_a_row_that_is_no_message_is_named(
    changed: Callable[[Columns], recording_file.Reader], name: str, values: list[Any], said: str
) -> None:
    """Row and rule are named, before a file is made that no feed could replay."""
    import pyarrow

    def columns(table: Any) -> Any:
        return _with(table, name, pyarrow.array(values, table.schema.field(name).type))

    reader = changed(columns)
    with pytest.raises(CommandError, match=said):
        (reader.contents(), list(reader.messages()))
