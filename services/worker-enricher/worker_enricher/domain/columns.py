"""From arrays to the plain Python lists that JSON and BSON take."""

from __future__ import annotations

import numpy as np

from worker_enricher.domain.arrays import Column, Floats


def nullable_rows(values: Floats) -> list[Column]:
    """The rows of values (r, n) as lists of floats, with None for NaN.

    One bulk conversion and a patch of the NaN: an object array in between costs several times as much.
    """
    rows: list[Column] = values.tolist()
    row_of, column_of = np.nonzero(np.isnan(values))
    for row, column in zip(row_of.tolist(), column_of.tolist(), strict=True):
        rows[row][column] = None
    return rows
