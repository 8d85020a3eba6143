"""Tell the format of a file from its first lines."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Literal, get_args

from feed_generator.sources.formats import deltastream
from feed_generator.sources.formats.problems import NotReadable

Format = Literal["deltastream", "nse", "cboe", "yahoo", "deribit", "dbn"]
FORMATS: tuple[Format, ...] = get_args(Format)
_HEAD_LINES = 8
_BHAVCOPY = (
    "is NSE's bhavcopy, which has no bids and asks: download the option chain's CSV from NSE's page instead"
)
_NOT_READ = (
    ({"TckrSymb", "XpryDt", "StrkPric"}, _BHAVCOPY),
    ({"INSTRUMENT", "EXPIRY_DT", "STRIKE_PR"}, _BHAVCOPY),
    (
        {"symbol", "local_timestamp", "strike_price", "underlying_price"},
        "is Tardis's options_chain, which cannot be read: each row is a change, and no row has the index; "
        "write whole snapshots with the columns of Deribit's ticker",
    ),
)
"""Columns of other well-known files, and what to do instead."""
_OWN_NAMES = 4
"""A header with so many names of the product's own format is one of it, perhaps with a column missing."""


def of_text(head: str) -> Format:
    """Return the format of a CSV file that begins with `head`. Raises NotReadable for an unknown one."""
    rows = [[cell.strip() for cell in row] for row in _rows(head) if any(row)]
    if not rows:
        return "deltastream"
    for row in rows:
        upper = [cell.upper() for cell in row]
        if "Calls" in row and "Puts" in row and "Strike" in row:
            return "cboe"
        if upper.count("CHNG IN OI") == 2:
            return "nse"
    names = set(rows[0])
    if {"instrument_name", "underlying_price"} <= names:
        return "deribit"
    if {"openInterest", "lastPrice"} <= names:
        return "yahoo"
    if len(names.intersection(deltastream.NEEDED)) >= _OWN_NAMES:
        return "deltastream"
    for known, rule in _NOT_READ:
        if known <= names:
            raise NotReadable(rule)
    raise NotReadable(
        f"has a header of no known format: {','.join(rows[0])!r:.80}; name it ({', '.join(FORMATS)}), "
        "or rename the columns to those of deltastream"
    )


def _rows(head: str) -> Sequence[Sequence[str]]:
    try:
        return list(csv.reader(head.splitlines()[:_HEAD_LINES]))
    except csv.Error:  # the reader of the format says what is wrong, and where
        return []
