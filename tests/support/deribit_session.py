"""A Deribit session in a thread of its own, with the clocks that it shares with the fake exchange."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any

from devcluster.waiting import wait_until

from feed_generator.live.deribit.exchange import Deribit
from feed_generator.live.inbox import Inbox
from feed_generator.live.session import Session
from feed_generator.live.source import LiveSource
from feed_generator.live.status import Status
from feed_generator.live.thread import SessionThread
from feed_generator.live.transport import websocket

SCALE = 20
"""The fake exchange's heartbeats come so many times as often as those of the real one."""
SHORT_WAIT_S = 0.1
"""The time between two looks of the session at its timers."""


class PatientClock:
    """The time of one test, in ns. The session's pauses move it; its short waits and readings only a little.

    A starved machine therefore causes no timeout of the session, and no two tickers have the same time.
    """

    def __init__(self) -> None:
        self._ns, self._lock = time.time_ns(), threading.Lock()

    def advance(self, seconds: float) -> int:
        """Move on. Returns the new time."""
        with self._lock:
            self._ns += int(seconds * 1e9)
            return self._ns

    def now_ns(self) -> int:
        return self.advance(0.001)

    def now_ms(self) -> int:
        return self.now_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds if seconds > SHORT_WAIT_S else 0.001)
        await asyncio.sleep(min(seconds, 0.005))


class Client:
    """A session in its thread, and the messages that its source makes."""

    def __init__(
        self,
        url: str,
        clock: PatientClock,
        *,
        products: tuple[str, ...] = ("BTC",),
        currencies: tuple[str, ...] = (),
        expiries: int = 2,
        strikes: int = 3,
    ) -> None:
        self.status, self.inbox = Status(), Inbox()
        self.source = LiveSource("deribit-btc", self.inbox.take, chain_interval_millis=100)
        self.pauses: list[float] = []
        self._clock = clock
        exchange = Deribit(products, currencies or products, expiries=expiries, strikes_per_side=strikes)
        session = Session(
            exchange,
            lambda: websocket(url),
            self.inbox.put,
            self.status,
            now_ns=clock.now_ns,
            sleep=self._sleep,
        )
        self._thread = SessionThread([session])
        self.messages: list[dict[str, Any]] = []

    async def _sleep(self, seconds: float) -> None:
        if seconds != SHORT_WAIT_S:
            self.pauses.append(seconds)
        await self._clock.sleep(seconds)

    def __enter__(self) -> Client:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.stop()
        assert self._thread.failure is None

    def drain(self) -> list[dict[str, Any]]:
        """Make messages of what has come, and return those."""
        made = [json.loads(message.body) for message in self.source.advance().messages]
        self.messages += made
        return made

    def quotes(self) -> list[dict[str, Any]]:
        """All quotes so far."""
        self.drain()
        return [message for message in self.messages if message["kind"] == "option_quote"]

    def wait_connected(self) -> None:
        wait_until(lambda: self.status.connected, self.status.reason)

    def wait_reason(self, reason: str) -> None:
        wait_until(lambda: self.status.reason == reason, self.status.reason)
