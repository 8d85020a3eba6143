"""The questions asked of MongoDB. Each is bounded in time and in size, and each has an index."""

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
    """Reads what the enricher wrote.

    While MongoDB is away every method raises StoreUnavailable within seconds; a query at its time limit
    raises QueryTimeout. Nothing is retried here but what pymongo itself retries.
    """

    def __init__(self, database: Database[Document], *, query_timeout_ms: int) -> None:
        self._database, self._limit_ms = database, query_timeout_ms

    def ping(self) -> None:
        """Return if MongoDB answers within a second."""
        with pymongo.timeout(1.0):
            self._database.command("ping")

    def products(self) -> list[str]:
        """Every product with ticks or chains.

        NB: `distinct` over the first key of an index is a DISTINCT_SCAN: one seek a product, however many
        ticks there are. Any filter that the index cannot answer would read them all.
        """
        with self._asking("products"):
            ticks = self._database["underlying_ticks"].distinct("product", {}, maxTimeMS=self._limit_ms)
            chains = self._database["option_chains"].distinct("product", {}, maxTimeMS=self._limit_ms)
            return sorted({*ticks, *chains})

    def expiries(self, product: str) -> list[str]:
        """Expiries with stored chains, ascending: one seek an expiry, by the index product_expiry_ts.

        NB: `distinct` takes no hint before MongoDB 7.1, and the planner prefers the index product_ts, of
        which it reads every entry of the product. $sort with $group is the same DISTINCT_SCAN, hinted.
        """
        by_expiry: list[Document] = [
            {"$match": {"product": product}},
            {"$sort": {"product": 1, "expiry": 1}},
            {"$group": {"_id": "$expiry"}},
        ]
        with self._asking("expiries"):
            found = self._database["option_chains"].aggregate(
                by_expiry, hint="product_expiry_ts", maxTimeMS=self._limit_ms
            )
            return sorted(group["_id"] for group in found)

    def ticks(self, product: str, query: TicksQuery) -> list[Document]:
        """Ticks, newest first."""
        wanted = {"product": product, **_between(query.start, query.end)}
        with self._asking("ticks"):
            return list(self._newest("underlying_ticks", wanted, query.limit))

    def quotes(self, symbol: str, limit: int) -> list[Document]:
        """Quotes of one contract, newest first."""
        with self._asking("quotes"):
            return list(self._newest("option_quotes", {"symbol": symbol}, limit))

    def chains(self, product: str, query: ChainsQuery) -> tuple[list[orjson.Fragment], bool]:
        """Chains, newest first, each as JSON; and whether MAX_CHAIN_ROWS cut them short."""
        with (
            self._asking("chains"),
            self._newest("option_chains", _chains(product, query), query.limit) as found,
        ):
            return _bounded(found.batch_size(16), query.shape)

    def pcr(self, product: str, query: PcrQuery) -> list[Document]:
        """Put/call ratios, newest first. Covered by the indexes: no chain is read for them."""
        with self._asking("pcr"):
            return list(self._newest("option_chains", _chains(product, query), query.limit, _PCR))

    def bars(self, product: str, query: BarsQuery) -> list[Document]:
        """Bars by the start of their window, newest first."""
        wanted: Document = {"product": product, "window_minutes": query.window}
        bounds = {"$gte": query.start, "$lte": query.end}
        if start := {name: _date(ns) for name, ns in bounds.items() if ns is not None}:
            wanted["start"] = start
        with self._asking("bars"):
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
        if limit < 1:  # limit(0) would mean all
            raise ValueError("limit must be positive")
        cursor = self._database[collection].find(wanted, {"_id": 0, **(fields or {})})
        return cursor.sort(order).limit(limit).max_time_ms(self._limit_ms)

    @contextmanager
    def _asking(self, query: str) -> Iterator[None]:
        """Times the query and turns pymongo's errors into ours."""
        try:
            with metrics.QUERY_SECONDS.labels(query).time():
                yield
        except (ExecutionTimeout, NetworkTimeout) as error:
            raise QueryTimeout(f"the query took longer than {self._limit_ms} ms: ask for less") from error
        except PyMongoError as error:
            structlog.get_logger("queries").warning("store_unavailable", error=type(error).__name__)
            raise StoreUnavailable("the database does not answer") from error


def _chains(product: str, query: ChainsQuery | PcrQuery) -> Document:
    expiry = {"expiry": query.expiry} if query.expiry else {}
    return {"product": product, **expiry, **_between(query.start, query.end)}


def _between(start: int | None, end: int | None) -> Document:
    bounds = {"$gte": start, "$lte": end}
    given = {name: ns for name, ns in bounds.items() if ns is not None}
    return {"ts": given} if given else {}


def _date(ns: int) -> datetime:
    """As a BSON date, which has milliseconds only: rounded up, so that no earlier bar slips in."""
    return _EPOCH + timedelta(milliseconds=-(-ns // 1_000_000))


def _bounded(found: Iterable[Document], shape: Shape) -> tuple[list[orjson.Fragment], bool]:
    # Each chain becomes bytes at once: as dicts, 20,000 rows would be tens of megabytes.
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
            # One document that breaks the contract must not take the others' answer away.
            metrics.INVALID_DOCUMENTS.inc()
            structlog.get_logger("queries").error(
                "invalid_chain", mid=document.get("mid"), feed=document.get("feed"), error=repr(error)
            )
    return chains, False
