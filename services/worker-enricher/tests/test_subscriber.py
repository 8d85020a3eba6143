"""Tests for the subscriber: back-pressure, tickets, taking over, isolation of bad entries."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
import redis
from devcluster.waiting import wait_until

from worker_enricher.adapters.stream import GROUP, FeedStream
from worker_enricher.subscriber import Subscriber

BIG = 64 << 20  # bytes: so large that only the number of entries limits a read


class Queue:
    """A fake Celery queue. It records tasks and tickets; the test sets the number of waiting tasks."""

    def __init__(self) -> None:
        self.sent: list[tuple[list[str], int]] = []
        self.tickets = self.held = 0

    def waiting(self) -> int:
        return self.held

    def send_ticket(self) -> None:
        self.tickets += 1

    def send(self, entry_ids: Sequence[str], deliveries: int) -> None:
        self.sent.append((list(entry_ids), deliveries))


def subscriber(stream: FeedStream, queue: Queue, name: str = "s1", **settings: Any) -> Subscriber:
    settings = {
        "claim_idle_ms": 1,
        "max_deliveries": 3,
        "clock": iter(range(0, 10**6, 10)).__next__,
        **settings,
    }
    return Subscriber(
        stream,
        queue,
        consumer=name,
        stop=threading.Event(),
        beat=lambda: None,
        **settings,
    )


def add(client: redis.Redis, n: int, body: bytes = b"{}") -> list[str]:
    return [client.xadd("feed:f", {"kind": "underlying", "body": body}).decode() for _ in range(n)]


def step_until(sub: Subscriber, condition: Any, what: str) -> None:
    def stepped() -> bool:
        sub.step()
        return bool(condition())

    wait_until(stepped, what)


def test_entries_published_before_the_group_existed_are_read(client: redis.Redis, stream: FeedStream) -> None:
    """A feed may start before its first enricher, and a flushed Redis has no group."""
    ids = add(client, 3)
    queue = Queue()
    step_until(subscriber(stream, queue), lambda: queue.tickets, "a worker is called")
    assert [entry.id for entry in stream.read_new("w", 10, BIG)] == ids


def test_no_ticket_is_sent_while_the_queue_is_full(client: redis.Redis, stream: FeedStream) -> None:
    """Entries wait unread in the stream, so their number is the lag."""
    queue = Queue()
    queue.held = 1
    sub = subscriber(stream, queue, claim_idle_ms=60_000)
    stream.ensure_group()
    add(client, 5)
    for _ in range(20):
        sub.step()
    assert (queue.tickets, client.xinfo_groups("feed:f")[0]["lag"]) == (0, 5)
    queue.held = 0
    sub.step()
    assert (queue.tickets, client.xinfo_groups("feed:f")[0]["lag"]) == (1, 5), "only workers read"


def test_a_worker_that_took_its_ticket_gets_time_to_read(client: redis.Redis, stream: FeedStream) -> None:
    """Otherwise each iteration until the read would send another ticket for the same entries."""
    add(client, 3)
    now = 100.0
    queue = Queue()
    sub = subscriber(stream, queue, claim_idle_ms=60_000, clock=lambda: now)
    stream.ensure_group()
    for _ in range(5):
        sub.step()
    assert queue.tickets == 1
    stream.read_new("w", 2, BIG)
    sub.step()
    assert queue.tickets == 2, "one entry is left for another worker"


def test_a_lost_ticket_is_replaced(client: redis.Redis, stream: FeedStream) -> None:
    """A worker may die between the queue and the stream, and Redis may lose the queue."""
    add(client, 3)
    now = 100.0
    queue = Queue()
    sub = subscriber(stream, queue, claim_idle_ms=60_000, clock=lambda: now)
    stream.ensure_group()
    sub.step()
    now += 0.9
    sub.step()
    assert queue.tickets == 1
    now += 0.2
    sub.step()
    assert queue.tickets == 2


def test_a_ticket_that_waits_is_not_lost(client: redis.Redis, stream: FeedStream) -> None:
    """If all workers are busy, more tickets would only wait behind the first."""
    add(client, 3)
    now = 100.0
    queue = Queue()
    sub = subscriber(stream, queue, claim_idle_ms=60_000, queue_limit=3, clock=lambda: now)
    stream.ensure_group()
    sub.step()
    queue.held = 1
    now += 60
    sub.step()
    assert queue.tickets == 1


def test_entries_that_a_waiting_worker_reads_need_no_ticket(
    client: redis.Redis, stream: FeedStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that waits at the stream reads an entry before the subscriber sees it."""
    wait = stream.wait_for_entry

    def taken_meanwhile(after: str, block_ms: int) -> bool:
        ids = add(client, 1)
        assert [entry.id for entry in stream.read_new("w", 10, BIG)] == ids
        return wait(after, block_ms)

    monkeypatch.setattr(stream, "wait_for_entry", taken_meanwhile)
    stream.ensure_group()
    queue = Queue()
    sub = subscriber(stream, queue, claim_idle_ms=60_000)
    for _ in range(3):
        sub.step()
    assert queue.tickets == 0


def test_a_quiet_feed_gets_no_tickets(client: redis.Redis, stream: FeedStream) -> None:
    """Tickets without entries would cost a worker a task every few milliseconds."""
    ids = add(client, 3)
    stream.ensure_group()
    stream.read_new("w", 10, BIG)
    stream.acknowledge(ids)
    queue = Queue()
    sub = subscriber(stream, queue, claim_idle_ms=60_000)
    for _ in range(3):
        sub.step()
    assert queue.tickets == 0


def test_entries_of_a_dead_consumer_are_taken_over_first_together_then_one_by_one(
    client: redis.Redis, stream: FeedStream
) -> None:
    """From the third delivery on each entry has its own task, to isolate one that kills its worker."""
    ids = add(client, 3)
    stream.ensure_group()
    assert [entry.id for entry in stream.read_new("dead", 10, BIG)] == ids
    queue = Queue()
    sub = subscriber(stream, queue)
    step_until(sub, lambda: queue.sent, "second delivery")
    assert queue.sent == [(ids, 2)]
    queue.sent.clear()
    step_until(sub, lambda: queue.sent, "third delivery")
    assert queue.sent == [([id_], 3) for id_ in ids]


def test_entries_of_a_task_that_still_waits_use_up_no_delivery(
    client: redis.Redis, stream: FeedStream
) -> None:
    """Without a worker there is no attempt, so a long absence of workers creates no dead letters."""
    ids = add(client, 3)
    stream.ensure_group()
    stream.read_new("dead", 10, BIG)
    queue = Queue()
    sub = subscriber(stream, queue)
    step_until(sub, lambda: queue.sent, "taken over")
    queue.held = 1
    wait_until(lambda: client.xpending_range("feed:f", GROUP, "-", "+", 1, idle=5), "idle for long enough")
    for _ in range(20):
        sub.step()
    assert queue.sent == [(ids, 2)]
    queue.held = 0
    step_until(sub, lambda: len(queue.sent) > 3, "taken over again")
    assert queue.sent[1:] == [([id_], 3) for id_ in ids]


def test_an_entry_past_its_last_delivery_becomes_a_dead_letter(
    client: redis.Redis, stream: FeedStream
) -> None:
    """The dead letter has the whole body and the reason. The entry is no longer pending."""
    ids = add(client, 1, b"poison")
    stream.ensure_group()
    stream.read_new("dead", 10, BIG)
    queue = Queue()
    step_until(subscriber(stream, queue), lambda: client.xlen("dlq:f"), "dead letter")
    assert client.xpending("feed:f", GROUP)["pending"] == 0
    fields = client.xrange("dlq:f")[0][1]
    assert fields[b"body"] == b"poison"
    assert b"deliveries_exhausted" in fields[b"letter"]
    assert ids[0].encode() in fields[b"letter"]


def test_two_subscribers_never_take_the_same_entry(client: redis.Redis, stream: FeedStream) -> None:
    """Each entry of a dead worker goes to one of them."""
    add(client, 50)
    stream.ensure_group()
    left = [entry.id for entry in stream.read_new("dead", 20, BIG)]
    client.xclaim("feed:f", GROUP, "dead", 0, left, idle=60_000, retrycount=1)  # idle the longest
    queues = [Queue(), Queue()]
    subs = [
        subscriber(stream, queue, f"s{number}", batch_entries=7, claim_idle_ms=60_000)
        for number, queue in enumerate(queues)
    ]

    def step_both() -> list[tuple[str, int]]:
        for sub in subs:
            sub.step()
        return [(id_, n) for queue in queues for batch, n in queue.sent for id_ in batch]

    wait_until(lambda: {id_ for id_, _ in step_both()} == set(left), "all taken over")
    assert all(queue.sent for queue in queues)
    assert sorted(step_both()) == sorted((id_, 2) for id_ in left)


def test_a_lost_group_is_created_again_from_the_start_of_the_stream(
    client: redis.Redis, stream: FeedStream
) -> None:
    """After FLUSHALL the feed continues. A group at `$` would skip entries that arrived in between."""
    queue = Queue()
    sub = subscriber(stream, queue)
    stream.ensure_group()
    client.flushall()
    ids = add(client, 2)
    step_until(sub, lambda: queue.tickets, "a worker is called")
    assert [entry.id for entry in stream.read_new("w", 10, BIG)] == ids


def test_the_subscriber_trims_while_the_queue_is_full(client: redis.Redis, stream: FeedStream) -> None:
    """The generator may be paused until trimming frees memory in Redis."""
    queue = Queue()
    add(client, 1000)
    stream.ensure_group()
    stream.acknowledge([entry.id for entry in stream.read_new("w", 1000, BIG)])
    queue.held = 1
    subscriber(stream, queue).step()
    assert client.xlen("feed:f") <= 100
