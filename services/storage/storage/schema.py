"""The schema of MongoDB as data: collections, indexes and retention. migrate.py applies it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from storage.config import Settings

ASCENDING, DESCENDING = 1, -1
DAY_S = 86_400
COLLECTIONS = (
    "underlying_ticks",
    "option_quotes",
    "option_chains",
    "ohlc_bars",
    "users",
    "refresh_tokens",
)
LOGS = "logs"
# A repeated recording stores any number of documents with the same event time. `_id` gives them an order, so
# that a cursor can point between two of them.
_TIME = {"ts": DESCENDING, "_id": DESCENDING}
# The fields that /pcr returns. They are at the end of the chains' indexes, so that the indexes cover its
# query: a history of 1,000 ratios reads 1,000 index entries instead of 1,000 chains of about 20 kB each.
_PCR = {"pcr_oi": ASCENDING, "pcr_volume": ASCENDING, "timestamp": ASCENDING}


@dataclass(frozen=True)
class Index:
    """The definition of an index.

    With `expire_after_s`, MongoDB deletes a document that many seconds after the time in the index's only
    key.
    """

    collection: str
    name: str
    keys: dict[str, int]
    unique: bool = False
    expire_after_s: int | None = None


def indexes(settings: Settings) -> Iterator[Index]:
    """Yield every index, in the order of creation.

    Retention counts from `processed_at` (bars: `updated_at`), never from the event time. Otherwise MongoDB
    would delete the replay of an old recording as soon as it is stored.
    """
    yield Index("underlying_ticks", "product_ts", {"product": ASCENDING, **_TIME})
    yield Index("option_quotes", "symbol_ts", {"symbol": ASCENDING, **_TIME})
    yield Index(
        "option_chains",
        "product_ts",
        {"product": ASCENDING, **_TIME, "expiry": ASCENDING, **_PCR},
    )
    yield Index(
        "option_chains",
        "product_expiry_ts",
        {"product": ASCENDING, "expiry": ASCENDING, **_TIME, **_PCR},
    )
    yield Index(
        "ohlc_bars",
        "product_window_start",
        {"product": ASCENDING, "window_minutes": ASCENDING, "start": DESCENDING},
    )
    yield Index("users", "email", {"email": ASCENDING}, unique=True)
    yield Index("refresh_tokens", "family", {"family": ASCENDING})
    yield Index("refresh_tokens", "retention", {"expires_at": ASCENDING}, expire_after_s=0)
    for collection, field, days in (
        ("underlying_ticks", "processed_at", settings.ticks_retention_days),
        ("option_quotes", "processed_at", settings.quotes_retention_days),
        ("option_chains", "processed_at", settings.chains_retention_days),
        ("ohlc_bars", "updated_at", settings.bars_retention_days),
    ):
        yield Index(collection, "retention", {field: ASCENDING}, expire_after_s=days * DAY_S)
