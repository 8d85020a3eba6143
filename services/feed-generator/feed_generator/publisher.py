"""Publish a source's messages to Redis on time, with bounded memory and without losing a tick or a chain.

Under back-pressure (see `domain/pressure.py`) the publisher reduces the load in steps. It conflates quotes
per symbol, then runs the market at half speed, then drops quotes and counts them. While Redis is nearly full
it pauses the market. It sends every tick and every chain that the source makes.
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
# Maximum bytes that a generator appends between two checks of the memory. The chart keeps a fifth of Redis'
# 192 MiB free, which is enough for one such step of 150 feeds. A buffer that a long outage has filled is also
# sent in these steps.
_CHECK_EVERY_BYTES = 256 * 1024
_MAX_LATE_NS = 5_000_000_000
_HOLD_QUOTES_NS = 1_000_000_000
_CHECK_EVERY_NS = 250_000_000
_FLUSH_NS = 5_000_000_000
_IDLE_S = 0.5


class Stream(Protocol):
    """The destination of messages. `adapters.redis_stream.RedisStream` implements it."""

    def next_epoch(self) -> int: ...
    def append(self, batch: list[Named]) -> None: ...
    def backlog(self) -> int: ...
    def memory(self) -> float | None: ...


class Publisher:
    """Runs one source until `stop` is set, then sends the rest of the buffer for at most 5 s.

    `high_water`: entries not yet processed at which quotes are conflated. `pause_at`: the pressure at which
    the market pauses. `beat` reports progress to the liveness probe. `steer` gets the offset of each step
    before the source is asked. `clock`: ns, monotonic. `jitter`: 0 to 1.
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
        steer: Callable[[int], None] = lambda _: None,
        pause_at: float = PAUSE,
        clock: Callable[[], int] = time.monotonic_ns,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._source, self._stream, self._buffer = source, stream, buffer
        self._high_water, self._stop, self._beat, self._pause_at = high_water, stop, beat, pause_at
        self._steer = steer
        self._clock, self._jitter = clock, jitter
        self._start = clock()
        self._pressure, self._failures, self._unchecked_bytes = 0.0, 0, 0
        self._refused = False  # Redis rejected the last append because it is full
        self._retry_at = self._next_check = self._quotes_at = 0

    def run(self) -> None:
        """Publish until stopped, then flush."""
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
        """Run one iteration: check the back-pressure, make the messages that are due, send the buffer."""
        self._beat()
        now = self._clock()
        if now >= max(self._retry_at, self._next_check):
            try:
                self._check_pressure(now)
            except redis.RedisError as error:
                self._failed(error)
        self._steer(now - self._start)
        self._advance(now)
        self._send()
        metrics.BUFFERED.set(len(self._buffer))

    @property
    def _paused(self) -> bool:
        return self._refused or self._pressure >= self._pause_at

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
        """Pause the market for `gap_ns`: late messages would only add to the load."""
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
            while (everything or self._pressure < self._pause_at) and (
                batch := self._buffer.take(_PIPELINE, _CHECK_EVERY_BYTES, hold_quotes=hold)
            ):
                self._stream.append(batch)
                self._unchecked_bytes += sum(len(named.body) for named in batch)
                self._buffer.confirm(self._clock())
                for named in batch:
                    metrics.PUBLISHED.labels(named.kind).inc()
                self._beat()
                if self._unchecked_bytes >= _CHECK_EVERY_BYTES:
                    self._check_pressure(self._clock())
            self._failures, self._refused = 0, False
        except redis.RedisError as error:
            self._failed(error)

    def _failed(self, error: redis.RedisError) -> None:
        """Schedule the next attempt, after at most 2 s. The source continues to make messages meanwhile."""
        was_refused, self._refused = self._refused, isinstance(error, OutOfMemoryError)
        # A full Redis keeps what it confirmed. A Redis that is killed, even while it is full, may lose it.
        if not self._refused and (was_refused or not self._failures):
            self._buffer.requeue_confirmed()
        self._failures += 1
        metrics.REDIS_ERRORS.inc()
        pause_s = min(2.0, 0.05 * 2 ** min(self._failures, 10)) * (0.5 + self._jitter() / 2)
        self._retry_at = self._clock() + int(pause_s * 1e9)
        _log.warning("redis_unavailable", error=type(error).__name__, buffered=len(self._buffer))

    def _check_pressure(self, now: int) -> None:
        """Read backlog and memory from Redis and derive the pressure. Raises redis.RedisError."""
        self._next_check, self._unchecked_bytes = now + _CHECK_EVERY_NS, 0
        backlog, memory = self._stream.backlog(), self._stream.memory()
        self._pressure = pressure(backlog, self._high_water, memory)
        metrics.BACKLOG.set(backlog)
        metrics.PRESSURE.set(self._pressure)
        if memory is not None:
            metrics.REDIS_MEMORY.set(memory)
