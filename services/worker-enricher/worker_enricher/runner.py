"""Process one batch: read it from the stream, validate, compute, store, publish, acknowledge.

This order guarantees at-least-once processing: an entry is acknowledged only after MongoDB has stored it. If
a process dies before that, the stream delivers the entry again. Its `_id` makes the second write a no-op.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import NoReturn, TypeVar

import redis
import structlog
from prometheus_client import Counter, Histogram
from pymongo.errors import ConnectionFailure, ExecutionTimeout, OperationFailure, PyMongoError
from tenacity import Retrying, retry_if_exception, wait_random_exponential
from tenacity.stop import stop_base

from worker_enricher.adapters.mongo_sink import MongoSink
from worker_enricher.adapters.outages import is_mongo_outage_code, is_redis_outage
from worker_enricher.adapters.redis_sink import RedisSink
from worker_enricher.adapters.stream import Entry, FeedStream
from worker_enricher.chassis.definitions import Definition
from worker_enricher.chassis.market_intake import read
from worker_enricher.chassis.market_messages import Message
from worker_enricher.chassis.market_refusal import RefusedError
from worker_enricher.chassis.market_terms import DefinedProducts
from worker_enricher.errors import StoreFullError
from worker_enricher.forwards import expiries_needed
from worker_enricher.pipeline import enrich
from worker_enricher.results import Enriched, Forward
from worker_enricher.series import SeriesGuard
from worker_enricher.sparse import Sparse

_log = structlog.get_logger("runner")
_MID = re.compile(rb'"mid"\s*:\s*"([0-9]{1,10}:[0-9]{1,15})"')

MESSAGES = Counter("enricher_messages_total", "Messages stored, by kind.", ["kind"])
REFUSED = Counter("enricher_refused_total", "Entries moved to the dead letters, by reason.", ["reason"])
VANISHED = Counter("enricher_vanished_total", "Entries deleted from the stream before they were read.")
RETRIES = Counter("enricher_store_retries_total", "Retries because a store was unavailable.")
VENDOR_DIFFERENCE = Histogram(
    "enricher_vendor_iv_difference",
    "Absolute difference between our implied volatility and the source's own (0.01 = a percentage point).",
    buckets=(0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1),
)
BATCH_SECONDS = Histogram(
    "enricher_batch_seconds", "Time of one batch.", buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 10)
)


_MAX_BATCH_BYTES = 4 << 20
# Entries taken over are read by id, so only their number limits their bytes.
_FETCHED_AT_ONCE = 8
# How long a worker waits at the stream for the next entry. A task through Celery costs more than a batch.
_LINGER_MS = 50
# How long one task reads new entries. Then Celery can run other tasks and maintain its connection.
_TASK_S = 1.0
_T = TypeVar("_T")


def is_outage(error: BaseException) -> bool:
    """Return whether a store is unavailable or full, so that a retry can succeed.

    Any other error is a fault of the batch or of this program.
    """
    if is_redis_outage(error) or isinstance(error, ConnectionFailure | ExecutionTimeout | StoreFullError):
        return True
    if isinstance(error, OperationFailure) and is_mongo_outage_code(error.code):
        return True
    return isinstance(error, PyMongoError) and error.has_error_label("RetryableWriteError")


class Stopped(Exception):
    """The worker stops while a store is unavailable. The batch stays pending and is taken over later."""


class BatchRunner:
    """Processes batches. `stopping` returns whether the process shuts down; `beat` reports liveness."""

    def __init__(
        self,
        stream: FeedStream,
        mongo: MongoSink,
        cache: RedisSink,
        *,
        consumer: str,
        products: Collection[str] = frozenset(),
        definitions: Iterable[Definition] = (),
        batch_entries: int = 256,
        stopping: Callable[[], bool],
        beat: Callable[[], None],
        now_ns: Callable[[], int] = time.time_ns,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._stream, self._mongo, self._cache = stream, mongo, cache
        self._products, self._defined = products, DefinedProducts(definitions)
        self._consumer, self._batch_entries = consumer, batch_entries
        self._stopping, self._beat = stopping, beat
        self._now_ns, self._clock = now_ns, clock
        self._uncounted_s = 0.0
        self._in_progress: Sequence[str] = ()
        self._retrying = Retrying(
            retry=retry_if_exception(is_outage),
            wait=wait_random_exponential(multiplier=0.05, max=2),
            stop=_StopWhen(stopping),
            before_sleep=lambda _state: self._keep_pending(self._in_progress),
            sleep=sleep,
            retry_error_callback=_stopped,
        )
        # Entries that an attempt of this batch refused or found deleted. The next attempt skips them.
        self._settled: set[str] = set()
        self._refusals = Sparse(time.monotonic)
        self._guard = SeriesGuard(partial(cache.series, stream.feed))
        self._forwards: dict[tuple[str, str], Forward] = {}

    def run_new(self) -> None:
        """Read and process new entries, batch by batch, until no entry comes or the task's time is over.

        If Redis does not answer a read, the call returns: it has no pending entries to protect, and the
        subscriber will send another task. Raises as `run` does.
        """
        ends, full = self._clock() + _TASK_S, True
        while not self._stopping() and self._clock() < ends:
            self._beat()
            try:
                entries = self._read_new(wait=not full)
            except redis.RedisError as error:
                if not is_redis_outage(error):
                    raise
                _log.warning("stream_unavailable", feed=self._stream.feed)
                return
            if not entries and not full:
                return
            full = len(entries) >= self._batch_entries
            for batch, waiting in _by_size(entries):
                self._process(batch, 1)
                if waiting:
                    self._stream.keep(self._consumer, [entry.id for entry in waiting])

    def _read_new(self, *, wait: bool) -> list[Entry]:
        """Read new entries once. The time counts as work, unless the read may have waited."""
        started = self._clock()
        block_ms = _LINGER_MS if wait else None
        entries = self._stream.read_new(self._consumer, self._batch_entries, _MAX_BATCH_BYTES, block_ms)
        if not wait:
            self._uncounted_s += self._clock() - started
        return entries

    def run(self, entry_ids: Sequence[str], deliveries: int = 1) -> None:
        """Process entries that were taken over. Retries during an outage of a store, and keeps them pending.

        Raises Stopped if the process shuts down during the outage. After any other error the entries stay
        pending: they are redelivered one by one, and finally become dead letters.
        """
        for at in range(0, len(entry_ids), _FETCHED_AT_ONCE):
            ids = entry_ids[at : at + _FETCHED_AT_ONCE]
            started = self._clock()
            entries = self._retry_outages(ids, partial(self._stream.fetch, ids))
            self._uncounted_s += self._clock() - started
            self._process(entries, deliveries)
            if later := entry_ids[at + _FETCHED_AT_ONCE :]:
                self._stream.keep(self._consumer, later)

    def _process(self, entries: Sequence[Entry], deliveries: int) -> None:
        self._settled.clear()
        with BATCH_SECONDS.time():
            ids = [entry.id for entry in entries]
            self._retry_outages(ids, lambda: self._attempt(entries, deliveries))

    def _retry_outages(self, entry_ids: Sequence[str], action: Callable[[], _T]) -> _T:
        """Retry `action` during an outage, and keep the entries from being taken over. Raises Stopped."""
        self._in_progress = entry_ids
        return self._retrying(action)

    def _attempt(self, entries: Sequence[Entry], deliveries: int) -> None:
        self._beat()
        started = self._clock()
        left = [entry for entry in entries if entry.id not in self._settled]
        admitted = self._admit(left, deliveries)
        messages = [message for _, message in admitted]
        if not messages:
            return
        done = [entry.id for entry, _ in admitted]
        enriched = enrich(messages, forwards=self._known_forwards(messages), now_ns=self._now_ns())
        self._forwards.update(enriched.forwards)
        self._store(done, enriched, started)

    def _store(self, done: Sequence[str], enriched: Enriched, started: float) -> None:
        self._mongo.store(enriched, self._now_ns())
        # Count the time of this attempt only: waiting for a store is not work. The time of the write below,
        # which contains the count, is added to the next batch.
        counted = self._clock()
        busy_us = round((counted - started + self._uncounted_s) * 1e6)
        self._cache.write(self._stream.key, done, enriched, busy_us)
        self._uncounted_s = self._clock() - counted
        for difference in enriched.vendor_differences:
            VENDOR_DIFFERENCE.observe(abs(difference))
        for kind, batch in enriched.documents.items():
            MESSAGES.labels(kind).inc(len(batch))

    def _admit(self, entries: Sequence[Entry], deliveries: int) -> list[tuple[Entry, Message]]:
        """Return the valid entries with their messages, and settle the others."""
        valid: list[tuple[Entry, Message]] = []
        for entry in entries:
            if entry.body is None:
                _log.error("entry_vanished", feed=self._stream.feed, entry_id=entry.id)
                VANISHED.inc()
                self._stream.acknowledge([entry.id])
                self._settled.add(entry.id)
                continue
            try:
                now_ms = self._now_ns() // 1_000_000
                arrived_ms = None if entry.readmitted else entry.arrived_ms(now_ms)
                message = read(
                    entry.body, feed=self._stream.feed, arrived_ms=arrived_ms, products=self._products
                )
                self._defined.check(message)
                valid.append((entry, message))
            except RefusedError as refusal:
                self._refuse(entry, refusal, deliveries)
        refusals = self._guard.refusals([message for _, message in valid])
        for at, why in refusals.items():
            self._refuse(valid[at][0], why, deliveries)
        return [pair for at, pair in enumerate(valid) if at not in refusals]

    def _refuse(self, entry: Entry, refusal: RefusedError, deliveries: int) -> None:
        found = _MID.search(entry.body or b"", 0, 4096)
        mid = found.group(1).decode() if found else None
        self._stream.move_to_dead_letters(entry, refusal, mid=mid, deliveries=deliveries)
        self._settled.add(entry.id)
        REFUSED.labels(refusal.reason).inc()
        left_out = self._refusals.due(refusal.reason)
        if left_out is None:
            return
        _log.warning(
            "entry_refused",
            feed=self._stream.feed,
            entry_id=entry.id,
            mid=mid,
            reason=refusal.reason,
            detail=refusal.detail,
            left_out=left_out,
        )

    def _known_forwards(self, messages: Sequence[Message]) -> dict[tuple[str, str], Forward]:
        """Return the forwards for the batch's quotes. Reads the cache: other workers may have newer ones."""
        wanted = expiries_needed(messages)
        try:
            self._forwards.update(self._cache.forwards(sorted(wanted)))
        finally:
            if len(self._forwards) > 10_000:
                self._forwards.clear()
        return {key: self._forwards[key] for key in wanted if key in self._forwards}

    def _keep_pending(self, entry_ids: Sequence[str]) -> None:
        RETRIES.inc()
        self._beat()
        _log.warning("store_unavailable", feed=self._stream.feed, entries=len(entry_ids))
        try:
            self._stream.keep(self._consumer, entry_ids)
        except redis.RedisError:
            _log.warning("stream_unavailable", feed=self._stream.feed)


def _by_size(entries: Sequence[Entry]) -> Iterator[tuple[Sequence[Entry], Sequence[Entry]]]:
    """Split entries into batches of at most 4 MiB, to limit memory. Yields (batch, entries after it)."""
    first = size = 0
    for at, entry in enumerate(entries):
        entry_bytes = len(entry.body or b"")
        if at > first and size + entry_bytes > _MAX_BATCH_BYTES:
            yield entries[first:at], entries[at:]
            first, size = at, 0
        size += entry_bytes
    if entries:
        yield entries[first:], ()


class _StopWhen(stop_base):
    def __init__(self, stopping: Callable[[], bool]) -> None:
        self._stopping = stopping

    def __call__(self, _state: object) -> bool:
        return self._stopping()


def _stopped(_state: object) -> NoReturn:
    raise Stopped
