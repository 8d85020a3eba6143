"""Writes and reads recordings: Parquet files of bounded row groups. pyarrow is optional (`make parquet`).

Memory does not grow with the recording: one row group of messages is in memory at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from deltastream_cli.domain.recording import (
    COLUMNS,
    VERSION,
    BadMessage,
    Column,
    Contents,
    Row,
    checked,
    described,
    message,
)
from deltastream_cli.errors import CommandError, UsageError

KEY = b"deltastream.recording"
_GROUP_VALUES = 400_000
_GROUP_ROWS = 20_000
_BATCH_ROWS = 256


def check() -> None:
    """Raise UsageError if pyarrow is not installed."""
    if find_spec("pyarrow") is None:
        raise UsageError("a recording needs pyarrow (165 MB): run `make parquet` and repeat the command")


def schema() -> Any:
    """Return the pyarrow.Schema of a recording. The unit of a column is in the field's metadata."""
    import pyarrow

    return pyarrow.schema([_field(column) for column in COLUMNS])


def write(path: Path, rows: Iterable[Row], metadata: Mapping[str, Any]) -> Contents:
    """Write the rows to `path`, which appears only when it is complete. Return what the file holds.

    `metadata` is written beside version, zone and contents, as JSON under the key `deltastream.recording`.
    Raises CommandError if the file cannot be written.
    """
    from pyarrow import parquet

    contents = Contents.none()
    new = path.with_name(path.name + ".new")
    try:
        with parquet.ParquetWriter(new, schema(), compression="zstd") as writer:
            for group in _groups(rows):
                for row in group:
                    contents.count(row)
                writer.write_table(_table(group))
            about = {"version": VERSION, "zone": "UTC", **contents.as_json(), **metadata}
            writer.add_key_value_metadata({KEY: json.dumps(about).encode()})
        new.replace(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        new.unlink(missing_ok=True)
    return contents


class Reader:
    """A recording: `metadata`, and its rows in their order.

    Columns that this release does not know are left out, and optional ones that the file lacks are null.
    Raises UsageError if the file is not a recording of this version, and CommandError if it is damaged.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow
        from pyarrow import parquet

        self._path = path
        try:
            self._file = parquet.ParquetFile(path)
        except FileNotFoundError:
            raise UsageError(f"{path}: there is no such file{_unfinished(path)}") from None
        except (OSError, pyarrow.ArrowException) as error:
            raise UsageError(f"{path}: is not a whole Parquet file: {error}") from None
        self.metadata = self._metadata((self._file.metadata.metadata or {}).get(KEY))
        self._columns = self._known_columns()

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    def contents(self) -> Contents:
        """Count what the file holds: somebody may have removed rows, so the metadata may be outdated."""
        contents = Contents.none()
        for number, row in enumerate(self._rows(["kind", "feed", "product", "ts"]), start=1):
            try:
                contents.count(row)
            except (KeyError, TypeError):
                raise self._bad(number, "kind, feed, product, ts: must have a value of the format") from None
        return contents

    def rows(self) -> Iterator[Row]:
        """Yield the rows. Times are in ns since the epoch."""
        return self._rows(self._columns)

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield the messages. Raises CommandError for a row that is none: name, row and rule."""
        for number, row in enumerate(self.rows(), start=1):
            try:
                yield checked(message(row))
            except BadMessage as error:
                raise self._bad(number, str(error)) from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _bad(self, number: int, rule: str) -> CommandError:
        return CommandError(f"{self._path}, row {number}: {rule}")

    def _metadata(self, text: bytes | None) -> dict[str, Any]:
        if text is None:
            raise UsageError(
                f"{self._path}: is Parquet, but not a recording: `deltastream record` or "
                "`deltastream export --as-recording` writes one"
            )
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict) or "version" not in found:
            raise UsageError(f"{self._path}: {KEY.decode()}: must be a JSON object with a version")
        if found["version"] != VERSION:
            raise UsageError(
                f"{self._path}: has version {found['version']} of the format, this release reads {VERSION}"
            )
        return found

    def _known_columns(self) -> list[str]:
        """Return the paths of the columns to read. Raises UsageError for a missing one or another type."""
        has = dict(_leaves(self._file.schema_arrow))
        for path, type_ in _leaves(schema()):
            if path in has and not _alike(has[path], type_):
                raise UsageError(f"{self._path}: column {path}: must be {type_}, not {has[path]}")
        for path, column in described():
            if not (column.parts or column.optional or path in has):
                raise UsageError(f"{self._path}: column {path}: is missing")
        return [path for path, _ in _leaves(schema()) if path in has]

    def _rows(self, columns: list[str]) -> Iterator[Row]:
        import pyarrow

        try:
            for batch in self._file.iter_batches(batch_size=_BATCH_ROWS, columns=columns):
                as_read = pyarrow.schema([_as_read(field) for field in batch.schema])
                yield from pyarrow.Table.from_batches([batch]).cast(as_read).to_pylist()
        except (OSError, ValueError) as error:
            raise CommandError(f"{self._path}: is damaged: {error}") from None


def _unfinished(path: Path) -> str:
    part = path.with_name(path.name + ".part")
    return f", but the unfinished {part}: the command that wrote it ends it" if part.exists() else ""


def _leaves(fields: Iterable[Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and type of every column that has values, such as `calls.bid`."""
    import pyarrow

    for field in fields:
        if pyarrow.types.is_struct(field.type):
            yield from _leaves(field.type, f"{path}{field.name}.")
        else:
            yield f"{path}{field.name}", field.type


def _alike(given: Any, ours: Any) -> bool:
    """Return whether the types are equal. Libraries write text as several types, which count as one."""
    import pyarrow

    kinds = pyarrow.types
    if kinds.is_list(ours):
        lists = kinds.is_list(given) or kinds.is_large_list(given)
        return bool(lists and given.value_type == ours.value_type)
    return bool(given == ours or (kinds.is_string(ours) and kinds.is_large_string(given)))


def _field(column: Column) -> Any:
    import pyarrow

    types: dict[str, Any] = {
        "text": pyarrow.string(),
        "whole": pyarrow.int32(),
        "number": pyarrow.float64(),
        "count": pyarrow.float64(),
        "time": pyarrow.timestamp("ns", tz="UTC"),
        "date": pyarrow.date32(),
    }
    if column.parts:
        type_ = pyarrow.struct([_field(part) for part in column.parts])
    else:
        type_ = types[column.type]
        type_ = pyarrow.list_(type_) if column.repeated else type_
    return pyarrow.field(column.name, type_, metadata={"unit": column.unit} if column.unit else None)


def _as_read(field: Any) -> Any:
    """Return the field with times as integers: Python's datetime has only microseconds."""
    import pyarrow

    return field.with_type(pyarrow.int64()) if pyarrow.types.is_timestamp(field.type) else field


def _table(rows: list[Row]) -> Any:
    import pyarrow

    return pyarrow.Table.from_pylist(rows, schema=schema())


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield the rows in groups whose number of values is limited: a chain has as many as a hundred ticks."""
    group: list[Row] = []
    values = 0
    for row in rows:
        group.append(row)
        values += len(COLUMNS) + 20 * len(row["strikes"] or ())
        if values >= _GROUP_VALUES or len(group) >= _GROUP_ROWS:
            yield group
            group, values = [], 0
    if group:
        yield group
