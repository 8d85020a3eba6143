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

from storage import metrics, pages, params, shapes
from storage.errors import QueryTimeout, StoreUnavailable
from storage.params import BarsQuery, ChainsQuery, PagesQuery, PcrQuery, QuotesQuery, Shape, TicksQuery

MAX_CHAIN_ROWS = 20_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BATCH = 16  # chains of 20 kB each
_PCR = dict.fromkeys(("expiry", "pcr_oi", "pcr_volume", "timestamp", "ts"), 1)
Document = dict[str, Any]
Following = dict[str, str | None]


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

    def contracts(self, product: str) -> list[str]:
        """Return the symbols of stored quotes, ascending. The query costs one index seek per symbol."""
        by_symbol: list[Document] = [
            {
                "$match": {"symbol": {"$gte": f"{product}0", "$lt": f"{product}:"}}
            },  # a digit follows the product
            {"$sort": {"symbol": 1}},
            {"$group": {"_id": "$symbol"}},
        ]
        with self._running("contracts"):
            found = self._database["option_quotes"].aggregate(
                by_symbol, hint="symbol_ts", maxTimeMS=self._limit_ms
            )
            return sorted(each["_id"] for each in found if params.is_of(each["_id"], product))

    def ticks(self, product: str, query: TicksQuery) -> tuple[list[Document], Following]:
        """Return a page of ticks, and where the next one begins."""
        with self._running("ticks"):
            page = self._page("underlying_ticks", "product_ts", {"product": product}, query)
            return list(page), page.following()

    def quotes(self, symbol: str, query: QuotesQuery) -> tuple[list[Document], Following]:
        """Return a page of the quotes of one contract, and where the next one begins."""
        with self._running("quotes"):
            page = self._page("option_quotes", "symbol_ts", {"symbol": symbol}, query)
            return list(page), page.following()

    def chains(self, product: str, query: ChainsQuery) -> tuple[list[orjson.Fragment], bool, Following]:
        """Return a page of chains as JSON, whether MAX_CHAIN_ROWS cut it, and where the next begins."""
        index = "product_expiry_ts" if query.expiry else "product_ts"
        with self._running("chains"):
            page = self._page("option_chains", index, _of(product, query.expiry), query)
            chains, truncated = _bounded(page, query.shape)
            return chains, truncated, page.following(truncated=truncated)

    def pcr(self, product: str, query: PcrQuery) -> list[Document]:
        """Return put/call ratios, newest first. The indexes cover the query, so MongoDB reads no chain."""
        with self._running("pcr"):
            wanted = _of(product, query.expiry) | pages.between(query.start, query.end)
            newest = [("ts", pymongo.DESCENDING)]
            return list(self._find("option_chains", wanted, query.limit, newest, {"_id": 0, **_PCR}))

    def bars(self, product: str, query: BarsQuery) -> list[Document]:
        """Return bars in the order of their windows. A window has one bar, so `start` can continue a page."""
        wanted: Document = {"product": product, "window_minutes": query.window}
        bounds = {"$gte": query.start, "$lte": query.end}
        if start := {name: _date(ns) for name, ns in bounds.items() if ns is not None}:
            wanted["start"] = start
        order = pymongo.DESCENDING if query.order == "newest" else pymongo.ASCENDING
        with self._running("bars"):
            return list(self._find("ohlc_bars", wanted, query.limit, [("start", order)], {"_id": 0}))

    def _page(self, collection: str, index: str, equal: Document, query: PagesQuery) -> pages.Page:
        """Return a page. With a hint, since the planner would read a small page from the index on `_id`."""
        found = self._find(collection, pages.wanted(equal, query), query.limit, pages.order(query))
        return pages.Page(found.hint(index).batch_size(_BATCH), query)

    def _find(
        self,
        collection: str,
        wanted: Mapping[str, Any],
        limit: int,
        order: list[tuple[str, int]],
        fields: Mapping[str, int] | None = None,
    ) -> Cursor[Document]:
        if limit < 1:  # in MongoDB, limit(0) means no limit
            raise ValueError("limit must be positive")
        return (
            self._database[collection]
            .find(wanted, fields)
            .sort(order)
            .limit(limit)
            .max_time_ms(self._limit_ms)
        )

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


def _of(product: str, expiry: str | None) -> Document:
    return {"product": product, **({"expiry": expiry} if expiry else {})}


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
