"""Converts finished rows to Parquet, batch by batch. pyarrow is optional: `make parquet` installs it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from deltastream_cli.errors import UsageError

_BLOCK_BYTES = 1 << 20


def check() -> None:
    """Raise UsageError if pyarrow is not installed."""
    if find_spec("pyarrow") is None:
        raise UsageError("--format parquet needs pyarrow (165 MB): run `make parquet`, or use --format csv")


def convert(rows: Path, columns: tuple[tuple[str, str], ...], target: Path) -> None:
    """Write the CSV file `rows`, whose first line names `columns`, as the Parquet file `target`."""
    import pyarrow
    from pyarrow import csv, parquet

    kinds = {
        "text": pyarrow.string(),
        "int": pyarrow.int64(),
        "number": pyarrow.float64(),
        "time": pyarrow.timestamp("ms", tz="UTC"),
    }
    types = {name: kinds[kind] for name, kind in columns}
    convert_options = csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)
    read_options = csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False)
    new = target.with_name(target.name + ".new")
    with (
        csv.open_csv(rows, read_options=read_options, convert_options=convert_options) as reader,
        parquet.ParquetWriter(new, pyarrow.schema(types.items())) as writer,
    ):
        for batch in reader:
            writer.write_batch(batch)
    new.replace(target)
