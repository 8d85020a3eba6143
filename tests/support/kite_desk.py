"""A generator's part of Kite in a thread of its own, and what it has sent."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from feed_generator.live.inbox import Inbox
from feed_generator.live.kite import account
from feed_generator.live.kite.desk import Desk, Wanted
from feed_generator.live.source import LiveSource
from feed_generator.live.status import Status
from tests.support.fake_kite import API_KEY, FakeKite

PRODUCTS = ("NIFTY", "SENSEX")


class Runner:
    """A desk in a thread of its own, and what its source has sent so far."""

    def __init__(
        self,
        kite: FakeKite,
        folder: Path,
        products: tuple[str, ...],
        longest_sleep_s: float = 0.05,
        reading_s: float = 3600,
    ) -> None:
        self.kite, self.files = kite, (folder / "api-key", folder / "access-token")
        self.files[0].write_text(f"{API_KEY}\n")
        self.write_token(kite.token)
        self.inbox = Inbox()
        self.source = LiveSource("nse", self.inbox.take, chain_interval_millis=20)
        self.sent: list[dict[str, Any]] = []
        self.desk = Desk(
            Wanted(products=products, expiries=2, connections=3, url=kite.url, api_url=kite.api_url),
            lambda: account.read(*map(str, self.files)),
            self.inbox.put,
            sleep=lambda seconds: asyncio.sleep(min(seconds, longest_sleep_s)),
            seconds_to_reading=lambda now_ns: reading_s,
        )

    @property
    def statuses(self) -> list[Status]:
        """The states of the connections that are needed."""
        return [status for status in self.desk.statuses if not status.spare]

    def write_token(self, token: str) -> None:
        self.files[1].write_text(token)

    def take(self) -> None:
        self.sent += [json.loads(one.body) for one in self.source.advance().messages]

    def until(self, condition: Callable[[], object]) -> None:
        """Take messages until the condition holds. Fails after 20 s."""
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, [status.message for status in self.statuses]
            self.take()
            threading.Event().wait(0.005)

    def connected(self) -> bool:
        return all(status.connected for status in self.statuses)

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.sent if one["kind"] == kind]

    def received_everything(self) -> bool:
        """Return whether the newest quote of every subscribed contract is what the market says."""
        market = self.kite.market
        quotes = {
            (q["product"], q["expiry"], q["strike"], q["option_type"]): q
            for q in self.of_kind("option_quote")
        }
        wanted = [key for key, token in market.keys.items() if token in self.kite.subscribed]
        return bool(wanted) and all(
            key in quotes and quotes[key]["bid"] == market.states[market.keys[key]].bid
            for key in wanted
            if market.keys[key] in market.states
        )


@contextmanager
def running(
    kite: FakeKite, folder: Path, products: tuple[str, ...] = PRODUCTS, **seconds: float
) -> Iterator[Runner]:
    runner = Runner(kite, folder, products, **seconds)
    loop = asyncio.new_event_loop()
    task = loop.create_task(runner.desk.run())

    def run() -> None:
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)

    thread = threading.Thread(target=run, name="desk", daemon=True)
    thread.start()
    try:
        yield runner
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(timeout=20)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
