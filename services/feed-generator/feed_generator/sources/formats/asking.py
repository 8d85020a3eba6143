"""Make the error that names everything a file does not state, with an example for each."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from feed_generator.errors import FeedError, Unstated
from feed_generator.sources.formats.problems import WHAT_TO_STATE, NotReadable
from feed_generator.sources.formats.row import Row, Told

_PRODUCT = "NIFTY"
_HOUR = time(10, tzinfo=UTC)


def unstated(
    path: str, names: Collection[str], told: Told, read: Callable[[Told], Iterator[Row]]
) -> Unstated:
    """Return the error that asks for `names`, keys of WHAT_TO_STATE. `read` reads the file with more told.

    The example of a time is the file's last change: for a download that is about the time of its prices. If
    the first contract of the file has expired by then, the example is on the day of its expiry.
    """
    asked = [f"{what} ({setting})" for what, setting in map(WHAT_TO_STATE.__getitem__, names)]
    changed = datetime.fromtimestamp(int(os.path.getmtime(path)), UTC)
    as_of = told.as_of or changed
    product, expiry = told.products[0] if told.products else _PRODUCT, told.expiry or _next_week(as_of)
    first = _first(read, replace(told, as_of=as_of, products=(product,), expiry=expiry))
    if told.as_of is None and first is not None and first.expiry < as_of.date():
        as_of = datetime.combine(first.expiry, _HOUR)
    examples = {"product": product, "expiry": expiry.isoformat(), "as_of": as_of.isoformat()}
    return Unstated(
        path,
        f"does not state {' and '.join(asked)}; set it beside the file",
        {name: examples[name] for name in names},
    )


def _next_week(as_of: datetime) -> date:
    return as_of.date() + timedelta(days=7)


def _first(read: Callable[[Told], Iterator[Row]], told: Told) -> Row | None:
    try:
        return next(read(told), None)
    except (FeedError, NotReadable):
        return None
