"""Run a generator's part of Kite: read the list, and keep one session for each connection that it needs.

The list is read again while the exchange is open. If it has new strikes, all connections are opened again
with them. When the list of a new day is due, the connections end before it is read, because a token of the
day before may belong to another instrument.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from time import time_ns
from urllib.parse import urlencode, urlsplit

import structlog

from feed_generator.live.exchange import Connection, Dropped, LiveError, Misconfigured, Unauthorized
from feed_generator.live.kite import account, connections, schedule
from feed_generator.live.kite.account import Account
from feed_generator.live.kite.download import download
from feed_generator.live.kite.market import Market
from feed_generator.live.kite.ticker import Ticker
from feed_generator.live.session import Session
from feed_generator.live.status import Status
from feed_generator.live.ticks import Tick
from feed_generator.live.transport import websocket

_log = structlog.get_logger("kite")

_SHOWN = 2
_PAUSE_S = 4.0
_SLOW_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What the list of a day leads to: the market, and the instruments of each connection."""

    day: date
    market: Market
    shares: Sequence[Sequence[int]]
    subscribed: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a generator receives: `expiries` nearest expiries of each product, over `connections`."""

    products: Sequence[str]
    expiries: int
    connections: int
    url: str
    api_url: str


class Desk:
    """Keeps `wanted` subscribed until it is cancelled. `credentials` reads them; `sink` takes the ticks."""

    def __init__(
        self,
        wanted: Wanted,
        credentials: Callable[[], Account],
        sink: Callable[[Sequence[Tick]], None],
        *,
        now_ns: Callable[[], int] = time_ns,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        seconds_to_reading: Callable[[int], float] = schedule.seconds_to_reading,
    ) -> None:
        self._wanted, self._credentials, self._sink = wanted, credentials, sink
        self._now_ns, self._sleep, self._jitter = now_ns, sleep, jitter
        self._seconds_to_reading = seconds_to_reading
        self.statuses = [Status(spare=number > 0) for number in range(max(1, wanted.connections))]
        """The states of all connections. Those without instruments are spare."""

    async def run(self) -> None:
        """Receive for ever. Ends only by cancellation."""
        plan = await self._plan()
        while True:
            self._use(len(plan.shares))
            plan = await self._receive(plan) or await self._plan()

    async def _receive(self, plan: Plan) -> Plan | None:
        """Receive until the list changes. Return the plan of the new list, or None if a new day begins."""
        async with asyncio.TaskGroup() as tasks:
            sessions = [
                tasks.create_task(self._session(plan, number).run()) for number in range(len(plan.shares))
            ]
            following = await self._following(plan)
            for session in sessions:
                session.cancel()
        for status in self.statuses:
            status.replaced(self._now_ns())
        return following

    async def _following(self, plan: Plan) -> Plan | None:
        """Wait for a list with other contracts. While the exchange is open, it must lack none."""
        while True:
            await asyncio.sleep(self._seconds_to_reading(self._now_ns()))
            if schedule.day_of_list(self._now_ns()) != plan.day:
                return None
            try:
                found = await asyncio.to_thread(self._read_list, plan.market)
            except LiveError as error:
                _log.warning("list_not_read_again", reason=error.reason, error=str(error))
                continue
            new, old = found.market.contracts.items(), plan.market.contracts.items()
            if new > old or (new != old and schedule.is_before_open(self._now_ns())):
                _log.info("instruments_changed", subscribed=found.subscribed)
                return found

    def _use(self, connections: int) -> None:
        for number, status in enumerate(self.statuses):
            status.use(number < connections)

    def _session(self, plan: Plan, number: int) -> Session:
        listings = plan.market.listings() if number == 0 else ()
        return Session(
            Ticker(plan.market, plan.shares[number], plan.subscribed, listings),
            self._connection,
            self._sink,
            self.statuses[number],
            now_ns=self._now_ns,
            sleep=self._sleep,
            jitter=self._jitter,
        )

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        mine = self._credentials()
        query = urlencode({"api_key": mine.api_key, "access_token": mine.access_token})
        host = urlsplit(self._wanted.url).netloc
        try:
            async with websocket(f"{self._wanted.url}?{query}", {"X-Kite-Version": "3"}) as connection:
                yield connection
        except Unauthorized:
            raise account.refused(host) from None
        except Dropped as error:
            raise connections.too_many(host) if error.reason == "RateLimited" else error from None

    async def _plan(self) -> Plan:
        """Return the plan of today's list. Tries again until there is one."""
        while True:
            try:
                return await asyncio.to_thread(self._read_list)
            except LiveError as error:
                self._use(1)
                self.statuses[0].ended(error, self._now_ns())
                _log.warning("no_instrument_list", reason=error.reason, error=str(error))
                await self._sleep(_PAUSE_S if isinstance(error, Dropped) else _SLOW_PAUSE_S)

    def _read_list(self, before: Market | None = None) -> Plan:
        wanted, now_ns = self._wanted, self._now_ns()
        found = download(wanted.api_url, self._credentials(), wanted.products, now_ns)
        if found.skipped:
            _log.warning("instruments_skipped", rows=found.skipped, first=found.first_skipped)
        missing = _shown([f"{name}: {why}" for name, why in found.missing.items()])
        if not found.products:
            raise Misconfigured("UnknownProducts", f"spec.products: {missing}")
        market = Market(
            {
                name: (product.spot_token, product.nearest(wanted.expiries, now_ns))
                for name, product in found.products.items()
            },
            before,
        )
        shares = connections.distribute(market.tokens, wanted.connections)
        plural = "s" if len(shares) > 1 else ""
        subscribed = f"{len(market.tokens)} instruments on {len(shares)} connection{plural}"
        line = f"{subscribed}; not received: {missing}" if missing else subscribed
        return Plan(schedule.day_of_list(now_ns), market, shares, line)


def _shown(problems: Sequence[str]) -> str:
    """Return the first problems and the number of the others: a feed may have 500 products."""
    line, others = "; ".join(problems[:_SHOWN]), len(problems) - _SHOWN
    return f"{line}; and {others} more" if others > 0 else line
