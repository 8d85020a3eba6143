"""Run the fake exchange until an interrupt: `python -m tests.support.fake_deribit [--port N] [--rate N]`."""

from __future__ import annotations

import argparse
import time

from tests.support.fake_deribit.market import Market
from tests.support.fake_deribit.server import FakeDeribit, running


def main() -> None:
    """Send `rate` tickers a second of each currency, in ten steps."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--rate", type=int, default=200)
    wanted = parser.parse_args()
    exchange = FakeDeribit(Market(time.time_ns() // 1_000_000))
    with running(exchange, wanted.port):
        print(exchange.url, flush=True)
        due = time.monotonic()
        while True:
            for currency in exchange.market.spots:
                exchange.tick(currency, wanted.rate // 10)
            due += 0.1
            time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
