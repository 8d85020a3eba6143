"""Tests with a Redis at `maxmemory`: the enricher continues and dead letters stay within their limit."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pytest
import redis
from devcluster.processes.stores import RedisServer
from devcluster.waiting import wait_until
from prometheus_client import REGISTRY
from redis.exceptions import OutOfMemoryError

from worker_enricher.adapters.outages import is_redis_outage
from worker_enricher.adapters.redis_client import connect as redis_client
from worker_enricher.adapters.stream import GROUP, Entry, FeedStream
from worker_enricher.chassis.market_refusal import RefusedError
from worker_enricher.dlq import DeadLetterError, DeadLetters

MIB = 1 << 20
LIMIT = 24 * MIB


@pytest.fixture
def small(own_redis: RedisServer) -> redis.Redis:
    """A plain client of a Redis with a `maxmemory` of 24 MiB and the product's eviction policy."""
    client = redis.Redis.from_url(own_redis.url())
    client.config_set("maxmemory", LIMIT)
    client.config_set("maxmemory-policy", "noeviction")
    return client


def fill(client: redis.Redis) -> None:
    """Fill Redis with an unrelated key that stays."""
    before = client.info("memory")["used_memory"]  # after the push, it would include the client's own buffer
    client.rpush("unrelated", *[b"x" * MIB] * 4)
    client.config_set("maxmemory", before + 2 * MIB)
    with pytest.raises(OutOfMemoryError):
        client.set("one more", "x")


@pytest.mark.parametrize("concurrency", ["1", "2"])
@pytest.mark.parametrize("filled_by", ["its own stream", "an unrelated key"])
def test_enrichers_that_start_while_redis_is_full_empty_its_stream(
    make_enricher: Any,
    own_redis: RedisServer,
    small: redis.Redis,
    mongo_url: str,
    filled_by: str,
    concurrency: str,
) -> None:
    """A full Redis accepts the writes to group, queue, cache and acknowledgements. No process restarts."""
    enricher = make_enricher(own_redis.url(), mongo_url)
    enricher.publish(1, 500)
    if filled_by == "its own stream":
        small.config_set("maxmemory", small.info("memory")["used_memory"] + MIB)
        with contextlib.suppress(OutOfMemoryError):
            for seq in itertools.count(501):
                enricher.publish(seq, seq)
    else:
        fill(small)
    published = small.xlen("feed:nifty-replay")
    processes = [enricher.start("subscriber"), enricher.start("worker", CONCURRENCY=concurrency)]
    enricher.wait_stored(published)
    assert [process.poll() for process in processes] == [None, None], "no process crashed"
    assert small.xlen("dlq:nifty-replay") == 0, "a full Redis does not count as a delivery"
    wait_until(lambda: small.xlen("feed:nifty-replay") <= 100, "the stream is trimmed")


@pytest.mark.parametrize("concurrency", ["1", "2"])
def test_enrichers_continue_after_redis_was_read_only_for_a_while(
    make_enricher: Any, own_redis: RedisServer, mongo_url: str, concurrency: str
) -> None:
    """Redis becomes a replica and then a primary again. All entries are stored, without a process restart."""
    enricher = make_enricher(own_redis.url(), mongo_url)
    processes = [enricher.start("subscriber"), enricher.start("worker", CONCURRENCY=concurrency)]
    enricher.publish(1, 200)
    enricher.wait_stored(200)
    enricher.publish(201, 2000)
    own = redis.Redis.from_url(own_redis.url())
    own.config_set("replica-serve-stale-data", "yes")
    own.replicaof("127.0.0.1", "1")
    log = enricher.home / "subscriber.log"
    wait_until(lambda: log.read_bytes().count(b"redis_unavailable") > 3, "the subscriber is refused")
    own.replicaof("NO", "ONE")
    enricher.wait_stored(2000)
    assert [process.poll() for process in processes] == [None, None], "no process crashed"
    assert own.xlen("dlq:nifty-replay") == 0


def test_dead_letters_are_added_by_a_redis_user_without_permission_for_info(own_redis: RedisServer) -> None:
    """An external Redis may refuse INFO. The full limit in bytes then applies, and the batch continues."""
    owner = redis.Redis.from_url(own_redis.url())
    owner.acl_setuser("app", enabled=True, passwords=["+p"], keys=["*"], commands=["+@all", "-info"])
    stream = FeedStream(redis_client(f"redis://app:p@127.0.0.1:{own_redis.port}/0"), "f", dlq_max_entries=9)
    stream.ensure_group()
    move_to_dead_letters(stream, owner, b"{")
    assert owner.xlen("dlq:f") == 1
    assert owner.xpending("feed:f", GROUP)["pending"] == 0


@pytest.fixture
def stream(own_redis: RedisServer, small: redis.Redis) -> FeedStream:
    made = FeedStream(redis_client(own_redis.url()), "f", dlq_max_entries=2000, dlq_max_bytes=4 * MIB)
    made.ensure_group()
    return made


def move_to_dead_letters(stream: FeedStream, client: redis.Redis, body: bytes) -> None:
    client.xadd("feed:f", {"body": b"x"})
    [id_] = [entry.id for entry in stream.read_new("s", 1, 1)]
    stream.move_to_dead_letters(Entry(id_, body), RefusedError("not_json", "no JSON"), mid=None, deliveries=1)


def test_new_entries_are_watched_read_and_taken_over_in_a_full_redis(
    stream: FeedStream, small: redis.Redis
) -> None:
    """This works for any number of entries, else nothing would ever empty a full Redis."""
    for _ in range(40):
        small.xadd("feed:f", {"body": b"x"})
    fill(small)
    assert stream.progress() == ("0-0", True)
    assert stream.wait_for_entry("0-0", 1)
    read = [entry.id for entry in stream.read_new("gone", 256, 4 * MIB)]
    assert len(read) == 40
    assert len(stream.take_over("s", 0, 256)) == 40
    stream.keep("w", read)
    stream.acknowledge(read)
    stream.trim()
    stream.forget_consumers(0)


def test_dead_letters_are_bounded_by_bytes_and_the_oldest_go_first(
    stream: FeedStream, small: redis.Redis
) -> None:
    """300 letters of 1 MiB do not fill Redis. Dropped letters are counted."""
    name = "enricher_dead_letters_dropped_total"
    before = REGISTRY.get_sample_value(name) or 0
    for number in range(300):
        move_to_dead_letters(stream, small, str(number).encode().ljust(MIB, b" "))
    left = [int(fields[b"body"]) for _, fields in small.xrange("dlq:f")]
    assert left == list(range(300 - len(left), 300))
    assert len(left) >= 2
    assert small.memory_usage("dlq:f", samples=0) <= 4 * MIB
    assert (REGISTRY.get_sample_value(name) or 0) - before == 300 - len(left)
    assert small.xpending("feed:f", GROUP)["pending"] == 0


def test_a_refused_entry_leaves_a_full_redis_and_takes_a_quarter_of_the_letters_bytes(
    stream: FeedStream, small: redis.Redis
) -> None:
    """The letters of many feeds together stay within the memory above `maxmemory`."""
    for _ in range(5):
        move_to_dead_letters(stream, small, b"x" * 100_000)
    small.xadd("feed:f", {"body": b"x"})
    [id_] = [entry.id for entry in stream.read_new("s", 1, 1)]
    fill(small)
    stream.move_to_dead_letters(
        Entry(id_, b"y" * 800_000), RefusedError("not_json", "no JSON"), mid=None, deliveries=1
    )
    assert small.xpending("feed:f", GROUP)["pending"] == 0
    assert small.memory_usage("dlq:f", samples=0) <= MIB
    assert small.xrevrange("dlq:f", count=1)[0][1][b"body"][:1] == b"y", "the newest letter stays"


def test_letters_are_not_replayed_into_a_redis_that_is_over_half_full(
    stream: FeedStream, small: redis.Redis
) -> None:
    """The error text says when to retry, and the letter is kept."""
    move_to_dead_letters(stream, small, b"{}")
    [(letter, _)] = small.xrange("dlq:f")
    letters = DeadLetters(small, "f")
    small.rpush("unrelated", *[b"x" * MIB] * 8)
    small.config_set("maxmemory", 16 * MIB)
    with pytest.raises(DeadLetterError, match="over half full; replay once the feeds have caught up"):
        letters.replay(letter.decode())
    small.delete("unrelated")
    letters.replay(letter.decode())
    assert small.xlen("dlq:f") == 0


@pytest.mark.parametrize(
    "message",
    [
        "OOM command not allowed when used memory > 'maxmemory'.",
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
        "READONLY You can't write against a read only replica.",
        "LOADING Redis is loading the dataset in memory",
        "CLUSTERDOWN The cluster is down",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "NOREPLICAS Not enough good replicas to write.",
        "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
        "BUSY Redis is busy running a script.",
        "ERR max number of clients reached",
    ],
)
def test_an_error_of_a_redis_that_refuses_writes_is_an_outage(message: str) -> None:
    """The worker retries: it does not crash, and no delivery is counted."""
    assert is_redis_outage(redis._parsers.base.BaseParser.parse_error(message))


@pytest.mark.parametrize(
    "message", ["WRONGTYPE Operation against a key", "ERR unknown command", "NOGROUP No such key"]
)
def test_a_programming_error_is_not_an_outage(message: str) -> None:
    """A retry would hide the fault."""
    assert not is_redis_outage(redis._parsers.base.BaseParser.parse_error(message))
