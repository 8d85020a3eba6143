"""Pages of stored documents: filter, order, and the position where the next page begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pymongo

from storage.params import PagesQuery, Position

Document = dict[str, Any]


def wanted(equal: Mapping[str, Any], query: PagesQuery) -> Document:
    """Return the filter of a page: documents with the values `equal`, in the time range, behind the cursor.

    NB: each branch of the $or repeats all conditions, so MongoDB reads both from the index, in order, and
    merges them. With conditions outside of the $or it would read the range from its start for every page.
    """
    if query.cursor is None:
        return {**equal, **between(query.start, query.end)}
    at = query.cursor
    same_time = {"$eq": at.ts, **between(query.start, query.end).get("ts", {})}
    later = {"$gt": at.ts, **between(query.start, query.end).get("ts", {})}
    return {"$or": [{**equal, "ts": same_time, "_id": {"$gt": at.id}}, {**equal, "ts": later}]}


def between(start: int | None, end: int | None) -> Document:
    """Return the filter of a range of event times; None is open."""
    bounds = {"$gte": start, "$lte": end}
    given = {name: ns for name, ns in bounds.items() if ns is not None}
    return {"ts": given} if given else {}


def order(query: PagesQuery) -> list[tuple[str, int]]:
    """Return the sort order of a page. Documents with the same event time are ordered by `_id`."""
    way = pymongo.DESCENDING if query.order == "newest" else pymongo.ASCENDING
    return [("ts", way), ("_id", way)]


class Page:
    """The documents of one page, without `_id`."""

    def __init__(self, found: Iterable[Document], query: PagesQuery) -> None:
        self._found, self._query = found, query
        self._read = 0
        self._behind: Position | None = None

    def __iter__(self) -> Iterator[Document]:
        for document in self._found:
            behind = Position(document["ts"], bytes(document.pop("_id")))
            yield document
            # The reader has asked for another document, so the response has this one.
            self._read, self._behind = self._read + 1, behind

    def following(self, *, truncated: bool = False) -> dict[str, str | None]:
        """Return the response's `next`: the next page's cursor, or None behind the last document.

        The result is empty for `order=newest`, which has no cursors.
        """
        if self._query.order == "newest":
            return {}
        more = truncated or self._read == self._query.limit
        return {"next": str(self._behind) if more and self._behind else None}
