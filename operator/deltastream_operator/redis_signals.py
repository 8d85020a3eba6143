"""Read the load of all feeds from Redis: one pipeline a tick, and two more for feeds with open entries.

The backlog is the stream's lag plus its pending entries. A Celery queue does not show it: the queue lacks the
tasks that workers have taken. Rates are differences of counters that only grow. A key that cannot be read
makes only its own feed Unknown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from deltastream_operator.domain.capacity import service_seconds
from deltastream_operator.domain.signals import WAITING, Reading, Signals, Unknown
from deltastream_operator.domain.source import Report
from deltastream_operator.ports import Clock
from deltastream_operator.source_reports import fresh

GROUP = "enricher"
WINDOW_S = 10.0  # long enough that one batch more or less does not look like a trend
_COUNTERS = ("entries", "batches", "busy_us")
_BROKER_DATABASE = 1
# kombu keeps one list for each priority. The separator is kombu's default.
_PRIORITIES = ("", "\x06\x163", "\x06\x166", "\x06\x169")
_TIMEOUT_S = 1.0
_COUNTER_MAX = 2**63 - 1  # the largest value of HINCRBY


@dataclass(frozen=True, kw_only=True)
class _Raw:
    """The numbers in Redis' replies for one feed."""

    added: int
    lag: int
    pending: int
    last_delivered: str
    entries: int
    batches: int
    busy_us: int
    reports: Mapping[int, Report]


class _UnreadableError(Exception):
    """A key of one feed has an unexpected type or value. `unknown` is the reading that results."""

    def __init__(self, key: str, why: object) -> None:
        super().__init__(key)
        self.unknown = Unknown(reason="KeyUnreadable", message=f"Redis: {key}: {str(why)[:200]}")


class RedisSignals:
    """The SignalSource that reads Redis.

    `url` names database 0, which holds the streams. The Celery queues are in database 1 of the same server.
    """

    def __init__(self, url: str, clock: Clock) -> None:
        options: dict[str, Any] = {
            "decode_responses": True,
            "encoding_errors": "replace",  # an entry may hold any bytes; only its id is used
            "retry": Retry(NoBackoff(), 1),  # one retry for a stale connection; the next tick reads again
            "socket_timeout": _TIMEOUT_S,
            "socket_connect_timeout": _TIMEOUT_S,
        }
        self._streams = redis.Redis.from_url(url, **options)
        self._queues = redis.Redis.from_url(url, **options)
        self._queues.connection_pool.connection_kwargs["db"] = _BROKER_DATABASE
        self._clock = clock
        self._memory: float | None = None
        self._history: dict[str, deque[tuple[float, _Raw]]] = {}
        self._service: dict[str, float] = {}

    def read(self, feeds: Sequence[str]) -> Mapping[str, Reading]:
        """Return one reading for each feed.

        An outage makes all feeds Unknown. A key that cannot be read makes only its own feed Unknown.
        """
        for gone in self._history.keys() - set(feeds):
            self._history.pop(gone)
            self._service.pop(gone, None)
        unreadable: dict[str, Unknown] = {}
        try:
            raw = self._streams_of(feeds, unreadable)
            oldest = self._oldest(raw, unreadable)
            queued = self._queued([feed for feed, one in raw.items() if one.pending or one.lag], unreadable)
        except redis.RedisError as error:
            return dict.fromkeys(feeds, _unknown(error))
        now, wall_ms = self._clock.monotonic(), self._clock.time() * 1000
        return {
            feed: unreadable.get(feed)
            or self._reading(feed, raw[feed], _age_s(oldest.get(feed), wall_ms), queued.get(feed, 0), now)
            for feed in feeds
        }

    def _streams_of(self, feeds: Sequence[str], unreadable: dict[str, Unknown]) -> dict[str, _Raw]:
        with self._streams.pipeline(transaction=False) as pipe:
            for feed in feeds:
                pipe.xinfo_stream(f"feed:{feed}")
                pipe.xinfo_groups(f"feed:{feed}")
                pipe.hmget(f"feed:{feed}:service", _COUNTERS)
                pipe.hgetall(f"feed:{feed}:source")
            pipe.info("memory")
            *answers, memory = pipe.execute(raise_on_error=False)
        self._memory = _share_in_use(memory)
        found = {}
        for index, feed in enumerate(feeds):
            try:
                found[feed] = _raw(feed, answers[4 * index : 4 * index + 4], self._clock.time())
            except _UnreadableError as error:
                unreadable[feed] = error.unknown
        return found

    def _oldest(self, raw: Mapping[str, _Raw], unreadable: dict[str, Unknown]) -> dict[str, str]:
        """Return the id of each feed's oldest open entry: the oldest pending one, else the first unread."""
        pending = [feed for feed, one in raw.items() if one.pending]
        unread = [feed for feed, one in raw.items() if one.lag]
        with self._streams.pipeline(transaction=False) as pipe:
            for feed in unread:
                pipe.xrange(f"feed:{feed}", min=f"({raw[feed].last_delivered}", count=1)
            for feed in pending:
                pipe.xpending(f"feed:{feed}", GROUP)
            answers = pipe.execute(raise_on_error=False) if pending or unread else []
        found: dict[str, str] = {}
        for index, feed in enumerate([*unread, *pending]):
            try:
                answer = _checked(f"feed:{feed}", answers[index])
            except _UnreadableError as error:
                unreadable[feed] = error.unknown
                continue
            oldest = (answer[0][0] if answer else None) if index < len(unread) else (answer or {}).get("min")
            if oldest:
                found[feed] = oldest
        return found

    def _queued(self, feeds: Sequence[str], unreadable: dict[str, Unknown]) -> dict[str, int]:
        """Return the number of queued Celery tasks of the given feeds, which are those with open entries."""
        with self._queues.pipeline(transaction=False) as pipe:
            for feed in feeds:
                for priority in _PRIORITIES:
                    pipe.llen(f"enrich.{feed}{priority}")
            answers = pipe.execute(raise_on_error=False)
        found = {}
        size = len(_PRIORITIES)
        for index, feed in enumerate(feeds):
            lengths = answers[size * index : size * index + size]
            try:
                found[feed] = sum(_checked(f"enrich.{feed}", length) or 0 for length in lengths)
            except _UnreadableError as error:
                unreadable[feed] = error.unknown
        return found

    def _reading(self, feed: str, raw: _Raw, oldest_s: float, queued: int, now: float) -> Reading:
        history = self._history.setdefault(feed, deque())
        if history and not _grew(history[-1][1], raw):
            history.clear()
            self._service.pop(feed, None)
            history.append((now, raw))
            return Unknown(reason="CountersReset", message="Redis has lost data; rates need a second reading")
        while len(history) > 1 and now - history[1][0] >= WINDOW_S:
            history.popleft()
        history.append((now, raw))
        then, first = history[0]
        if now <= then:
            return WAITING
        cost = service_seconds(
            entries=raw.entries - first.entries,
            batches=raw.batches - first.batches,
            busy_us=raw.busy_us - first.busy_us,
        )
        if cost is not None:
            self._service[feed] = cost
        return Signals(
            lag=raw.lag,
            pending=raw.pending,
            oldest_seconds=oldest_s,
            queued_tasks=queued,
            arrivals_per_second=(raw.added - first.added) / (now - then),
            service_seconds=self._service.get(feed),
            redis_memory=self._memory,
            reports=raw.reports,
        )


def _checked(key: str, answer: Any) -> Any:
    """Return the reply, or None if the stream, group or list does not exist yet. Raises _UnreadableError."""
    if not isinstance(answer, Exception):
        return answer
    if _means_missing(answer):
        return None
    raise _UnreadableError(key, answer)


def _raw(feed: str, answers: Sequence[Any], now_s: float) -> _Raw:
    """Return the content of four replies. A stream, group or counter that does not exist yet counts as zero.

    Raises _UnreadableError if a key has an unexpected type or value.
    """
    stream_key, counters_key = f"feed:{feed}", f"feed:{feed}:service"
    stream, groups = _checked(stream_key, answers[0]), _checked(stream_key, answers[1])
    counters = _checked(counters_key, answers[2]) or (None,) * len(_COUNTERS)
    added = int((stream or {}).get("entries-added", 0))
    length = int((stream or {}).get("length", 0))
    group = next((found for found in groups or [] if found["name"] == GROUP), None)
    lag = length if group is None or group["lag"] is None else int(group["lag"])
    entries, batches, busy_us = (
        _counter(counters_key, name, value) for name, value in zip(_COUNTERS, counters, strict=True)
    )
    return _Raw(
        added=added,
        lag=lag,
        pending=int(group["pending"]) if group else 0,
        last_delivered=group["last-delivered-id"] if group else "0-0",
        entries=entries,
        batches=batches,
        busy_us=busy_us,
        reports=fresh(_checked(f"feed:{feed}:source", answers[3]) or {}, now_s),
    )


def _counter(key: str, name: str, value: str | None) -> int:
    if value is None:
        return 0
    if not (value.isascii() and value.isdigit() and len(value) < 20 and int(value) <= _COUNTER_MAX):
        raise _UnreadableError(key, f"{name} is {value[:30]!r}; it must be a whole number from 0 to 2^63-1")
    return int(value)


def _share_in_use(answer: Any) -> float | None:
    """Return used memory as a share of `maxmemory`, or None without a limit or without the right to ask.

    The Redis user of an older release's Secret has no such right.
    """
    if isinstance(answer, Exception) or not answer.get("maxmemory"):
        return None
    used = int(answer["used_memory"]) - int(answer.get("mem_not_counted_for_evict", 0))
    return used / int(answer["maxmemory"])


def _means_missing(error: Exception) -> bool:
    text = str(error)
    return text.startswith("no such key") or "NOGROUP" in text


def _grew(before: _Raw, after: _Raw) -> bool:
    return (
        after.added >= before.added
        and after.entries >= before.entries
        and after.batches >= before.batches
        and after.busy_us >= before.busy_us
    )


def _age_s(entry_id: str | None, wall_ms: float) -> float:
    """Return the seconds since Redis stored the entry, or 0 without an entry."""
    if entry_id is None:
        return 0.0
    return max(0.0, (wall_ms - int(entry_id.partition("-")[0])) / 1000)


def _unknown(error: redis.RedisError) -> Unknown:
    """Return the reading for an error of Redis: a reason for the condition and a message for the user."""
    text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    if isinstance(error, redis.AuthenticationError) or text.startswith(("WRONGPASS", "NOAUTH")):
        return Unknown(reason="RedisRefusedLogin", message=f"Redis: {text}; see REDIS_URL's Secret")
    if isinstance(error, redis.TimeoutError | redis.ConnectionError):
        return Unknown(reason="RedisUnreachable", message=f"Redis: {text}")
    return Unknown(reason="RedisError", message=f"Redis: {text}")
