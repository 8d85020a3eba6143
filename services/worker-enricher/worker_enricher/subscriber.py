"""Send Celery tasks that make workers read the stream, but only while the Celery queue is nearly empty.

A task for new entries is a ticket: it contains no entries. The worker that receives it reads the entries that
wait in the stream, and continues for up to a second while more arrive. The backlog stays in the stream, not
in Celery. Under load the batches therefore grow, and a message waits for one batch, not for a queue of tasks.
A lost ticket loses no data.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import structlog
from prometheus_client import Counter, Gauge
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential
from tenacity.stop import stop_when_event_set

from worker_enricher.adapters.outages import is_redis_outage
from worker_enricher.adapters.stream import Claimed, FeedStream
from worker_enricher.chassis.market_refusal import RefusedError

_log = structlog.get_logger("subscriber")

DISPATCHED = Counter(
    "enricher_dispatched_total", "Tasks sent for new entries, and entries taken over.", ["how"]
)
EXHAUSTED = Counter("enricher_exhausted_total", "Dead letters after the last delivery.")
OUTAGES = Counter("enricher_subscriber_outages_total", "Failed calls of the subscriber to Redis.")
QUEUED = Gauge("enricher_queued_tasks", "Tasks waiting in the feed's Celery queue.")

_BLOCK_MS = 200
_POLL_S = 0.01
# A worker reads the stream milliseconds after it receives a ticket. After this time a ticket counts as lost.
_TICKET_LOST_AFTER_S = 1.0
_REAP_EVERY_S = 3.0
_TRIM_EVERY_S = 1.0
_FORGET_AFTER_MS = 3_600_000


class Queue(Protocol):
    """The feed's task queue. All methods raise a connection error of redis or kombu in an outage."""

    def waiting(self) -> int:
        """Return the number of tasks that no worker has received yet."""

    def send_ticket(self) -> None:
        """Send a task that makes a worker read new entries."""

    def send(self, entry_ids: Sequence[str], deliveries: int) -> None:
        """Send a task for entries that were taken over. `deliveries` includes this delivery."""


class Subscriber:
    """Watches the stream of one feed and sends tasks until `stop` is set."""

    def __init__(
        self,
        stream: FeedStream,
        queue: Queue,
        *,
        consumer: str,
        stop: threading.Event,
        beat: Callable[[], None],
        is_outage: Callable[[BaseException], bool] = is_redis_outage,
        batch_entries: int = 256,
        queue_limit: int = 1,
        claim_idle_ms: int = 15_000,
        max_deliveries: int = 5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream, self._queue, self._consumer = stream, queue, consumer
        self._stop, self._beat, self._is_outage, self._clock = stop, beat, is_outage, clock
        self._batch_entries, self._queue_limit = batch_entries, queue_limit
        self._claim_idle_ms, self._max_deliveries = claim_idle_ms, max_deliveries
        self._next_reap = self._next_trim = 0.0
        self._announced, self._lost_at = "", 0.0  # last delivered id when the last ticket was sent

    def run(self) -> None:
        """Run until `stop` is set. Retries during an outage of Redis."""
        retrying = Retrying(
            retry=retry_if_exception(self._is_outage),
            wait=wait_random_exponential(multiplier=0.05, max=2),
            stop=stop_when_event_set(self._stop),
            before_sleep=self._outage,
            sleep=self._pause,
            retry_error_callback=lambda _state: None,
        )
        while not self._stop.is_set():
            retrying(self._loop)

    def _pause(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def _outage(self, state: RetryCallState) -> None:
        OUTAGES.inc()
        self._beat()
        error = state.outcome.exception() if state.outcome else None
        _log.warning("redis_unavailable", feed=self._stream.feed, error=type(error).__name__)

    def _loop(self) -> None:
        self._stream.ensure_group()
        while not self._stop.is_set():
            self.step()

    def step(self) -> None:
        """Run one iteration: if few tasks wait, take over stale entries and send a ticket for new ones.

        NB: it takes over nothing while the queue is at its limit. Entries of a waiting task are idle because
        no worker is free. Taking them over would use up their deliveries without an attempt.
        """
        self._beat()
        self._trim()
        waiting = self._queue.waiting()
        QUEUED.set(waiting)
        if waiting >= self._queue_limit:
            self._stop.wait(_POLL_S)
            return
        if self._clock() >= self._next_reap:
            self._next_reap = self._clock() + _REAP_EVERY_S
            self._reap()
        self._announce(waiting)

    def _announce(self, queued: int) -> None:
        """Send a ticket if entries wait, unless the last ticket is queued or its worker is about to read."""
        delivered, unread = self._stream.progress()
        if not unread:
            if not self._stream.wait_for_entry(delivered, _BLOCK_MS):
                return
            delivered, unread = self._stream.progress()
        if not unread:  # a worker that waits at the stream has read it already
            self._stop.wait(_POLL_S)
            return
        now = self._clock()
        if delivered == self._announced and (queued or now < self._lost_at):
            self._stop.wait(_POLL_S)
            return
        self._queue.send_ticket()
        self._announced, self._lost_at = delivered, now + _TICKET_LOST_AFTER_S
        DISPATCHED.labels("new").inc()

    def _trim(self) -> None:
        """Trim processed entries from the stream. The generator may pause until Redis has free memory."""
        if self._clock() >= self._next_trim:
            self._next_trim = self._clock() + _TRIM_EVERY_S
            self._stream.trim()

    def _reap(self) -> None:
        claimed = self._stream.take_over(self._consumer, self._claim_idle_ms, self._batch_entries)
        for entry in claimed:
            if entry.deliveries > self._max_deliveries:
                self._move_to_dead_letters(entry)
        alive = [entry for entry in claimed if entry.deliveries <= self._max_deliveries]
        for batch, deliveries in _redelivery_batches(alive):
            self._queue.send(batch, deliveries)
            DISPATCHED.labels("taken_over").inc(len(batch))
        if claimed:
            _log.warning("entries_taken_over", feed=self._stream.feed, entries=len(claimed))
        self._stream.forget_consumers(_FORGET_AFTER_MS)

    def _move_to_dead_letters(self, claimed: Claimed) -> None:
        entry = self._stream.fetch([claimed.id])[0]
        if entry.body is None:
            self._stream.acknowledge([entry.id])
            return
        deliveries = claimed.deliveries - 1
        refusal = RefusedError("deliveries_exhausted", f"not stored in {deliveries} deliveries")
        self._stream.move_to_dead_letters(entry, refusal, mid=None, deliveries=deliveries)
        EXHAUSTED.inc()
        _log.error("entry_exhausted", feed=self._stream.feed, entry_id=entry.id)


def _redelivery_batches(claimed: Sequence[Claimed]) -> Iterator[tuple[list[str], int]]:
    """Yield (ids, deliveries) of the tasks to send for entries that were taken over.

    Second deliveries share a task: their worker has died once. From the third delivery on each entry has its
    own task, so that an entry that kills its worker does not affect others.
    """
    second = [entry.id for entry in claimed if entry.deliveries <= 2]
    if second:
        yield second, 2
    for entry in claimed:
        if entry.deliveries > 2:
            yield [entry.id], entry.deliveries
