"""Run a generator's part of Kite: read the list, and keep one session for each connection that it needs.

Kite makes a new instrument list each morning at 08:30 in India. Then everything begins again with that list,
before the market opens.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from time import time_ns
from urllib.parse import urlencode, urlsplit

import structlog

from feed_generator.live.exchange import Connection, Dropped, LiveError, Misconfigured, Unauthorized
from feed_generator.live.kite import account, connections
from feed_generator.live.kite.account import Account
from feed_generator.live.kite.download import download
from feed_generator.live.kite.instruments import ZONE
from feed_generator.live.kite.market import Market
from feed_generator.live.kite.ticker import Ticker
from feed_generator.live.session import Session
from feed_generator.live.status import Status
from feed_generator.live.ticks import Tick
from feed_generator.live.transport import websocket

_log = structlog.get_logger("kite")

_NEW_LIST = time(8, 30)
_NS = 1_000_000_000
_PAUSE_S = 4.0
_SLOW_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What one day's list leads to: the market, and the instruments of each connection."""

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
    ) -> None:
        self._wanted, self._credentials, self._sink = wanted, credentials, sink
        self._now_ns, self._sleep, self._jitter = now_ns, sleep, jitter
        self._all = [Status() for _ in range(max(1, wanted.connections))]
        self.statuses: list[Status] = self._all[:1]
        """The states of the connections that the list needs; of the first one while there is no list."""

    async def run(self) -> None:
        """Receive for ever. Ends only by cancellation."""
        while True:
            plan = await self._plan()
            self.statuses[:] = self._all[: len(plan.shares)]
            with suppress(TimeoutError):
                async with (
                    asyncio.timeout(_seconds_to_new_list(self._now_ns())),
                    asyncio.TaskGroup() as tasks,
                ):
                    for number, status in enumerate(self.statuses):
                        tasks.create_task(self._session(plan, number, status).run())

    def _session(self, plan: Plan, number: int, status: Status) -> Session:
        listings = plan.market.listings() if number == 0 else ()
        return Session(
            Ticker(plan.market, plan.shares[number], plan.subscribed, listings),
            self._connection,
            self._sink,
            status,
            now_ns=self._now_ns,
            sleep=self._sleep,
            jitter=self._jitter,
        )

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        mine = self._credentials()
        query = urlencode({"api_key": mine.api_key, "access_token": mine.access_token})
        try:
            async with websocket(f"{self._wanted.url}?{query}", {"X-Kite-Version": "3"}) as connection:
                yield connection
        except Unauthorized:
            raise account.refused(urlsplit(self._wanted.url).netloc) from None

    async def _plan(self) -> Plan:
        """Return the plan of today's list. Tries again until there is one."""
        while True:
            try:
                return await asyncio.to_thread(self._read_list)
            except LiveError as error:
                self.statuses[:] = self._all[:1]
                self.statuses[0].ended(error, self._now_ns())
                _log.warning("no_instrument_list", reason=error.reason, error=str(error))
                await self._sleep(_PAUSE_S if isinstance(error, Dropped) else _SLOW_PAUSE_S)

    def _read_list(self) -> Plan:
        wanted = self._wanted
        found = download(wanted.api_url, self._credentials(), wanted.products, self._now_ns())
        if found.skipped:
            _log.warning("instruments_skipped", rows=found.skipped, first=found.first_skipped)
        missing = "; ".join(f"{name}: {why}" for name, why in found.missing.items())
        if not found.products:
            raise Misconfigured("UnknownProducts", f"spec.products: {missing}")
        now_ns = self._now_ns()
        market = Market(
            {
                name: (product.spot_token, product.nearest(wanted.expiries, now_ns))
                for name, product in found.products.items()
            }
        )
        shares = connections.distribute(market.tokens, wanted.connections)
        subscribed = f"{len(market.tokens)} instruments on {len(shares)} connections"
        return Plan(market, shares, f"{subscribed}; not received: {missing}" if missing else subscribed)


def _seconds_to_new_list(now_ns: int) -> float:
    now = datetime.fromtimestamp(now_ns / _NS, ZONE)
    today = datetime.combine(now, _NEW_LIST, ZONE)
    following = today if now < today else today + timedelta(days=1)
    return (following - now).total_seconds()
