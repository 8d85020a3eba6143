"""Write and query log lines in MongoDB's capped collection `logs`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bson import ObjectId
from pymongo import WriteConcern
from pymongo.database import Database
from pymongo.errors import ExecutionTimeout, PyMongoError

from logging_service.errors import QueryTimeout, StoreUnavailable
from logging_service.query import Query

COLLECTION = "logs"
CHECK_EVERY_S = 5.0


class NotCapped(Exception):
    """The collection `logs` is missing or not capped, so it could grow without limit."""


class Store:
    """Writes lines with acknowledgement by the primary (w=1), so a 202 response means that they are stored.

    NB: it verifies that the collection is capped before it writes: MongoDB creates a missing collection
    automatically, without a limit.
    """

    def __init__(
        self,
        database: Database[dict[str, Any]],
        *,
        query_timeout_ms: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._timeout_ms, self._clock = database, query_timeout_ms, clock
        self._logs = database.get_collection(COLLECTION, write_concern=WriteConcern(w=1))
        self._capped_until = 0.0

    def ready(self) -> None:
        """Raise NotCapped unless `logs` exists and is capped."""
        found = next(iter(self._database.list_collections(filter={"name": COLLECTION})), None)
        if not (found and found["options"].get("capped")):
            self._capped_until = 0.0
            raise NotCapped("the collection logs is missing or not capped: run storage's migrate")
        self._capped_until = self._clock() + CHECK_EVERY_S

    def add(self, documents: list[dict[str, Any]]) -> None:
        """Store all documents in their order. Raises StoreUnavailable."""
        with _answered():
            if self._clock() >= self._capped_until:
                self.ready()
            self._logs.insert_many([{"_id": ObjectId(), **one} for one in documents])

    def find(self, query: Query) -> list[dict[str, Any]]:
        """Return the newest matching documents, latest arrival first.

        Raises StoreUnavailable or QueryTimeout.
        """
        with _answered():
            found = self._logs.find(query.filter, limit=query.limit, max_time_ms=self._timeout_ms)
            # A capped collection keeps the order of arrival, so this needs no index and no sort in memory.
            return list(found.sort("$natural", -1))


@contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except ExecutionTimeout:
        raise QueryTimeout("the query took too long: use a narrower filter") from None
    except NotCapped:
        raise StoreUnavailable("the collection logs is not set up: run storage's migrate") from None
    except PyMongoError:  # NB: do not include the error's text: it may contain a document
        raise StoreUnavailable("MongoDB does not answer; try again") from None
