"""Show one live line for each product, read from the cache that the enrichers write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TextIO

from deltastream_operator.domain.feed import Feed

if TYPE_CHECKING:
    from redis import Redis

HEAD = f"{'product':<12}{'price':>12}  {'expiry':<11}{'PCR':>7}{'max pain':>11}{'ATM IV':>9}  feed"


class Board:
    """Builds the live lines. A rate is the stream's growth since the previous call, per second."""

    def __init__(
        self, client: Redis, feeds: Callable[[], Iterable[Feed]], monotonic: Callable[[], float]
    ) -> None:
        self._redis, self._feeds, self._now = client, feeds, monotonic
        self._counts: dict[str, tuple[float, int]] = {}

    def lines(self) -> dict[str, str | None]:
        """Return each product's line, or None if nothing is cached for it yet. Raises redis.RedisError."""
        result: dict[str, str | None] = {}
        for feed in self._feeds():
            rate = self._rate(feed.name)
            for product in feed.products:
                result[product] = self._line(product, f"{feed.name} {rate}")
        return result

    def _rate(self, feed: str) -> str:
        from redis import ResponseError

        try:
            info: Any = self._redis.xinfo_stream(f"feed:{feed}")
        except ResponseError:  # no stream yet
            return ""
        now, count = self._now(), int(info["entries-added"])
        then, before = self._counts.get(feed, (now, count))
        self._counts[feed] = now, count
        return f"{max(0, count - before) / (now - then):,.0f} messages/s" if now > then else ""

    def _line(self, product: str, feed: str) -> str | None:
        tick = _object(self._redis.get(f"latest:underlying:{product}"))
        index: Any = self._redis.hkeys(f"index:{product}")
        expiries = sorted(key.partition(b":")[2].decode() for key in index if key.startswith(b"chain:"))
        chain = _object(self._redis.get(f"latest:chain:{product}:{expiries[0]}")) if expiries else {}
        if not tick and not chain:
            return None
        price = tick.get("price") or chain.get("spot_price")
        numbers = (_number(chain.get("pcr_oi"), ".3f"), _number(chain.get("max_pain_strike"), ",.0f"))
        volatility = _number(chain.get("atm_iv"), ".1%")
        expiry = chain.get("expiry") or "-"
        return (
            f"{product:<12}{_number(price, ',.2f'):>12}  {expiry:<11}{numbers[0]:>7}{numbers[1]:>11}"
            f"{volatility:>9}  {feed}"
        )


def _object(raw: Any) -> dict[str, Any]:
    value = json.loads(raw) if raw else {}
    return value if isinstance(value, dict) else {}


def _number(value: Any, form: str) -> str:
    return format(value, form) if isinstance(value, (int, float)) else "-"


class Screen:
    """Prints messages. On a terminal the live lines stay below them and refresh in place."""

    PERIOD_S = 30.0  # between two prints of a line, if the output is not a terminal

    def __init__(self, out: TextIO, monotonic: Callable[[], float], *, width: int = 110) -> None:
        self._out, self._now, self._width = out, monotonic, width
        self._tty = out.isatty()
        self._drawn: list[str] = []
        self._printed: dict[str, float] = {}

    def say(self, message: str) -> None:
        """Print a message above the live lines."""
        self._erase()
        print(message, file=self._out, flush=True)
        self._draw(self._drawn)

    def show(self, lines: dict[str, str | None]) -> None:
        """Refresh the lines. Without a terminal, print each line at once and then every PERIOD_S seconds."""
        if self._tty:
            self._erase()
            waiting = [product for product, line in lines.items() if line is None]
            shown = [HEAD, *(line for line in lines.values() if line)]
            if waiting:
                shown.append(f"waiting for {', '.join(waiting[:10])}{' …' if len(waiting) > 10 else ''}")
            self._draw([line[: self._width] for line in shown])
            return
        now = self._now()
        for product, line in lines.items():
            if line and now >= self._printed.get(product, now):
                print(line, file=self._out, flush=True)
                self._printed[product] = now + self.PERIOD_S

    def close(self) -> None:
        """Remove the live lines from the screen."""
        self._erase()
        self._drawn = []

    def _erase(self) -> None:
        if self._tty and self._drawn:
            self._out.write(f"\x1b[{len(self._drawn)}F\x1b[J")
            self._out.flush()

    def _draw(self, lines: list[str]) -> None:
        if self._tty:
            self._drawn = lines
            self._out.writelines(f"{line}\n" for line in lines)
            self._out.flush()
