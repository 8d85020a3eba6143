"""Convert arrays to plain Python lists, for JSON and BSON."""

from __future__ import annotations

import numpy as np

from worker_enricher.domain.arrays import Column, Floats


def nullable_rows(values: Floats) -> list[Column]:
    """Return the rows of values (r, n) as lists of floats, with None for NaN.

    It converts the whole array, then replaces the NaN. An intermediate object array is several times slower.
    """
    rows: list[Column] = values.tolist()
    row_of, column_of = np.nonzero(np.isnan(values))
    for row, column in zip(row_of.tolist(), column_of.tolist(), strict=True):
        rows[row][column] = None
    return rows


def count_rows(values: Floats) -> list[Column]:
    """Return the rows of values (r, n) as lists, with whole numbers as `int`, and with None for NaN."""
    if (values == np.rint(values)).all():
        rows: list[Column] = values.astype(np.int64).tolist()
        return rows
    rows = nullable_rows(values)
    return [[int(one) if one is not None and one.is_integer() else one for one in row] for row in rows]
