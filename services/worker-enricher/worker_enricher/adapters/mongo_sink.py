"""Store enriched messages in MongoDB. Writes are idempotent: a message delivered twice is stored once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pymongo import MongoClient, UpdateOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from worker_enricher.adapters.outages import is_mongo_outage_code
from worker_enricher.candles import Bar
from worker_enricher.errors import StoreFullError, StoreRejectedError
from worker_enricher.identity import Kind
from worker_enricher.results import Enriched

COLLECTIONS: Mapping[Kind, str] = {
    "underlying": "underlying_ticks",
    "option_quote": "option_quotes",
    "option_chain": "option_chains",
}
_DUPLICATE_KEY = 11000


def connect(mongo_url: str) -> MongoClient[dict[str, Any]]:
    """Return a MongoDB client with timeouts of seconds. A write succeeds once a majority has journaled it.

    NB: without the journal, kill -9 of mongod loses up to 100 ms of confirmed writes.
    """
    return MongoClient(
        mongo_url,
        w="majority",
        journal=True,
        serverSelectionTimeoutMS=2_000,
        connectTimeoutMS=2_000,
        socketTimeoutMS=20_000,
        maxPoolSize=4,
        appname="worker-enricher",
    )


class MongoSink:
    """Stores the documents and bars of a batch. When `store` returns, they are durable.

    The collections are written in parallel: each write waits for the journal, and sequential waits would
    take most of a small batch's time. The last write runs in the caller's thread.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._database = database
        self._pool = ThreadPoolExecutor(max_workers=len(COLLECTIONS), thread_name_prefix="mongo")

    def store(self, enriched: Enriched, now_ns: int) -> None:
        """Insert the documents and merge the bars. A document that already exists counts as success.

        `now_ns` is the time of the update, in ns since the epoch. Raises StoreRejectedError if MongoDB
        refuses a document for another reason, StoreFullError or PyMongoError in an outage.
        """
        writes: list[Callable[[], None]] = [
            partial(self._insert, COLLECTIONS[kind], batch) for kind, batch in enriched.documents.items()
        ]
        if enriched.bars:
            writes.append(partial(self._merge_bars, enriched.bars, now_ns))
        if not writes:
            return
        beside = [self._pool.submit(write) for write in writes[:-1]]
        try:
            writes[-1]()
        finally:
            wait(beside)
        for write in beside:
            write.result()

    def _insert(self, collection: str, documents: Sequence[dict[str, Any]]) -> None:
        try:
            self._database[collection].insert_many(documents, ordered=False)
        except BulkWriteError as error:
            _only_duplicates(error.details)

    def _merge_bars(self, bars: Mapping[tuple[str, int], Sequence[Bar]], now_ns: int) -> None:
        """Merge the bars into `ohlc_bars` by the rules of `Bar.merge`."""
        updates = [
            _merge(product, minutes, bar, now_ns)
            for (product, minutes), window in bars.items()
            for bar in window
        ]
        try:
            self._database["ohlc_bars"].bulk_write(updates, ordered=False)
        except BulkWriteError as error:
            # Two workers created the same bar at once and one upsert failed. The bar exists now: update it.
            _only_duplicates(error.details)
            self._database["ohlc_bars"].bulk_write(updates, ordered=False)


def _only_duplicates(details: Mapping[str, Any]) -> None:
    failures = [failure for failure in details["writeErrors"] if failure["code"] != _DUPLICATE_KEY]
    concerns = details.get("writeConcernErrors") or []
    for failure in (*failures, *concerns):
        if is_mongo_outage_code(failure.get("code")):
            raise StoreFullError(f"MongoDB error {failure['code']}")
    if concerns:
        raise StoreRejectedError(str(concerns[0].get("errmsg", "write concern")))
    if failures:
        raise StoreRejectedError(f"MongoDB error {failures[0]['code']} in a document")


def _merge(product: str, minutes: int, bar: Bar, now_ns: int) -> UpdateOne:
    def pick(name: str, order: str, ours_wins: str, value: float | str) -> dict[str, Any]:
        theirs_missing = {"$eq": [{"$type": f"${order}"}, "missing"]}
        ours = {"$or": [theirs_missing, {ours_wins: [getattr(bar, order), f"${order}"]}]}
        return {"$cond": [ours, value, f"${name}"]}

    # NB: within one $set stage all expressions see the stored document, so `open` may still
    # compare with the stored `open_order`.
    merged = {
        "product": product,
        "window_minutes": minutes,
        "start": datetime.fromtimestamp(bar.start, UTC),
        "open": pick("open", "open_order", "$lt", bar.open),
        "high": {"$max": ["$high", bar.high]},
        "low": {"$min": ["$low", bar.low]},
        "close": pick("close", "close_order", "$gt", bar.close),
        "open_order": {"$min": ["$open_order", bar.open_order]},
        "close_order": {"$max": ["$close_order", bar.close_order]},
        "updated_at": datetime.fromtimestamp(now_ns // 1_000_000 / 1000, UTC),
    }
    return UpdateOne({"_id": f"{product}:{minutes}:{bar.start}"}, [{"$set": merged}], upsert=True)
