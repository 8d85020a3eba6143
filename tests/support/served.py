"""Check what a live source serves: each number of a chain is its newest quote, with that quote's age."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class Served:
    """Takes a source's messages in their order.

    `newest`: the last quote by product, expiry, strike and side. `doubled`: quotes that equal the one before.
    `old_legs`: legs of chains that were older than their chain.
    """

    def __init__(self) -> None:
        self.newest: dict[tuple[str, str, float, str], dict[str, Any]] = {}
        self.doubled = self.old_legs = 0

    def take(self, messages: Iterable[dict[str, Any]]) -> None:
        """Compare each chain with the quotes before it. Fails if a leg looks fresher than its quote is."""
        for one in messages:
            if one["kind"] == "option_quote":
                key = one["product"], one["expiry"], one["strike"], one["option_type"]
                self.doubled += self.newest.get(key) == one
                self.newest[key] = one
            elif one["kind"] == "option_chain":
                self._compare(one, "CALL", one["calls"])
                self._compare(one, "PUT", one["puts"])

    def _compare(self, chain: dict[str, Any], side: str, legs: dict[str, Any]) -> None:
        for at, strike in enumerate(chain["strikes"]):
            quote = self.newest.get((chain["product"], chain["expiry"], strike, side))
            prices, age_ms = (legs["bid"][at], legs["ask"][at]), legs["quote_age_ms"][at]
            if quote is None:
                assert (*prices, age_ms) == (0, 0, None)
                continue
            assert prices == (quote["bid"], quote["ask"])
            assert age_ms == (chain["ts"] - quote["ts"]) // 1_000_000 >= 0
            self.old_legs += age_ms > 0


def resident_bytes() -> int:
    """Return the memory of this process without garbage."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
