"""Read data from the cache, then from storage. Decide whether absent data is unknown or only unavailable."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import NoReturn, TypeVar

import structlog

from analytics import metrics
from analytics.cache import Cache, CacheUnavailable
from analytics.domain import bars
from analytics.domain.bars import Bar
from analytics.domain.chain import Chain, from_document
from analytics.domain.pcr import Ratio, cached_ratio, stored_ratio
from analytics.domain.values import Broken
from analytics.errors import SourcesUnavailable, StorageUnavailable, UnknownExpiry, UnknownProduct
from analytics.stored import Storage, StorageFailed

CACHE, STORAGE = "cache", "storage"
LIVE_NS = 86_400 * 1_000_000_000
"""An expiry is live for this long after its last chain: a day, like the TTL in the cache."""
_NEWEST = 1000  # number of stored ratios to search for live expiries
_CHAINS_TIMEOUT_S = 6.0  # less than the gateway's timeout of 10 s
T = TypeVar("T")
U = TypeVar("U")


class Sources:
    """Reads the data of a product from the cache or, if the cache has none or is unavailable, from storage.

    The enricher stores data before it caches the newest of it. So only storage can prove that data does not
    exist: an empty cache proves nothing. The methods raise UnknownProduct or UnknownExpiry if storage has no
    such data, and SourcesUnavailable if storage fails.
    """

    def __init__(
        self, cache: Cache, storage: Storage, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cache, self._storage, self._clock = cache, storage, clock

    def ping(self) -> None:
        """Return if the cache or storage answers, which is enough to serve. Raises an exception otherwise."""
        try:
            self._cache.ping()
        except Exception:  # whatever the error, storage may still answer
            self._storage.ping()

    def ratio(self, product: str, expiry: str) -> tuple[Ratio, str]:
        """Return the newest ratios of an expiry, and their source (CACHE or STORAGE)."""

        def cached() -> Ratio | None:
            raw = self._cache.ratio(product, expiry)
            return next(valid(CACHE, [raw], lambda one: cached_ratio(one, product, expiry)), None)

        def stored() -> Ratio | None:
            found = self._storage.ratios(product, expiry=expiry, limit=1)
            return next(valid(STORAGE, found, lambda one: stored_ratio(one, product)), None)

        found, source = self._cache_then_storage(cached, stored)
        return found or self._unknown(product, expiry), source

    def ratios(self, product: str) -> tuple[list[Ratio], str]:
        """Return the newest ratios of every live expiry, ordered by expiry, and their source; never empty."""

        def cached() -> list[Ratio]:
            found = self._cache.ratios(product)
            return list(valid(CACHE, found, lambda one: cached_ratio(one[1], product, one[0])))

        found, source = self._cache_then_storage(cached, lambda: self._live(product))
        return found or self._unknown(product), source

    def history(
        self, product: str, expiry: str | None, *, start: int | None, end: int | None, limit: int
    ) -> list[Ratio]:
        """Return stored ratios, newest first; `start` and `end` are in nanoseconds, inclusive.

        Raises StorageUnavailable if storage fails, because the cache has no history.
        """
        try:
            found = self._storage.ratios(product, expiry=expiry, start=start, end=end, limit=limit)
        except StorageFailed as error:
            raise StorageUnavailable(
                "storage failed, and only storage has the history; retry, or request only the newest ratios",
                storage=error.reason,
            ) from error
        return list(valid(STORAGE, found, lambda one: stored_ratio(one, product)))

    def chain(self, product: str, expiry: str) -> tuple[Chain, str]:
        """Return the newest chain of an expiry, and its source (CACHE or STORAGE)."""

        def cached() -> Chain | None:
            raw = self._cache.chain(product, expiry)
            return next(valid(CACHE, [raw], lambda one: from_document(one, product, expiry)), None)

        found, source = self._cache_then_storage(cached, lambda: self._stored_chain(product, expiry))
        return found or self._unknown(product, expiry), source

    def chains(self, product: str) -> list[Chain]:
        """Return the newest chain of every live expiry, ordered by expiry; never empty."""

        def cached() -> list[Chain]:
            found = self._cache.chains(product)
            return list(valid(CACHE, found, lambda one: from_document(one[1], product, one[0])))

        def stored() -> list[Chain]:
            deadline = self._clock() + _CHAINS_TIMEOUT_S
            found = []
            for ratio in self._live(product):
                if self._clock() > deadline:
                    raise StorageFailed("timeout")
                found.append(self._stored_chain(product, ratio.expiry))
            return [one for one in found if one]

        found, _source = self._cache_then_storage(cached, stored)
        return found or self._unknown(product)

    def bars(self, product: str, minutes: int, limit: int) -> tuple[list[Bar], bool]:
        """Return the newest bars, newest first, and whether they are complete; never an empty list.

        Only the oldest cached bar can lack ticks, because its window may have begun before the cache was
        filled. So storage is not needed if the cache has more than `limit` bars. The bars are incomplete if
        storage was needed and failed.
        """
        try:
            found = self._cache.bars(product, minutes)
            state = "empty"
        except CacheUnavailable:
            found, state = [], "unavailable"
        cached = list(valid(CACHE, found, bars.cached_bar))
        if len(cached) > limit:
            metrics.FOUND.labels(CACHE).inc()
            return bars.newest(cached, limit), True
        try:
            stored = list(valid(STORAGE, self._storage.bars(product, minutes, limit), bars.stored_bar))
        except StorageFailed as error:
            if not cached:
                raise _unavailable(state, error) from error
            metrics.FOUND.labels(CACHE).inc()
            return bars.newest(cached, limit), False
        metrics.FOUND.labels(STORAGE).inc()
        if not cached and not stored:
            raise UnknownProduct(f"no bars of {product} with a window of {minutes} minutes are known")
        return bars.newest([*cached, *stored], limit), True

    def _cache_then_storage(self, cached: Callable[[], T], stored: Callable[[], T]) -> tuple[T, str]:
        state = "empty"
        try:
            if found := cached():
                metrics.FOUND.labels(CACHE).inc()
                return found, CACHE
        except CacheUnavailable:
            state = "unavailable"
        try:
            answer = stored()
        except StorageFailed as error:
            raise _unavailable(state, error) from error
        metrics.FOUND.labels(STORAGE).inc()
        return answer, STORAGE

    def _live(self, product: str) -> list[Ratio]:
        newest: dict[str, Ratio] = {}
        found = self._storage.ratios(product, limit=_NEWEST)
        for ratio in valid(STORAGE, found, lambda one: stored_ratio(one, product)):
            if ratio.ts > newest.get(ratio.expiry, ratio._replace(ts=-1)).ts:
                newest[ratio.expiry] = ratio
        oldest = max((ratio.ts for ratio in newest.values()), default=0) - LIVE_NS
        return [newest[expiry] for expiry in sorted(newest) if newest[expiry].ts >= oldest]

    def _stored_chain(self, product: str, expiry: str) -> Chain | None:
        raw = self._storage.chain(product, expiry)
        return next(valid(STORAGE, [raw], lambda one: from_document(one, product, expiry)), None)

    def _unknown(self, product: str, expiry: str | None = None) -> NoReturn:
        """Raise the error for data that neither source has; it names the known expiries."""
        known: set[str] = set()
        for ask in (self._cache.expiries, self._storage.expiries):
            try:
                known.update(ask(product))
            except (CacheUnavailable, StorageFailed):
                continue  # the list of known expiries is only a hint
        known.discard(expiry or "")
        if expiry is None or not known:
            raise UnknownProduct(f"no option chain of {product} is known")
        listed = sorted(known)
        raise UnknownExpiry(
            f"no option chain of {product} is known for the expiry {expiry}; known: {', '.join(listed)}",
            expiries=listed,
        )


def _unavailable(cache: str, error: StorageFailed) -> SourcesUnavailable:
    detail = (
        "the cache does not have the data and storage failed"
        if cache == "empty"
        else "the cache is unavailable and storage failed"
    )
    return SourcesUnavailable(detail, cache=cache, storage=error.reason)


def valid(source: str, found: Iterable[U | None], read: Callable[[U], T]) -> Iterator[T]:
    """Yield `read(value)` for each value of `found` that is not None.

    Skips, logs and counts values for which `read` raises Broken: the response consists of the other values.
    """
    for raw in found:
        if raw is None:
            continue
        try:
            yield read(raw)
        except Broken as error:
            metrics.BROKEN.labels(source).inc()
            structlog.get_logger("sources").error("broken_value", source=source, field=str(error))
