"""Keep one connection to an exchange: connect, subscribe, receive, and connect again after a drop.

The pause before a new connection grows from 0.1 s to 4 s, with jitter, so that a thousand clients do not come
back at the same instant. It grows until a connection has lasted 30 s: an exchange that accepts every
subscription and then ends the connection must not be called ten times a second. The pause is 30 s if only a
person can help, for example with a new credential.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog

from feed_generator.live.exchange import (
    BadFrame,
    Connect,
    Connection,
    Dropped,
    Exchange,
    LiveError,
    Reaction,
)
from feed_generator.live.status import Status
from feed_generator.live.ticks import Tick

_log = structlog.get_logger("live")

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 4.0
_SLOW_PAUSE_S = 30.0
_STABLE_NS = 30_000_000_000
_WATCH_EVERY_S = 0.1
_SAY_EVERY_NS = 1_000_000_000
_LOGGED_KINDS = 20
# Deribit's heartbeat comes every 10 s. Kite's ticker has a shorter limit of its own.
_SILENCE_NS = 25_000_000_000


class Session:
    """Runs one `Exchange` over connections from `connect` until it is cancelled. `sink` takes the ticks.

    `now_ns`: ns since the epoch. `jitter`: 0 to 1.
    """

    def __init__(
        self,
        exchange: Exchange,
        connect: Connect,
        sink: Callable[[Sequence[Tick]], None],
        status: Status,
        *,
        now_ns: Callable[[], int] = time.time_ns,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._exchange, self._connect, self._sink, self.status = exchange, connect, sink, status
        self._now_ns, self._sleep, self._jitter = now_ns, sleep, jitter
        self._failures = 0
        self._logged: set[str] = set()

    async def run(self) -> None:
        """Connect and receive for ever. Ends only by cancellation."""
        while True:
            try:
                async with self._connect() as connection:
                    await self._serve(connection)
            except LiveError as error:
                now_ns = self._now_ns()
                if self.status.connected and now_ns - self.status.since_ts >= _STABLE_NS:
                    self._failures = 0
                repeated = not self.status.connected and self.status.message == str(error)
                self.status.ended(error, now_ns)
                say = _log.debug if repeated else _log.warning  # an outage of hours must not fill the log
                say("source_disconnected", reason=error.reason, error=str(error))
                await self._sleep(self._pause_s(error))
                self.status.reconnects += 1

    def _pause_s(self, error: LiveError) -> float:
        if not isinstance(error, Dropped):
            return _SLOW_PAUSE_S
        pause_s: float = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(self._failures, 10))
        self._failures += 1
        return pause_s * (0.5 + self._jitter() / 2)

    async def _serve(self, connection: Connection) -> None:
        """Receive until the connection ends. Raises LiveError."""
        self.status.received_ts = self._now_ns()
        await self._apply(connection, self._exchange.opened(self._now_ns()))
        ended: LiveError | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._receive(connection))
                tasks.create_task(self._watch(connection))
        except* LiveError as errors:
            ended = _first(errors)
        if ended is not None:  # raised here: before Python 3.11.4, `except*` wraps what is raised in it
            raise ended

    async def _receive(self, connection: Connection) -> None:
        status, exchange = self.status, self._exchange
        while True:
            frame = await connection.receive()
            status.received_ts = now_ns = self._now_ns()
            status.frames += 1
            status.frame_bytes += len(frame)
            try:
                reaction = exchange.received(frame, now_ns)
            except BadFrame as error:
                self._refused(error)
                continue
            if reaction.refusal:
                self._refused(BadFrame(reaction.refusal))
            await self._apply(connection, reaction)

    async def _watch(self, connection: Connection) -> None:
        """Do what the exchange's timers ask for, and end a connection that has become silent."""
        said_ns = 0
        while True:
            await self._sleep(_WATCH_EVERY_S)
            now_ns = self._now_ns()
            if now_ns - self.status.received_ts > _SILENCE_NS:
                raise Dropped("Silent", f"no frame for {_SILENCE_NS // 10**9} s, not even a heartbeat")
            await self._apply(connection, self._exchange.waited(now_ns))
            if now_ns >= said_ns + _SAY_EVERY_NS and self.status.connected and (line := self._exchange.ready):
                self.status.receives(line)
                said_ns = now_ns

    async def _apply(self, connection: Connection, reaction: Reaction) -> None:
        status = self.status
        if reaction.ticks:
            self._sink(reaction.ticks)
            status.took(reaction.ticks)
        status.repeated += reaction.repeated
        for frame in reaction.send:
            await connection.send(frame)
        if not status.connected and (message := self._exchange.ready):
            status.ready(message, self._now_ns())
            _log.info("source_connected", subscribed=message, reconnects=status.reconnects)

    def _refused(self, error: BadFrame) -> None:
        self.status.refused += 1
        self.status.refusal = self.status.refusal or str(error)
        if (text := str(error)) not in self._logged and len(self._logged) < _LOGGED_KINDS:
            self._logged.add(text)
            _log.warning("frame_refused", error=text)


def _first(errors: BaseExceptionGroup[LiveError]) -> LiveError:
    """Return the error that ended the connection: both tasks may fail, the receiver knows the reason best."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, LiveError)  # noqa: S101
    return error
