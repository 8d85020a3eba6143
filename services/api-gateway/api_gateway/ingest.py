"""Append the messages of another program to the stream of an external feed.

A retry is harmless: Redis keeps the newest mids of the feed, and a document's `_id` is derived from the mid.

OUTAGE POLICY: without Redis the answer is 503. While no operator publishes the feeds table, the last one that
this process has read is used.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from api_gateway import metrics
from api_gateway.errors import BackPressure, FeedNotExternal, FeedsUnavailable, FeedUnknown, StreamUnavailable
from api_gateway.feeds import Feeds
from api_gateway.ingest_lines import Refused, Valid, checked, split

EXTENSION = "deltastream.ingest"
MAX_BODY_BYTES = 1 << 20
REMEMBERED = 32_768
"""At least so many of the newest mids of a feed are known, and at most twice as many: about 4 MiB."""
_REMEMBERED_S = 3600
_TABLE_S = 1.0
_AT_ONCE = 256
"""Messages per call of the script, which occupies Redis for one to five milliseconds."""
MEMORY_LIMIT = 0.8
"""Share of Redis' maxmemory at which the product's own generators pause too."""
_RETRY_S = 2
_GROUP = b"enricher"
_APPEND = (Path(__file__).with_name("lua") / "append_new.lua").read_text()


class _Row(msgspec.Struct):
    name: str
    source: str | None
    products: list[str]
    product_count: int


class _Table(msgspec.Struct):
    feeds: list[_Row]


_table = msgspec.json.Decoder(_Table)  # reads only these members, and skips the long histories


@dataclass
class Ingest:
    """The streams of the external feeds. `high_water` is the backlog of a feed at which it is refused."""

    client: redis.Redis
    feeds: Feeds
    high_water: int
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    _rows: dict[str, _Row] = field(default_factory=dict)
    _read_at: float = float("-inf")
    _reading: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._append = self.client.register_script(_APPEND)

    def take(self, feed: str, body: bytes, content_type: str, traceparent: str) -> dict[str, Any]:
        """Append the messages of a request's body, and return the result of each.

        Raises BadInput, FeedUnknown, FeedNotExternal, FeedsUnavailable, BackPressure or StreamUnavailable.
        After the last two some messages may be appended already.
        """
        row = self._row(feed)
        self._check_pressure(feed)
        # A long list of products is cut off in the table; then only the enrichers know whether to refuse one.
        products = frozenset(row.products) if row.product_count == len(row.products) else frozenset[str]()
        arrived_ms = int(self.clock() * 1000)
        results = list(
            checked(split(body, content_type), feed=feed, products=products, arrived_ms=arrived_ms)
        )
        valid = [one for one in results if isinstance(one, Valid)]
        appended: list[int] = []
        for at in range(0, len(valid), _AT_ONCE):
            appended += self._appended(feed, valid[at : at + _AT_ONCE], traceparent)
        repeated = {one.line for one, new in zip(valid, appended, strict=True) if not new}
        lines = [_line(one, repeated) for one in results]
        counts = {
            "accepted": len(valid) - len(repeated),
            "repeated": len(repeated),
            "refused": len(results) - len(valid),
        }
        for result, count in counts.items():
            metrics.INGESTED.labels(result).inc(count)
        return {"feed": feed, **counts, "lines": lines}

    def _row(self, feed: str) -> _Row:
        """Return the feed's row of the table. Raises FeedUnknown, FeedNotExternal or FeedsUnavailable."""
        row = self._known().get(feed)
        if row is None:
            raise FeedUnknown(f"no feed {feed}: /api/feeds lists the feeds")
        if row.source != "external":
            raise FeedNotExternal(
                f"the feed {feed} has the source {row.source or '(its spec cannot be read)'}: only a feed"
                " with spec.source.external takes messages; push to such a feed, or change the source"
            )
        return row

    def _known(self) -> dict[str, _Row]:
        with self._reading:
            if self.monotonic() - self._read_at >= _TABLE_S:
                try:
                    table = _table.decode(self.feeds.table())
                    self._rows = {row.name: row for row in table.feeds}
                except FeedsUnavailable:
                    if not self._rows:
                        raise
                self._read_at = self.monotonic()
            return self._rows

    def _check_pressure(self, feed: str) -> None:
        """Raise BackPressure if the feed's backlog or Redis' memory has reached its limit."""
        with self.client.pipeline(transaction=False) as pipe:
            pipe.xlen(f"feed:{feed}")
            pipe.xinfo_groups(f"feed:{feed}")
            pipe.info("memory")
            try:
                length, groups, memory = pipe.execute(raise_on_error=False)
            except redis.RedisError as error:
                raise _unavailable(error) from error
        if isinstance(length, redis.RedisError):
            raise _unavailable(length) from length
        backlog = _backlog(length, groups)
        if backlog >= self.high_water:
            raise BackPressure(
                f"{backlog} messages of the feed wait for its enrichers, and the limit is {self.high_water};"
                " wait as Retry-After says, and send the same messages again",
                _RETRY_S,
            )
        if _memory_share(memory) >= MEMORY_LIMIT:
            raise _full()

    def _appended(self, feed: str, messages: Sequence[Valid], traceparent: str) -> list[int]:
        keys = [f"feed:{feed}", f"feed:{feed}:mids", f"feed:{feed}:mids:older"]
        given = [part for one in messages for part in (one.mid, one.kind, one.body)]
        try:
            found: list[int] = self._append(keys, [REMEMBERED, _REMEMBERED_S, traceparent, *given])
        except redis.OutOfMemoryError:
            raise _full() from None
        except redis.RedisError as error:
            raise _unavailable(error) from error
        return found


def connect(redis_url: str, feeds: Feeds, high_water: int) -> Ingest:
    """Return the ingest into the Redis at this URL. A call fails after 2 s without an answer."""
    retry = Retry(NoBackoff(), 1)  # for a connection that was closed while it was idle
    client = redis.Redis.from_url(redis_url, socket_connect_timeout=0.5, socket_timeout=2.0, retry=retry)
    return Ingest(client, feeds, high_water)


def _backlog(length: int, groups: Any) -> int:
    """Return the entries that are not processed: undelivered plus unacknowledged, or all without a group."""
    if isinstance(groups, redis.RedisError):  # no stream yet
        return 0
    group = next((one for one in groups if one["name"] == _GROUP), None)
    # Redis cannot compute the lag after entries were deleted from the middle of the stream.
    if group is None or group["lag"] is None:
        return length
    return int(group["lag"]) + int(group["pending"])


def _memory_share(memory: Any) -> float:
    """Return the share of maxmemory in use; 0 without a limit or without the right to read it."""
    if isinstance(memory, redis.RedisError) or not memory.get("maxmemory"):
        return 0.0
    used = int(memory["used_memory"]) - int(memory.get("mem_not_counted_for_evict", 0))
    return float(used / memory["maxmemory"])


def _full() -> BackPressure:
    return BackPressure(
        f"Redis uses {MEMORY_LIMIT:.0%} of its memory or more, which all feeds share; wait as Retry-After"
        " says, and send the same messages again",
        _RETRY_S,
    )


def _unavailable(error: redis.RedisError) -> StreamUnavailable:
    return StreamUnavailable(
        f"Redis does not answer ({type(error).__name__}): send the same messages again; those that were"
        " appended already are answered as repeated"
    )


def _line(result: Valid | Refused, repeated: set[int]) -> dict[str, Any]:
    if isinstance(result, Valid):
        outcome = "repeated" if result.line in repeated else "accepted"
        return {"line": result.line, "mid": result.mid, "result": outcome}
    return {
        "line": result.line,
        "mid": result.mid,
        "result": "refused",
        "reason": result.reason,
        "field": result.field,
        "detail": result.detail,
        "fix": result.fix,
    }
