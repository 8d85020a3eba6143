"""Cache, candles, live events, acknowledgement and the operator's counters: one pipeline a batch.

`latest:*` and `ohlc:*` are written by scripts that commute: whatever order workers come in, the
newest message and the whole bar are what stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import redis

from worker_enricher.adapters.scripts import script
from worker_enricher.adapters.stream import GROUP
from worker_enricher.candles import Bar
from worker_enricher.pipeline import Enriched, Forward, Latest

TTL_S = 86_400
BARS_KEPT = 500
EXPIRIES_KEPT = 64


class _Index(msgspec.Struct):
    """What a worker reads back of a `cache-index` value."""

    spot_price: float | None
    forward: float | None
    discount: float | None


class RedisSink:
    """Writes what a batch led to and acknowledges its entries, in one round trip."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._set_if_newer = client.register_script(script("set_if_newer"))
        self._merge_bars = client.register_script(script("merge_bars"))

    def write(self, stream: str, entry_ids: Sequence[str], enriched: Enriched, busy_us: int) -> None:
        """Cache, publish, acknowledge, count. Repeating it is harmless, so the caller may retry.

        `busy_us`: worker time since the last count. A repetition may count twice, which rates forgive.
        """
        with self._client.pipeline(transaction=False) as pipe:
            for latest in enriched.latest.values():
                self._latest(pipe, latest)
            for (product, minutes), window in enriched.bars.items():
                self._bars(pipe, product, minutes, window)
            for kind, body in enriched.published:
                pipe.publish(f"enriched:{kind}", body)
            if entry_ids:
                pipe.xack(stream, GROUP, *entry_ids)
                pipe.hincrby(f"{stream}:service", "entries", len(entry_ids))
                pipe.hincrby(f"{stream}:service", "batches", 1)
                pipe.hincrby(f"{stream}:service", "busy_us", busy_us)
            pipe.execute()

    def _latest(self, pipe: redis.client.Pipeline, latest: Latest) -> None:
        product = latest.product
        suffix = latest.field.removeprefix("chain:")
        keys = [f"index:{product}", "index:products"]
        if latest.pcr is None:
            keys.append(f"latest:underlying:{product}")
        else:
            keys += [f"latest:chain:{product}:{suffix}", f"latest:pcr:{product}:{suffix}"]
        args: list[str | bytes | int] = [
            latest.field,
            latest.feed,
            latest.order,
            latest.index,
            latest.value,
            latest.pcr or b"",
        ]
        args += [TTL_S, EXPIRIES_KEPT, product]
        self._set_if_newer(keys, args, client=pipe)

    def _bars(self, pipe: redis.client.Pipeline, product: str, minutes: int, window: Iterable[Bar]) -> None:
        args: list[int | float | str] = [TTL_S, BARS_KEPT]
        for bar in window:
            args += [bar.start, *map(repr, bar[1:5]), bar.open_order, bar.close_order]
        self._merge_bars([f"ohlc:{product}:{minutes}m"], args, client=pipe)

    def forwards(self, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Forward]:
        """The cached forwards of (product, expiry) pairs; pairs without one are absent."""
        if not wanted:
            return {}
        with self._client.pipeline(transaction=False) as pipe:
            for product, expiry in wanted:
                pipe.hget(f"index:{product}", f"chain:{expiry}")
            answers = pipe.execute()
        found = {}
        for key, raw in zip(wanted, answers, strict=True):
            index = msgspec.json.decode(raw, type=_Index) if raw else None
            if index and index.forward and index.discount and index.spot_price:
                found[key] = Forward(index.forward, index.discount, index.spot_price)
        return found
