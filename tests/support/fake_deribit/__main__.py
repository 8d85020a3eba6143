"""Run the fake exchange until an interrupt: `python -m tests.support.fake_deribit [--port N] [--rate N]`.

Each ticker's numbers are computed once, and only its timestamp changes: the exchange must cost less than the
generator that a benchmark measures.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from itertools import cycle, islice

from websockets.asyncio.server import broadcast
from websockets.exceptions import ConnectionClosed

from tests.support.fake_deribit.market import Market
from tests.support.fake_deribit.server import Client, FakeDeribit, notification, running

_STEP_S = 0.1


class Flood:
    """Sends `count` tickers of each client's subscriptions in turn, and the price of each index."""

    def __init__(self, exchange: FakeDeribit) -> None:
        self._exchange, self._made_ms = exchange, time.time_ns() // 1_000_000
        self._texts: dict[str, str] = {}
        self._turns: dict[Client, cycle[str]] = {}

    async def send(self, count: int) -> None:
        """Send one step."""
        now = str(time.time_ns() // 1_000_000)
        for client in list(self._exchange.clients):
            channels = sorted(channel for channel in client.channels if channel.startswith("ticker."))
            if not channels:
                continue
            turn = self._turns.setdefault(client, cycle(channels))
            for channel in islice(turn, count):
                broadcast([client.socket], self._text(channel).replace(str(self._made_ms), now))
            with contextlib.suppress(ConnectionClosed):  # the client may leave at any time
                for currency in self._exchange.market.spots:
                    await self._exchange.send_index(client, currency)

    def _text(self, channel: str) -> str:
        if channel not in self._texts:
            data = self._exchange.market.ticker(channel.split(".")[1], self._made_ms)
            self._texts[channel] = notification(channel, data)
        return self._texts[channel]


def main() -> None:
    """Send `rate` tickers a second to each client, in ten steps."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--rate", type=int, default=200)
    wanted = parser.parse_args()
    exchange = FakeDeribit(Market(time.time_ns() // 1_000_000))
    flood = Flood(exchange)
    with running(exchange, wanted.port):
        print(exchange.url, flush=True)
        due = time.monotonic()
        while True:
            exchange.do(flood.send(round(wanted.rate * _STEP_S)))
            due += _STEP_S
            time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
