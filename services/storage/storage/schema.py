"""What MongoDB should look like: collections, indexes and retention, as data."""

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
# What /pcr gives. As a tail of the chains' indexes it makes that query covered: a history of 1,000 ratios
# then reads 1,000 index entries instead of 1,000 chains of some 20 kB each.
_PCR = {"pcr_oi": ASCENDING, "pcr_volume": ASCENDING, "timestamp": ASCENDING}


@dataclass(frozen=True)
class Index:
    """An index as it should be. With `expire_after_s` documents go so long after the (one) key's time."""

    collection: str
    name: str
    keys: dict[str, int]
    unique: bool = False
    expire_after_s: int | None = None


def indexes(settings: Settings) -> Iterator[Index]:
    """Every index, in the order in which they are made.

    Retention counts from `processed_at`, never from the event time: a replay of an old recording would
    else be deleted as soon as it is stored.
    """
    yield Index("underlying_ticks", "product_ts", {"product": ASCENDING, "ts": DESCENDING})
    yield Index("option_quotes", "symbol_ts", {"symbol": ASCENDING, "ts": DESCENDING})
    yield Index(
        "option_chains",
        "product_ts",
        {"product": ASCENDING, "ts": DESCENDING, "expiry": ASCENDING, **_PCR},
    )
    yield Index(
        "option_chains",
        "product_expiry_ts",
        {"product": ASCENDING, "expiry": ASCENDING, "ts": DESCENDING, **_PCR},
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
