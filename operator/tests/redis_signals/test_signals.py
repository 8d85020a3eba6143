"""Test `RedisSignals` on a real Redis with the keys of the enricher: stream, counters and queues."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Sequence

import pytest
import redis
from devcluster.processes.stores import RedisServer
from tests.support.contracts import example

from deltastream_operator.cluster.signal_reader import READ_MAX_S
from deltastream_operator.domain.signals import Reading, Signals, Unknown
from deltastream_operator.redis_signals import RedisSignals

FEED, STREAM = "nifty", "feed:nifty"


class Clock:
    """A clock that the test advances. Its wall time is that of Redis, so that ages are correct."""

    def __init__(self, client: redis.Redis) -> None:
        self.now, self._client = 100.0, client

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        seconds, micros = self._client.time()
        return seconds + micros / 1e6


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as made:
        yield made


@pytest.fixture
def clock(client: redis.Redis) -> Clock:
    return Clock(client)


@pytest.fixture
def signals(redis_url: str, clock: Clock) -> RedisSignals:
    return RedisSignals(redis_url, clock)


def _read(signals: RedisSignals, clock: Clock, seconds: float = 2) -> Reading:
    clock.now += seconds
    return signals.read([FEED])[FEED]


def _known(reading: Reading) -> Signals:
    assert isinstance(reading, Signals), reading
    return reading


def test_a_feed_without_keys_has_no_backlog(signals: RedisSignals, clock: Clock) -> None:
    """Without stream, group and counters all numbers are zero. Rates need a second reading."""
    first = _read(signals, clock)
    assert isinstance(first, Unknown)
    assert first.reason == "FirstReading"
    second = _known(_read(signals, clock))
    assert (second.backlog, second.arrivals_per_second, second.service_seconds) == (0, 0, None)


def test_the_backlog_includes_unread_and_pending_entries(
    client: redis.Redis, signals: RedisSignals, clock: Clock, redis_url: str
) -> None:
    """Of 38 entries 28 are pending and 10 unread. The Celery queue alone shows only two tasks."""
    client.xgroup_create(STREAM, "enricher", "0", mkstream=True)
    for _ in range(38):
        client.xadd(STREAM, {"body": "{}"})
    client.xreadgroup("enricher", "s", {STREAM: ">"}, count=28)
    with redis.Redis.from_url(redis_url, db=1) as broker:
        broker.connection_pool.connection_kwargs["db"] = 1
        broker.lpush(f"enrich.{FEED}", "task")
        broker.lpush(f"enrich.{FEED}\x06\x163", "task")
    _read(signals, clock)
    seen = _known(_read(signals, clock))
    assert (seen.lag, seen.pending, seen.backlog, seen.queued_tasks) == (10, 28, 38, 2)
    assert 0 < seen.oldest_seconds < 60


def test_without_pending_entries_the_oldest_unread_entry_gives_the_age(
    client: redis.Redis, signals: RedisSignals, clock: Clock
) -> None:
    """If no enricher runs, the first unread entry is the oldest."""
    client.xgroup_create(STREAM, "enricher", "0", mkstream=True)
    seconds, _ = client.time()
    client.xadd(STREAM, {"body": "{}"}, id=f"{(seconds - 40) * 1000}-0")
    client.xadd(STREAM, {"body": "{}"})
    _read(signals, clock)
    assert 40 <= _known(_read(signals, clock)).oldest_seconds < 60


def test_the_used_share_of_redis_memory_is_read_if_there_is_a_limit(
    own_redis: RedisServer, clock: Clock
) -> None:
    """It is None without `maxmemory` or without permission for INFO. The load is read in each case."""
    with redis.Redis.from_url(own_redis.url()) as client:
        signals = RedisSignals(own_redis.url(), clock)
        _read(signals, clock)
        assert _known(_read(signals, clock)).redis_memory is None
        client.config_set("maxmemory", 2 * client.info("memory")["used_memory"])
        assert _known(_read(signals, clock)).redis_memory == pytest.approx(0.5, abs=0.2)
        client.acl_setuser("limited", enabled=True, passwords=["+p"], keys=["*"], commands=["+@all", "-info"])
        limited = RedisSignals(f"redis://limited:p@127.0.0.1:{own_redis.port}/0", clock)
        _read(limited, clock)
        assert _known(_read(limited, clock)).redis_memory is None


def test_rates_are_differences_of_counters(client: redis.Redis, signals: RedisSignals, clock: Clock) -> None:
    """Arrivals are divided by the time between readings, worker time by the processed entries."""
    client.xadd(STREAM, {"body": "{}"})
    _read(signals, clock)
    for _ in range(50):
        client.xadd(STREAM, {"body": "{}"})
    client.hset(f"{STREAM}:service", mapping={"entries": 2560, "batches": 10, "busy_us": 512_000})
    seen = _known(_read(signals, clock, 5))
    assert seen.arrivals_per_second == 10
    assert seen.service_seconds == pytest.approx(0.0002, rel=0.01)
    assert _known(_read(signals, clock)).service_seconds == seen.service_seconds


def test_counters_that_go_backwards_are_unknown_for_one_tick(
    client: redis.Redis, signals: RedisSignals, clock: Clock
) -> None:
    """Redis lost its data, so the difference would give a negative rate."""
    client.hset(f"{STREAM}:service", mapping={"entries": 100, "batches": 1, "busy_us": 100})
    _read(signals, clock)
    client.flushall()
    lost = _read(signals, clock)
    assert isinstance(lost, Unknown)
    assert lost.reason == "CountersReset"
    _known(_read(signals, clock))


def test_a_refused_login_or_an_unreachable_redis_is_unknown_with_the_error_text(
    redis_url: str, clock: Clock
) -> None:
    """An error does not count as zero load. The message does not contain the password."""
    refused = RedisSignals(redis_url.replace("redis://:", "redis://:x"), clock).read([FEED])[FEED]
    assert isinstance(refused, Unknown)
    assert refused.reason == "RedisRefusedLogin"
    assert "username-password" in refused.message
    unreachable = RedisSignals("redis://:secret@127.0.0.1:1/0", clock).read([FEED])[FEED]
    assert isinstance(unreachable, Unknown)
    assert unreachable.reason == "RedisUnreachable"
    assert "secret" not in unreachable.message


@pytest.mark.parametrize("key", ["feed:bad", "feed:bad:service", "enrich.bad"])
def test_a_key_of_the_wrong_type_makes_only_its_own_feed_unknown(
    key: str, client: redis.Redis, signals: RedisSignals, clock: Clock, redis_url: str
) -> None:
    """The feed's reading is Unknown and names the key. The readings of other feeds are not affected."""
    client.xgroup_create("feed:bad", "enricher", "0", mkstream=True)
    client.xadd("feed:bad", {"body": "{}"})
    client.xreadgroup("enricher", "s", {"feed:bad": ">"})
    with redis.Redis.from_url(redis_url) as other:
        if key.startswith("enrich."):
            other.connection_pool.connection_kwargs["db"] = 1
        other.delete(key)
        other.set(key, "x")
    message = _unreadable_alone(signals, clock)
    assert key in message
    assert "WRONGTYPE" in message


@pytest.mark.parametrize("value", ["many", "-1", "9" * 30, b"\xff"])
def test_an_invalid_counter_makes_only_its_own_feed_unknown(
    value: str | bytes, client: redis.Redis, signals: RedisSignals, clock: Clock
) -> None:
    """A value that HINCRBY cannot have written is not used as a number."""
    client.hset("feed:bad:service", "entries", value)  # type: ignore[arg-type]
    assert "feed:bad:service: entries" in _unreadable_alone(signals, clock)


def _unreadable_alone(signals: RedisSignals, clock: Clock) -> str:
    """Return the message of feed `bad`, whose second reading is Unknown. The other feed's is known."""
    for _ in range(2):
        clock.now += 2
        seen = signals.read([FEED, "bad"])
    _known(seen[FEED])
    unknown = seen["bad"]
    assert isinstance(unknown, Unknown)
    assert unknown.reason == "KeyUnreadable"
    return unknown.message


def test_an_unread_entry_that_is_not_text_has_an_age(
    client: redis.Redis, signals: RedisSignals, clock: Clock
) -> None:
    """The adapter uses only the id of an entry. Its body may hold any bytes."""
    client.xgroup_create(STREAM, "enricher", "0", mkstream=True)
    client.xadd(STREAM, {"body": b"\xff\xfe"})
    _read(signals, clock)
    seen = _known(_read(signals, clock))
    assert seen.lag == 1
    assert 0 <= seen.oldest_seconds < 60


def test_a_stream_that_is_deleted_during_a_reading_has_no_oldest_entry(
    client: redis.Redis, signals: RedisSignals, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream may be deleted between the pipelines of one reading. The reading is still known."""
    client.xgroup_create(STREAM, "enricher", "0", mkstream=True)
    client.xadd(STREAM, {"body": "{}"})
    client.xreadgroup("enricher", "s", {STREAM: ">"})
    _read(signals, clock)
    read_streams = signals._streams_of

    def then_delete(feeds: Sequence[str], unreadable: dict[str, Unknown]) -> object:
        answers = read_streams(feeds, unreadable)
        client.delete(STREAM)
        return answers

    monkeypatch.setattr(signals, "_streams_of", then_delete)
    assert _known(_read(signals, clock)).oldest_seconds == 0


def test_a_redis_that_accepts_no_connection_delays_a_reading_by_a_few_seconds(clock: Clock) -> None:
    """The retries of the Redis client take less than READ_MAX_S, the time that the operator waits."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        began = time.monotonic()
        seen = RedisSignals(f"redis://127.0.0.1:{port}/0", clock).read([FEED])[FEED]
    assert isinstance(seen, Unknown)
    assert seen.reason == "RedisUnreachable"
    assert time.monotonic() - began < READ_MAX_S


def test_the_state_of_a_live_source_is_read_with_the_load(
    client: redis.Redis, signals: RedisSignals, clock: Clock
) -> None:
    """Each generator has a field. A key of another type makes only this feed unknown."""
    _read(signals, clock)
    assert _known(_read(signals, clock)).reports == {}
    report = {**example("feed-source"), "ts": int(clock.time() * 1e9)}
    client.hset(f"{STREAM}:source", "0", json.dumps(report))
    seen = _known(_read(signals, clock)).reports[0].state
    assert (seen.connected, seen.reason, seen.message) == (True, "Connected", "240 contracts of BTC")
    client.set(f"{STREAM}:source", "text")
    wrong = _read(signals, clock)
    assert isinstance(wrong, Unknown)
    assert (wrong.reason, f"{STREAM}:source" in wrong.message) == ("KeyUnreadable", True)
