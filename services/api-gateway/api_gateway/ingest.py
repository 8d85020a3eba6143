"""Append the messages of another program to the stream of an external feed.

A retry is harmless: Redis keeps the newest mids of the feed, and a document's `_id` is derived from the mid.

OUTAGE POLICY: without Redis the answer is 503. While no operator publishes the external feeds, those that it
published last take messages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from api_gateway import external_feeds, metrics
from api_gateway.errors import BackPressure, StreamUnavailable
from api_gateway.external_feeds import EXTERNAL, ExternalFeed
from api_gateway.feeds import Feeds
from api_gateway.ingest_lines import Refused, Valid, checked, other_message, split
from api_gateway.ingest_turns import Turns

EXTENSION = "deltastream.ingest"
MAX_BODY_BYTES = 1 << 20
REMEMBERED = 32_768
"""At least so many of the newest mids of a feed are known, and at most twice as many: about 4 MiB."""
_REMEMBERED_S = 3600
_AT_ONCE = 256
"""Messages per call of the script, which occupies Redis for one to five milliseconds."""
MEMORY_LIMIT = 0.8
"""Share of Redis' maxmemory at which the product's own generators pause too."""
_RETRY_S = 2
_REPEATED, _OTHER, _UNKNOWN = 0, -1, -2  # the script's answers for a message that it does not append
_GROUP = b"enricher"
_APPEND = (Path(__file__).with_name("lua") / "append_new.lua").read_text()


@dataclass
class Ingest:
    """The streams of the external feeds. `high_water` is the backlog of a feed at which it is refused."""

    client: redis.Redis
    feeds: Feeds
    high_water: int
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self._append = self.client.register_script(_APPEND)
        self._turns = Turns()

    def take(
        self, feed: str, account: str, body: bytes, content_type: str, traceparent: str
    ) -> dict[str, Any]:
        """Append the messages of an account's request, and return the result of each.

        Raises BadInput, FeedUnknown, FeedNotExternal, FeedsUnavailable, BackPressure or StreamUnavailable.
        After the last two some messages may be appended already.
        """
        with self._turns.of(account):
            return self._take(feed, body, content_type, traceparent)

    def _take(self, feed: str, body: bytes, content_type: str, traceparent: str) -> dict[str, Any]:
        external = self._ready(feed)
        arrived_ms = int(self.clock() * 1000)
        results = list(
            checked(split(body, content_type), feed=feed, external=external, arrived_ms=arrived_ms)
        )
        valid = [(at, one) for at, one in enumerate(results) if isinstance(one, Valid)]
        repeated = set()
        for first in range(0, len(valid), _AT_ONCE):
            part = valid[first : first + _AT_ONCE]
            appended = self._appended(feed, [one for _, one in part], traceparent)
            for (at, one), outcome in zip(part, appended, strict=True):
                if outcome == _REPEATED:
                    repeated.add(at)
                elif outcome == _OTHER:
                    results[at] = other_message(one)
                elif outcome == _UNKNOWN and one.unless_known:
                    results[at] = one.unless_known
        lines = [_line(one, at in repeated) for at, one in enumerate(results)]
        counts = {
            name: sum(line["result"] == name for line in lines)
            for name in ("accepted", "repeated", "refused")
        }
        for result, count in counts.items():
            metrics.INGESTED.labels(result).inc(count)
        return {"feed": feed, **counts, "lines": lines}

    def _ready(self, feed: str) -> ExternalFeed:
        """Return the external feed, which can take messages now.

        Raises FeedUnknown, FeedNotExternal, FeedsUnavailable, BackPressure or StreamUnavailable.
        """
        with self.client.pipeline(transaction=False) as pipe:
            pipe.hget(EXTERNAL, feed)
            pipe.xlen(f"feed:{feed}")
            pipe.xinfo_groups(f"feed:{feed}")
            pipe.info("memory")
            try:
                external, length, groups, memory = pipe.execute(raise_on_error=False)
            except redis.RedisError as error:
                raise _unavailable(error) from error
        for answer in (external, length):
            if isinstance(answer, redis.RedisError):
                raise _unavailable(answer) from answer
        if external is None:
            external_feeds.refuse(feed, self.feeds.table())
        backlog = _backlog(length, groups)
        if backlog >= self.high_water:
            raise BackPressure(
                f"{backlog} messages of the feed wait for its enrichers, and the limit is {self.high_water};"
                " wait as Retry-After says, and send the same messages again",
                _RETRY_S,
            )
        if _memory_share(memory) >= MEMORY_LIMIT:
            raise _full()
        return external_feeds.read(external)

    def _appended(self, feed: str, messages: Sequence[Valid], traceparent: str) -> list[int]:
        """Return 1 for each message that was appended, else _REPEATED, _OTHER or _UNKNOWN."""
        keys = [f"feed:{feed}", f"feed:{feed}:pushed", f"feed:{feed}:pushed:older"]
        given = [
            part
            for one in messages
            for part in (one.mid, one.fingerprint, one.kind, b"" if one.unless_known else one.body)
        ]
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
    if isinstance(groups, redis.RedisError):  # there is no stream, or the right to read its groups is missing
        return length
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
    if "last possible ID" in str(error):
        return StreamUnavailable(
            "the stream of the feed has reached its last id, because a program gave an entry that id: once"
            " its entries are processed, delete the stream in Redis"
        )
    return StreamUnavailable(
        f"Redis does not answer ({type(error).__name__}): send the same messages again; those that were"
        " appended already are answered as repeated"
    )


def _line(result: Valid | Refused, repeated: bool) -> dict[str, Any]:
    if isinstance(result, Valid):
        return {"line": result.line, "mid": result.mid, "result": "repeated" if repeated else "accepted"}
    return {
        "line": result.line,
        "mid": result.mid,
        "result": "refused",
        "reason": result.reason,
        "field": result.field,
        "detail": result.detail,
        "fix": result.fix,
    }
