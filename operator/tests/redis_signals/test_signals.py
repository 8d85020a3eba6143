"""Signals from a real Redis with the real stream and counters."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence

import pytest
import redis
from devcluster.processes.stores import RedisServer

from deltastream_operator.cluster.signal_reader import READ_MAX_S
from deltastream_operator.domain.signals import Reading, Signals, Unknown
from deltastream_operator.redis_signals import RedisSignals

FEED, STREAM = "nifty", "feed:nifty"


class Clock:
    """Moved by hand; wall time is Redis' own, so that ages are true."""

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


def test_a_feed_that_has_not_begun_has_no_work(signals: RedisSignals, clock: Clock) -> None:
    """No stream, no group, no counters: zeros, once there is a second reading for the rates."""
    first = _read(signals, clock)
    assert isinstance(first, Unknown)
    assert first.reason == "FirstReading"
    second = _known(_read(signals, clock))
    assert (second.backlog, second.arrivals_per_second, second.service_seconds) == (0, 0, None)


def test_all_outstanding_work_is_seen_wherever_it_waits(
    client: redis.Redis, signals: RedisSignals, clock: Clock, redis_url: str
) -> None:
    """38 entries: 28 taken, in workers or Celery's queue, and 10 unread; the queue alone shows its tasks."""
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


def test_the_age_of_unread_entries_is_seen_without_any_pending(
    client: redis.Redis, signals: RedisSignals, clock: Clock
) -> None:
    """No enricher runs: the first unread entry is the oldest."""
    client.xgroup_create(STREAM, "enricher", "0", mkstream=True)
    seconds, _ = client.time()
    client.xadd(STREAM, {"body": "{}"}, id=f"{(seconds - 40) * 1000}-0")
    client.xadd(STREAM, {"body": "{}"})
    _read(signals, clock)
    assert 40 <= _known(_read(signals, clock)).oldest_seconds < 60


def test_the_share_of_redis_memory_is_told_where_there_is_a_limit(
    own_redis: RedisServer, clock: Clock
) -> None:
    """None without `maxmemory` and for a user who may not ask, and the load is read all the same."""
    with redis.Redis.from_url(own_redis.url()) as client:
        signals = RedisSignals(own_redis.url(), clock)
        _read(signals, clock)
        assert _known(_read(signals, clock)).redis_memory is None
        client.config_set("maxmemory", 2 * client.info("memory")["used_memory"])
        assert _known(_read(signals, clock)).redis_memory == pytest.approx(0.5, abs=0.2)
        client.acl_setuser("old", enabled=True, passwords=["+p"], keys=["*"], commands=["+@all", "-info"])
        old = RedisSignals(f"redis://old:p@127.0.0.1:{own_redis.port}/0", clock)
        _read(old, clock)
        assert _known(_read(old, clock)).redis_memory is None


def test_rates_are_differences_of_counters(client: redis.Redis, signals: RedisSignals, clock: Clock) -> None:
    """Arrivals over the time between readings; the cost of an entry from the enrichers' own time."""
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
    """Redis lost its data: a negative rate is no rate."""
    client.hset(f"{STREAM}:service", mapping={"entries": 100, "batches": 1, "busy_us": 100})
    _read(signals, clock)
    client.flushall()
    lost = _read(signals, clock)
    assert isinstance(lost, Unknown)
    assert lost.reason == "CountersReset"
    _known(_read(signals, clock))


def test_a_redis_that_refuses_or_is_away_is_unknown_with_its_words(redis_url: str, clock: Clock) -> None:
    """An error is never read as zero, and the password is not in the message."""
    refused = RedisSignals(redis_url.replace("redis://:", "redis://:x"), clock).read([FEED])[FEED]
    assert isinstance(refused, Unknown)
    assert refused.reason == "RedisRefusedLogin"
    assert "username-password" in refused.message
    away = RedisSignals("redis://:secret@127.0.0.1:1/0", clock).read([FEED])[FEED]
    assert isinstance(away, Unknown)
    assert away.reason == "RedisUnreachable"
    assert "secret" not in away.message


@pytest.mark.parametrize("key", ["feed:bad", "feed:bad:service", "enrich.bad"])
def test_a_key_of_the_wrong_type_darkens_its_own_feed_only(
    key: str, client: redis.Redis, signals: RedisSignals, clock: Clock, redis_url: str
) -> None:
    """Rule: the feed's reading is Unknown and names the key; every other feed is read as ever."""
    client.xgroup_create("feed:bad", "enricher", "0", mkstream=True)
    client.xadd("feed:bad", {"body": "{}"})
    client.xreadgroup("enricher", "s", {"feed:bad": ">"})
    with redis.Redis.from_url(redis_url) as other:
        if key.startswith("enrich."):
            other.connection_pool.connection_kwargs["db"] = 1
        other.delete(key)
        other.set(key, "x")
    said = _unreadable_alone(signals, clock)
    assert key in said
    assert "WRONGTYPE" in said


@pytest.mark.parametrize("value", ["many", "-1", "9" * 30, b"\xff"])
def test_a_counter_that_is_no_number_darkens_its_own_feed_only(
    value: str | bytes, client: redis.Redis, signals: RedisSignals, clock: Clock
) -> None:
    """Rule: what HINCRBY cannot have written is not reckoned with."""
    client.hset("feed:bad:service", "entries", value)  # type: ignore[arg-type]
    assert "feed:bad:service: entries" in _unreadable_alone(signals, clock)


def _unreadable_alone(signals: RedisSignals, clock: Clock) -> str:
    """What the second reading says of the feed `bad`, while the other feed's is known."""
    for _ in range(2):
        clock.now += 2
        seen = signals.read([FEED, "bad"])
    _known(seen[FEED])
    unknown = seen["bad"]
    assert isinstance(unknown, Unknown)
    assert unknown.reason == "KeyUnreadable"
    return unknown.message


def test_a_first_unread_entry_that_is_no_text_has_an_age_like_any(
    client: redis.Redis, signals: RedisSignals, clock: Clock
) -> None:
    """Rule: the adapter looks at the id of an entry, and its body may be anything."""
    client.xgroup_create(STREAM, "enricher", "0", mkstream=True)
    client.xadd(STREAM, {"body": b"\xff\xfe"})
    _read(signals, clock)
    seen = _known(_read(signals, clock))
    assert seen.lag == 1
    assert 0 <= seen.oldest_seconds < 60


def test_a_group_that_goes_between_two_questions_is_absent(
    client: redis.Redis, signals: RedisSignals, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule: a stream deleted between the pipelines of one reading has no oldest entry, and fails nobody."""
    client.xgroup_create(STREAM, "enricher", "0", mkstream=True)
    client.xadd(STREAM, {"body": "{}"})
    client.xreadgroup("enricher", "s", {STREAM: ">"})
    _read(signals, clock)
    asked = signals._streams_of

    def then_gone(feeds: Sequence[str], dark: dict[str, Unknown]) -> object:
        answers = asked(feeds, dark)
        client.delete(STREAM)
        return answers

    monkeypatch.setattr(signals, "_streams_of", then_gone)
    assert _known(_read(signals, clock)).oldest_seconds == 0


def test_a_redis_that_takes_no_connection_costs_a_few_seconds(clock: Clock) -> None:
    """Rule: the driver's own retries do not add up to more than the loop may wait."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
        port = deaf.getsockname()[1]
        began = time.monotonic()
        seen = RedisSignals(f"redis://127.0.0.1:{port}/0", clock).read([FEED])[FEED]
    assert isinstance(seen, Unknown)
    assert seen.reason == "RedisUnreachable"
    assert time.monotonic() - began < READ_MAX_S
