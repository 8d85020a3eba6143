"""Publish enriched messages to a Redis at a steady pace, as enrichers do, for `make bench-live`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import orjson
import redis

EXAMPLES = Path(__file__).parents[1] / "services/contracts/examples"
PRODUCTS = ("NIFTY", "BANKNIFTY", "FINNIFTY", "SENSEX", "SPY", "QQQ", "IWM")
STRIKES = 100


class Market:
    """Ticks of seven products in turn, and one chain of 100 strikes per product and second."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._seq = 0
        self._tick = json.loads((EXAMPLES / "enriched-underlying.json").read_text())
        self._chain = wide(json.loads((EXAMPLES / "enriched-option_chain.json").read_text()), STRIKES)

    def run(self, ticks_a_second: float, seconds: float) -> tuple[int, int]:
        """Publish for `seconds`, each message at its time. Returns the numbers of ticks and chains.

        `ts` and `sent_ts` are the time just before PUBLISH in nanoseconds.
        """
        counts = {"tick": 0, "chain": 0}
        paces = {"tick": ticks_a_second, "chain": float(len(PRODUCTS))}
        started = time.monotonic()
        while (now := time.monotonic() - started) < seconds:
            for kind, pace in paces.items():
                while counts[kind] < now * pace:
                    self._publish(kind, PRODUCTS[counts[kind] % len(PRODUCTS)])
                    counts[kind] += 1
            due = min((counts[kind] + 1) / pace for kind, pace in paces.items())
            time.sleep(max(0.0, min(due, seconds) - (time.monotonic() - started)))
        return counts["tick"], counts["chain"]

    def _publish(self, kind: str, product: str) -> None:
        self._seq += 1
        body = self._tick if kind == "tick" else self._chain
        now_ns = time.time_ns()
        body |= {"product": product, "mid": f"1:{self._seq}", "ts": now_ns, "sent_ts": now_ns}
        channel = "enriched:underlying" if kind == "tick" else "enriched:option_chain"
        self._redis.publish(channel, orjson.dumps(body))


def wide(chain: dict[str, Any], strikes: int) -> dict[str, Any]:
    """Return a chain message or document with `strikes` rows, which repeat those of `chain`."""

    def stretch(column: list[Any]) -> list[Any]:
        return (column * strikes)[:strikes]

    sides = {
        side: {name: stretch(values) for name, values in chain[side].items()} for side in ("calls", "puts")
    }
    return {**chain, "strikes": [100.0 * n for n in range(1, strikes + 1)], **sides}
