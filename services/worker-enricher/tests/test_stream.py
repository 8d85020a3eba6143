"""Tests for the stream: limited reads, taking over, removal of consumers, trimming."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from devcluster.waiting import wait_until

from worker_enricher.adapters.redis_client import connect as redis_client
from worker_enricher.adapters.stream import GROUP, FeedStream

BIG = 64 << 20  # bytes: so large that only the number of entries limits a read


def add(client: redis.Redis, n: int, body: bytes = b"{}") -> list[str]:
    return [client.xadd("feed:f", {"kind": "underlying", "body": body}).decode() for _ in range(n)]


@pytest.mark.parametrize("size", [100_000, 1 << 20])
def test_a_read_stops_at_its_limit_of_bytes(client: redis.Redis, stream: FeedStream, size: int) -> None:
    """A read returns less than twice 4 MiB, for entries of any size, to limit a worker's memory."""
    ids = add(client, 100, b"x" * size)
    stream.ensure_group()
    read: list[str] = []
    while len(read) < 100:
        batch = stream.read_new("w", 256, 4 << 20)
        assert 0 < sum(len(entry.body or b"") for entry in batch) < 2 * (4 << 20)
        read += [entry.id for entry in batch]
    assert read == ids, "each entry once, in order"


def test_after_large_entries_a_read_fetches_fewer_at_once(client: redis.Redis, stream: FeedStream) -> None:
    """One read can return 64 large entries only if entries grow suddenly."""
    stream.ensure_group()
    add(client, 2000)
    while len(stream.read_new("w", 256, 4 << 20)) == 256:
        pass
    add(client, 200, b"x" * (1 << 20))
    assert [len(stream.read_new("w", 256, 4 << 20)) for _ in range(3)] == [64, 4, 4]
    add(client, 1000)
    read = [len(stream.read_new("w", 256, 4 << 20)) for _ in range(40)]
    assert read[-1] == 0
    assert 256 in read, "larger reads again after small entries"


def test_a_read_stops_at_its_limit_of_entries(client: redis.Redis, stream: FeedStream) -> None:
    """A read in several commands returns all entries in order, with bodies and marks."""
    stream.ensure_group()
    ids = add(client, 300)
    client.xadd("feed:f", {"body": b"[]", "readmitted": "1"})
    batch = stream.read_new("w", 256, BIG)
    assert [entry.id for entry in batch] == ids[:256]
    assert {(entry.body, entry.readmitted) for entry in batch} == {(b"{}", False)}
    *rest, last = stream.read_new("w", 256, BIG)
    assert [entry.id for entry in rest] == ids[256:]
    assert (last.body, last.readmitted) == (b"[]", True)


def test_taking_over_reads_no_bodies(client: redis.Redis, stream: FeedStream) -> None:
    """256 bodies of 1 MiB would exceed the subscriber's memory. The delivery is counted nevertheless."""
    stream.ensure_group()
    ids = add(client, 3, b"x" * (1 << 20))
    stream.read_new("dead", 10, BIG)
    client.xdel("feed:f", ids[1])
    client.config_resetstat()
    assert [(c.id, c.deliveries) for c in stream.take_over("s", 0, 10)] == [(ids[0], 2), (ids[2], 2)]
    assert client.info("stats")["total_net_output_bytes"] < 100_000
    rows = client.xpending_range("feed:f", GROUP, "-", "+", 10)
    assert [(row["message_id"].decode(), row["consumer"], row["times_delivered"]) for row in rows] == [
        (ids[0], b"s", 2),
        (ids[2], b"s", 2),
    ]


def test_entries_that_a_worker_keeps_are_not_taken_over(client: redis.Redis, stream: FeedStream) -> None:
    """A worker keeps its batch during an outage of MongoDB. This does not count as a delivery."""
    ids = add(client, 2)
    stream.ensure_group()
    stream.read_new("sub", 10, BIG)
    stream.keep("worker", ids)
    assert stream.take_over("other", 60_000, 10) == []
    rows = client.xpending_range("feed:f", GROUP, "-", "+", 10)
    assert {(row["consumer"], row["times_delivered"]) for row in rows} == {(b"worker", 1)}


def test_idle_consumers_without_pending_entries_are_removed(client: redis.Redis, stream: FeedStream) -> None:
    """Consumers of former pods are removed, but not while they have pending entries."""
    add(client, 1)
    stream.ensure_group()
    stream.read_new("holds", 1, BIG)
    add(client, 1)
    stream.acknowledge([entry.id for entry in stream.read_new("empty", 1, BIG)])

    def forgotten() -> bool:
        stream.forget_consumers(0)
        return [row["name"] for row in client.xinfo_consumers("feed:f", GROUP)] == [b"holds"]

    wait_until(forgotten, "only the holder is left")


def test_a_worker_that_reads_while_its_consumer_is_removed_loses_no_entry(
    client: redis.Redis, stream: FeedStream, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quiet feed's worker is idle for hours. Its removal must not lose entries that it reads meanwhile."""
    stream.ensure_group()
    add(client, 1)
    stream.acknowledge([entry.id for entry in stream.read_new("quiet", 1, BIG)])
    [id_] = add(client, 1)
    other = FeedStream(redis_client(redis_url), "f", dlq_max_entries=1)
    execute = client.execute_command

    def followed_by_a_read(*args: Any, **options: Any) -> Any:
        answer = execute(*args, **options)
        other.read_new("quiet", 1, BIG)
        return answer

    wait_until(lambda: client.xinfo_consumers("feed:f", GROUP)[0]["idle"] > 0, "silent")
    monkeypatch.setattr(client, "execute_command", followed_by_a_read)
    stream.forget_consumers(0)
    monkeypatch.undo()
    [row] = client.xpending_range("feed:f", GROUP, "-", "+", 10)
    assert row["message_id"].decode() == id_


def test_a_worker_creates_a_lost_group_again_from_the_start_of_the_stream(
    client: redis.Redis, stream: FeedStream
) -> None:
    """The worker's read may notice it first, while the subscriber waits for the queue."""
    ids = add(client, 2)
    assert stream.read_new("w", 10, BIG) == []
    assert [entry.id for entry in stream.read_new("w", 10, BIG)] == ids


def test_fetch_returns_entries_in_order_and_marks_deleted_ones(
    client: redis.Redis, stream: FeedStream
) -> None:
    """Some entries of a batch may be deleted. Other entries between them must not be returned."""
    ids = add(client, 5)
    client.xdel("feed:f", ids[2])
    wanted = [ids[0], ids[2], ids[4]]
    assert [(e.id, e.body) for e in stream.fetch(wanted)] == [
        (ids[0], b"{}"),
        (ids[2], None),
        (ids[4], b"{}"),
    ]


def test_trimming_removes_only_processed_entries(client: redis.Redis, stream: FeedStream) -> None:
    """Pending and unread entries stay, however long the stream grows."""
    stream.trim()
    add(client, 2000)
    stream.trim()
    stream.ensure_group()
    stream.trim()
    assert client.xlen("feed:f") == 2000, "no entry was read"
    ids = [entry.id for entry in stream.read_new("w", 1500, BIG)]
    stream.acknowledge([*ids[:900], *ids[901:]])
    stream.trim()
    left = [id_.decode() for id_, _ in client.xrange("feed:f")]
    assert left[-1100] == ids[900], "the pending entry and all later ones stay"
    assert len(left) <= 1200, "Redis trims whole nodes of 100 entries"
    stream.acknowledge([ids[900]])
    stream.trim()
    assert 500 <= client.xlen("feed:f") <= 600


def test_trimming_leaves_the_last_seconds_to_a_reader(client: redis.Redis, stream: FeedStream) -> None:
    """While the API gateway reads the stream for a recorder, only entries older than five seconds go."""
    seconds, _ = client.time()
    for number in range(400):  # the first half arrived ten seconds ago
        at = (seconds - 10) * 1000 if number < 200 else seconds * 1000
        client.xadd("feed:f", {"kind": "underlying", "body": b"{}"}, id=f"{at}-{number}")
    stream.ensure_group()
    for _ in range(10):
        stream.acknowledge([entry.id for entry in stream.read_new("w", 40, BIG)])
    client.set("feed:f:readers", "1")
    stream.trim()
    assert client.xlen("feed:f") == 200
    client.delete("feed:f:readers")
    stream.trim()
    assert client.xlen("feed:f") <= 100
