"""The publishing loop: takes messages from a source when they are due and sends them to Redis.

Back-pressure has steps (see domain.pressure). First quotes are conflated per symbol, then the market also
runs at half speed, then quotes are dropped and counted. While Redis is nearly full, the market pauses. Every
tick and chain that the source makes is sent.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Protocol

import redis
import structlog
from redis.exceptions import OutOfMemoryError

from feed_generator import metrics
from feed_generator.buffer import Buffer, Named
from feed_generator.domain.pressure import CONFLATE, DROP_QUOTES, HALF_SPEED, PAUSE, pressure
from feed_generator.sources.base import Source

_log = structlog.get_logger("publisher")

_PIPELINE = 500
# The publisher polls Redis' memory at least once per so many bytes. The market pauses at 80 % of `maxmemory`.
# The other 20 % of the chart's 192 MiB holds one such step of 150 feeds. A buffer that filled during a long
# outage of Redis is also sent in these steps.
_POLL_EVERY_BYTES = 256 * 1024
_MAX_LATE_NS = 5_000_000_000
_HOLD_QUOTES_NS = 1_000_000_000
_POLL_EVERY_NS = 250_000_000
_FLUSH_NS = 5_000_000_000
_IDLE_S = 0.5


class Stream(Protocol):
    """The stream to which messages are appended (see redis_stream.RedisStream)."""

    def next_epoch(self) -> int: ...
    def append(self, batch: list[Named]) -> None: ...
    def backlog(self) -> int: ...
    def memory(self) -> float | None: ...


class Publisher:
    """Publishes one source until `stop` is set. Then it sends the buffered messages for at most 5 s.

    `high_water` is the backlog in entries at which back-pressure begins. `beat` is called at each step and
    tells liveness that the loop runs. `clock` is monotonic, in ns; `jitter` returns 0 to 1.
    """

    def __init__(
        self,
        source: Source,
        stream: Stream,
        buffer: Buffer,
        *,
        high_water: int,
        stop: threading.Event,
        beat: Callable[[], None],
        clock: Callable[[], int] = time.monotonic_ns,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._source, self._stream, self._buffer = source, stream, buffer
        self._high_water, self._stop, self._beat = high_water, stop, beat
        self._clock, self._jitter = clock, jitter
        self._start = clock()
        self._pressure, self._failures, self._bytes_since_poll = 0.0, 0, 0
        self._refused = False  # True if Redis rejected the last append because its memory is full
        self._retry_at = self._next_poll = self._quotes_at = 0

    def run(self) -> None:
        """Publish until `stop` is set, then flush the buffer."""
        while not self._stop.is_set():
            self.step()
            self._stop.wait(self._pause_s())
        deadline = self._clock() + _FLUSH_NS
        while len(self._buffer) and self._clock() < deadline:
            self._send(everything=True)
            if self._failures:
                time.sleep(0.1)
        if len(self._buffer):
            _log.error("stopped_with_unsent_messages", messages=len(self._buffer))

    def step(self) -> None:
        """Run the loop once: poll back-pressure, make the messages that are due, send the buffer."""
        self._beat()
        now = self._clock()
        if now >= max(self._retry_at, self._next_poll):
            try:
                self._poll(now)
            except redis.RedisError as error:
                self._failed(error)
        self._advance(now)
        self._send()
        metrics.BUFFERED.set(len(self._buffer))

    @property
    def _paused(self) -> bool:
        return self._refused or self._pressure >= PAUSE

    def _pause_s(self) -> float:
        due = self._source.due_ns()
        wake = self._clock() + int(_IDLE_S * 1e9)
        if due is not None and not self._buffer.full and not self._paused:
            wake = min(wake, self._start + due)
        if self._retry_at > self._clock():
            wake = min(wake, self._retry_at)
        return max(0.0, (wake - self._clock()) / 1e9)

    def _advance(self, now: int) -> None:
        due = self._source.due_ns()
        if due is not None and now - self._start - due > _MAX_LATE_NS:
            self._skip(now - self._start - due)
        if due is not None and self._paused:
            if self._start + due < now:
                self._skip(now - self._start - due)
            return
        while due is not None and self._start + due <= now and not self._buffer.full:
            metrics.LATENESS.set((now - self._start - due) / 1e9)
            self._make()
            following = self._source.due_ns()
            if following is not None and self._pressure >= HALF_SPEED:
                self._skip(following - due)
            due = following

    def _skip(self, gap_ns: int) -> None:
        """Pause the market for `gap_ns`: publishing old messages late would only increase the delay."""
        self._start += gap_ns
        self._source.skip(gap_ns)
        metrics.SKIPPED.inc(gap_ns / 1e9)

    def _make(self) -> None:
        batch = self._source.advance()
        metrics.MADE.inc(len(batch.messages))
        conflate = self._failures > 0 or self._pressure >= CONFLATE
        for message in batch.messages:
            if message.symbol is not None and self._pressure >= DROP_QUOTES:
                metrics.DROPPED.inc()
            elif self._buffer.add(message, batch.pass_number, conflate=conflate):
                metrics.CONFLATED.inc()

    def _send(self, *, everything: bool = False) -> None:
        now = self._clock()
        if now < self._retry_at and not everything:
            return
        hold = self._pressure >= CONFLATE and now < self._quotes_at and not everything
        if not hold:
            self._quotes_at = now + _HOLD_QUOTES_NS
        try:
            if not self._buffer.has_epoch:
                self._buffer.start_epoch(self._stream.next_epoch())
            while (everything or self._pressure < PAUSE) and (
                batch := self._buffer.take(_PIPELINE, _POLL_EVERY_BYTES, hold_quotes=hold)
            ):
                self._stream.append(batch)
                self._bytes_since_poll += sum(len(named.body) for named in batch)
                self._buffer.confirm(self._clock())
                for named in batch:
                    metrics.PUBLISHED.labels(named.kind).inc()
                self._beat()
                if self._bytes_since_poll >= _POLL_EVERY_BYTES:
                    self._poll(self._clock())
            self._failures, self._refused = 0, False
        except redis.RedisError as error:
            self._failed(error)

    def _failed(self, error: redis.RedisError) -> None:
        """Delay the next attempt, longer each time up to 2 s. The source keeps making messages meanwhile."""
        was_refused, self._refused = self._refused, isinstance(error, OutOfMemoryError)
        # A Redis that rejects an append because it is full has lost nothing. A Redis that becomes unavailable
        # may have lost confirmed entries, also if it was full before.
        if not self._refused and (was_refused or not self._failures):
            self._buffer.requeue_confirmed()
        self._failures += 1
        metrics.REDIS_ERRORS.inc()
        pause_s = min(2.0, 0.05 * 2 ** min(self._failures, 10)) * (0.5 + self._jitter() / 2)
        self._retry_at = self._clock() + int(pause_s * 1e9)
        _log.warning("redis_unavailable", error=type(error).__name__, buffered=len(self._buffer))

    def _poll(self, now: int) -> None:
        """Read backlog and memory from Redis, and set the back-pressure. Raises redis.RedisError."""
        self._next_poll, self._bytes_since_poll = now + _POLL_EVERY_NS, 0
        backlog, memory = self._stream.backlog(), self._stream.memory()
        self._pressure = pressure(backlog, self._high_water, memory)
        metrics.BACKLOG.set(backlog)
        metrics.PRESSURE.set(self._pressure)
        if memory is not None:
            metrics.REDIS_MEMORY.set(memory)
