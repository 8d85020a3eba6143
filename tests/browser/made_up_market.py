"""A market that a test publishes itself: a chain of 200 strikes and ticks, as the workers publish them."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.desk import Desk
from tests.support.contracts import example

STRIKES = 200


class Market:
    """One product, which only the live connection knows: nothing of it is stored."""

    def __init__(self, desk: Desk, product: str) -> None:
        self._desk, self._product = desk, product
        self._redis = desk.system.redis()
        self.published = 0

    def opened(self) -> Page:
        """Open the product's chain in the page, and return once a published one is drawn."""
        page = self._desk.open(f"chain/{self._product}")
        expect(page.locator("#notice")).to_contain_text(self._product)
        while page.locator(".ladder tbody tr").count() != STRIKES:
            self.chain()
            page.wait_for_timeout(100)  # ms, in which the browser works
        return page

    def chain(self) -> None:
        """Publish a chain whose prices all differ from the last one's.

        The bid of the at-the-money call is the time of publishing, in seconds modulo 1000.
        """
        message = example("enriched-option_chain")
        strikes = [20_000.0 + 50 * n for n in range(STRIKES)]
        for side in ("calls", "puts"):
            for name, values in message[side].items():
                first = next((value for value in values if value is not None), None)
                changes = isinstance(first, float)
                message[side][name] = [
                    round(first * random.uniform(0.9, 1.1), 4) if changes else first for _ in strikes
                ]
        at_the_money = strikes[STRIKES // 2]
        message |= {"strikes": strikes, "atm_strike": at_the_money, "spot_price": at_the_money + 1.05}
        message["calls"]["bid"][STRIKES // 2] = round(time.time() % 1000, 3)
        self._redis.publish("enriched:option_chain", self._message(message))

    def ticks(self, prices: Iterable[float]) -> None:
        """Publish a tick of the underlying for each price, as quickly as possible."""
        tick = example("enriched-underlying")
        pipeline = self._redis.pipeline(transaction=False)
        for price in prices:
            pipeline.publish("enriched:underlying", self._message(tick | {"price": float(price)}))
        pipeline.execute()

    def _message(self, message: dict[str, Any]) -> str:
        self.published += 1
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        common = {"product": self._product, "mid": f"9:{self.published}", "replay": 0}
        times = {"ts": time.time_ns(), "sent_ts": time.time_ns(), "timestamp": now, "processed_at": now}
        return json.dumps(message | common | times)
