"""The queries of MongoDB. Each has a time limit, a size limit and an index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pymongo
import structlog
from pymongo.cursor import Cursor
from pymongo.database import Database
from pymongo.errors import ExecutionTimeout, NetworkTimeout, PyMongoError

from storage import metrics, shapes
from storage.errors import QueryTimeout, StoreUnavailable
from storage.params import BarsQuery, ChainsQuery, PcrQuery, Shape, TicksQuery

MAX_CHAIN_ROWS = 20_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEWEST_FIRST = [("ts", pymongo.DESCENDING)]
_PCR = dict.fromkeys(("expiry", "pcr_oi", "pcr_volume", "timestamp", "ts"), 1)
Document = dict[str, Any]


class Store:
    """Reads the data that the enricher stored.

    Every method raises StoreUnavailable within seconds if MongoDB is unavailable, and QueryTimeout if a query
    reaches its time limit. Only pymongo's built-in retries apply.
    """

    def __init__(self, database: Database[Document], *, query_timeout_ms: int) -> None:
        self._database, self._limit_ms = database, query_timeout_ms

    def ping(self) -> None:
        """Return if MongoDB answers within a second. Raises PyMongoError otherwise."""
        with pymongo.timeout(1.0):
            self._database.command("ping")

    def products(self) -> list[str]:
        """Return every product with ticks or chains, ascending.

        NB: `distinct` on the first key of an index is a DISTINCT_SCAN: one seek per product, for any number
        of ticks. With a filter that the index does not cover, MongoDB would read all ticks.
        """
        with self._running("products"):
            ticks = self._database["underlying_ticks"].distinct("product", {}, maxTimeMS=self._limit_ms)
            chains = self._database["option_chains"].distinct("product", {}, maxTimeMS=self._limit_ms)
            return sorted({*ticks, *chains})

    def expiries(self, product: str) -> list[str]:
        """Return the expiries with stored chains, ascending. The query costs one index seek per expiry.

        NB: `distinct` accepts no hint before MongoDB 7.1. Without a hint MongoDB's query planner chooses the
        index product_ts and reads every entry of the product. $sort with $group runs as the same
        DISTINCT_SCAN and accepts a hint.
        """
        by_expiry: list[Document] = [
            {"$match": {"product": product}},
            {"$sort": {"product": 1, "expiry": 1}},
            {"$group": {"_id": "$expiry"}},
        ]
        with self._running("expiries"):
            found = self._database["option_chains"].aggregate(
                by_expiry, hint="product_expiry_ts", maxTimeMS=self._limit_ms
            )
            return sorted(group["_id"] for group in found)

    def ticks(self, product: str, query: TicksQuery) -> list[Document]:
        """Return ticks, newest first."""
        wanted = {"product": product, **_between(query.start, query.end)}
        with self._running("ticks"):
            return list(self._newest("underlying_ticks", wanted, query.limit))

    def quotes(self, symbol: str, limit: int) -> list[Document]:
        """Return quotes of one contract, newest first."""
        with self._running("quotes"):
            return list(self._newest("option_quotes", {"symbol": symbol}, limit))

    def chains(self, product: str, query: ChainsQuery) -> tuple[list[orjson.Fragment], bool]:
        """Return chains as JSON, newest first, and whether MAX_CHAIN_ROWS truncated the list."""
        with (
            self._running("chains"),
            self._newest("option_chains", _chains(product, query), query.limit) as found,
        ):
            return _bounded(found.batch_size(16), query.shape)

    def pcr(self, product: str, query: PcrQuery) -> list[Document]:
        """Return put/call ratios, newest first. The indexes cover the query, so MongoDB reads no chain."""
        with self._running("pcr"):
            return list(self._newest("option_chains", _chains(product, query), query.limit, _PCR))

    def bars(self, product: str, query: BarsQuery) -> list[Document]:
        """Return bars, newest window first."""
        wanted: Document = {"product": product, "window_minutes": query.window}
        bounds = {"$gte": query.start, "$lte": query.end}
        if start := {name: _date(ns) for name, ns in bounds.items() if ns is not None}:
            wanted["start"] = start
        with self._running("bars"):
            newest = [("start", pymongo.DESCENDING)]
            return list(self._newest("ohlc_bars", wanted, query.limit, order=newest))

    def _newest(
        self,
        collection: str,
        wanted: Mapping[str, Any],
        limit: int,
        fields: Mapping[str, int] | None = None,
        order: list[tuple[str, int]] = _NEWEST_FIRST,
    ) -> Cursor[Document]:
        if limit < 1:  # in MongoDB, limit(0) means no limit
            raise ValueError("limit must be positive")
        cursor = self._database[collection].find(wanted, {"_id": 0, **(fields or {})})
        return cursor.sort(order).limit(limit).max_time_ms(self._limit_ms)

    @contextmanager
    def _running(self, query: str) -> Iterator[None]:
        """Measure the query's duration and convert pymongo's errors to this service's errors."""
        try:
            with metrics.QUERY_SECONDS.labels(query).time():
                yield
        except (ExecutionTimeout, NetworkTimeout) as error:
            raise QueryTimeout(f"the query exceeded {self._limit_ms} ms; request less data") from error
        except PyMongoError as error:
            structlog.get_logger("queries").warning("store_unavailable", error=type(error).__name__)
            raise StoreUnavailable("MongoDB is unavailable") from error


def _chains(product: str, query: ChainsQuery | PcrQuery) -> Document:
    expiry = {"expiry": query.expiry} if query.expiry else {}
    return {"product": product, **expiry, **_between(query.start, query.end)}


def _between(start: int | None, end: int | None) -> Document:
    bounds = {"$gte": start, "$lte": end}
    given = {name: ns for name, ns in bounds.items() if ns is not None}
    return {"ts": given} if given else {}


def _date(ns: int) -> datetime:
    """Convert to a BSON date, which has only milliseconds. Rounds up, to exclude bars before the bound."""
    return _EPOCH + timedelta(milliseconds=-(-ns // 1_000_000))


def _bounded(found: Iterable[Document], shape: Shape) -> tuple[list[orjson.Fragment], bool]:
    # Serialise each chain immediately: 20,000 rows as dicts would take tens of megabytes.
    answer = shapes.rows_answer if shape == "rows" else shapes.columns_answer
    chains: list[orjson.Fragment] = []
    rows = 0
    for document in found:
        try:
            rows += shapes.chain_rows(document)
            if chains and rows > MAX_CHAIN_ROWS:
                return chains, True
            chains.append(orjson.Fragment(shapes.json_bytes(answer(document))))
        except (KeyError, TypeError, ValueError) as error:
            # One invalid document must not make the whole request fail.
            metrics.INVALID_DOCUMENTS.inc()
            structlog.get_logger("queries").error(
                "invalid_chain", mid=document.get("mid"), feed=document.get("feed"), error=repr(error)
            )
    return chains, False
