"""Let the fake exchange send tickers on its own, as a market does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.fake_deribit.server import FakeDeribit


@contextmanager
def ticking(exchange: FakeDeribit) -> Iterator[None]:
    """Send tickers of bitcoin four times a second for the duration of a block."""
    over = threading.Event()

    def tick() -> None:
        while not over.wait(0.25):
            exchange.tick("BTC", 60)

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
