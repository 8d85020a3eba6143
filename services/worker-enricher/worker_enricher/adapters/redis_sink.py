"""Write a batch's results to Redis in one pipeline: cache, candles, live events, acknowledgement, counters.

The scripts that write `latest:*` and `ohlc:*` are commutative: in whatever order workers run them, the newest
message and the complete bar remain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import redis

from worker_enricher.adapters.scripts import script
from worker_enricher.adapters.stream import GROUP
from worker_enricher.candles import Bar
from worker_enricher.identity import Kind, epoch_of
from worker_enricher.results import Enriched, Forward, Latest
from worker_enricher.series import Key, Known

TTL_S = 86_400
BARS_KEPT = 500
EXPIRIES_KEPT = 64
_PUBLISHED_BYTES = 1 << 14  # bodies in one command: Redis reads about this much at a time
# In the order of loading. `acknowledge` is last: if Redis knows it, Redis knows all of them.
_SCRIPTS = ("set_if_newer", "merge_bars", "publish", "acknowledge")


class _Index(msgspec.Struct):
    """The fields of a `cache-index` value that a worker reads."""

    spot_price: float | None
    forward: float | None
    discount: float | None
    feed: str = ""
    order: str = ""
    series: str | None = None


class RedisSink:
    """Writes the results of a batch and acknowledges its entries, in one round trip."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._scripts = {name: client.register_script(script(name)) for name in _SCRIPTS}

    def write(self, stream: str, entry_ids: Sequence[str], enriched: Enriched, busy_us: int) -> None:
        """Cache, publish, acknowledge and count the entries of a batch. The caller may retry it.

        `busy_us` is the worker's time since the last count, in microseconds. A retry may count it twice; the
        error in the rates is negligible.
        """
        try:
            self._write(stream, entry_ids, enriched, busy_us)
        except redis.exceptions.NoScriptError:
            # A restarted Redis knows no script, so it acknowledged nothing. Load the scripts only then:
            # a check before each batch costs a round trip.
            for made in self._scripts.values():
                self._client.script_load(made.script)
            self._write(stream, entry_ids, enriched, busy_us)

    def _write(self, stream: str, entry_ids: Sequence[str], enriched: Enriched, busy_us: int) -> None:
        with self._client.pipeline(transaction=False) as pipe:
            for latest in enriched.latest.values():
                self._latest(pipe, latest)
            if enriched.bars:
                self._bars(pipe, enriched.bars)
            for part in _parts(enriched.published):
                self._run(pipe, "publish", [], part)
            if entry_ids:
                self._run(pipe, "acknowledge", [stream, f"{stream}:service"], [GROUP, busy_us, *entry_ids])
            pipe.execute()

    def _run(self, pipe: redis.client.Pipeline, name: str, keys: Sequence[str], args: Iterable[Any]) -> None:
        pipe.evalsha(self._scripts[name].sha, len(keys), *keys, *args)

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
        args += [TTL_S, EXPIRIES_KEPT, product, latest.series]
        self._run(pipe, "set_if_newer", keys, args)

    def _bars(self, pipe: redis.client.Pipeline, bars: Mapping[tuple[str, int], Sequence[Bar]]) -> None:
        args: list[int | float | str] = [TTL_S, BARS_KEPT]
        for number, window in enumerate(bars.values(), start=1):
            for bar in window:
                args += [number, bar.start, *map(repr, bar[1:5]), bar.open_order, bar.close_order]
        self._run(pipe, "merge_bars", [f"ohlc:{product}:{minutes}m" for product, minutes in bars], args)

    def forwards(self, wanted: Sequence[Key]) -> dict[Key, Forward]:
        """Return the cached forwards. Keys without a cached forward are missing."""
        return {
            key: Forward(index.forward, index.discount, index.spot_price, index.series)
            for key, index in self._index(wanted)
            if index.forward and index.discount and index.spot_price
        }

    def series(self, feed: str, wanted: Sequence[Key]) -> dict[Key, Known]:
        """Return the series of a feed's cached chains. Keys without one are missing.

        Chains of a feed that had the product before say nothing about this feed's epochs.
        """
        return {
            key: Known(epoch_of(index.order), index.series)
            for key, index in self._index(wanted)
            if index.series and index.feed == feed
        }

    def _index(self, wanted: Sequence[Key]) -> Iterator[tuple[Key, _Index]]:
        if not wanted:
            return
        with self._client.pipeline(transaction=False) as pipe:
            for product, expiry in wanted:
                pipe.hget(f"index:{product}", f"chain:{expiry}")
            answers = pipe.execute()
        for key, raw in zip(wanted, answers, strict=True):
            if raw:
                yield key, msgspec.json.decode(raw, type=_Index)


def _parts(published: Sequence[tuple[Kind, bytes]]) -> Iterator[list[str | bytes]]:
    """Yield lists of alternating channels and bodies, each with at most about 16 KiB of bodies."""
    part: list[str | bytes] = []
    size = 0
    for kind, body in published:
        part += [f"enriched:{kind}", body]
        size += len(body)
        if size > _PUBLISHED_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part
