"""The subscriber: work waits in the stream, what was left lying is taken over, poison is isolated."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
import redis
from devcluster.waiting import wait_until

from worker_enricher.adapters.redis_client import connect as redis_client
from worker_enricher.adapters.stream import GROUP, FeedStream
from worker_enricher.subscriber import Subscriber

BIG = 64 << 20  # bytes of a read that only the number of entries bounds


class Queue:
    """A Celery queue on paper: which tasks were sent, how many tickets, and how many tasks wait."""

    def __init__(self) -> None:
        self.sent: list[tuple[list[str], int]] = []
        self.tickets = self.held = 0

    def waiting(self) -> int:
        return self.held

    def send_ticket(self) -> None:
        self.tickets += 1

    def send(self, entry_ids: Sequence[str], deliveries: int) -> None:
        self.sent.append((list(entry_ids), deliveries))


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    return redis_client(redis_url)


@pytest.fixture
def stream(client: redis.Redis) -> FeedStream:
    return FeedStream(client, "f", dlq_max_entries=100, now_ns=lambda: 7)


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
    """A feed may start before its first enricher, and a flushed Redis forgets the group."""
    ids = add(client, 3)
    queue = Queue()
    step_until(subscriber(stream, queue), lambda: queue.tickets, "a worker is called")
    assert [entry.id for entry in stream.read_new("w", 10, BIG)] == ids


def test_no_worker_is_called_while_the_queue_is_full(client: redis.Redis, stream: FeedStream) -> None:
    """Back-pressure: entries wait in the stream, unread, so their number is the lag."""
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
    assert (queue.tickets, client.xinfo_groups("feed:f")[0]["lag"]) == (1, 5), "the worker reads, nobody else"


def test_a_worker_that_took_its_ticket_gets_time_to_read(client: redis.Redis, stream: FeedStream) -> None:
    """Else each turn until then would call another worker for the same entries."""
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
    assert queue.tickets == 2, "one is left, for another worker"


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
    """All workers are busy: more tickets would only wait behind it."""
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


def test_what_a_waiting_worker_takes_calls_no_other(
    client: redis.Redis, stream: FeedStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that waits in the stream has an entry before the subscriber can look at it."""
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


def test_a_quiet_feed_calls_nobody(client: redis.Redis, stream: FeedStream) -> None:
    """A ticket for nothing would cost a worker a task every few milliseconds."""
    ids = add(client, 3)
    stream.ensure_group()
    stream.read_new("w", 10, BIG)
    stream.acknowledge(ids)
    queue = Queue()
    sub = subscriber(stream, queue, claim_idle_ms=60_000)
    for _ in range(3):
        sub.step()
    assert queue.tickets == 0


@pytest.mark.parametrize("size", [100_000, 1 << 20])
def test_a_read_stops_once_its_bodies_are_large_enough(
    client: redis.Redis, stream: FeedStream, size: int
) -> None:
    """Bytes bound a worker's memory: 4 MiB, and less than that again, however large the entries are."""
    ids = add(client, 100, b"x" * size)
    stream.ensure_group()
    read: list[str] = []
    while len(read) < 100:
        batch = stream.read_new("w", 256, 4 << 20)
        assert 0 < sum(len(entry.body or b"") for entry in batch) < 2 * (4 << 20)
        read += [entry.id for entry in batch]
    assert read == ids, "in order, each once"


def test_a_read_that_met_large_entries_is_careful_from_then_on(
    client: redis.Redis, stream: FeedStream
) -> None:
    """Only where small entries turn into large ones at once can a read bring 64 of them."""
    stream.ensure_group()
    add(client, 2000)
    while len(stream.read_new("w", 256, 4 << 20)) == 256:
        pass
    add(client, 200, b"x" * (1 << 20))
    assert [len(stream.read_new("w", 256, 4 << 20)) for _ in range(3)] == [64, 4, 4]
    add(client, 1000)
    read = [len(stream.read_new("w", 256, 4 << 20)) for _ in range(40)]
    assert read[-1] == 0
    assert 256 in read, "and bold again"


def test_a_read_stops_at_its_number_of_entries(client: redis.Redis, stream: FeedStream) -> None:
    """What is read in pieces is whole: order, bodies and marks."""
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
    """256 entries of 1 MiB would not fit into the subscriber; a delivery is counted all the same."""
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


def test_what_a_dead_consumer_left_is_taken_over_first_together_then_alone(
    client: redis.Redis, stream: FeedStream
) -> None:
    """A batch comes back whole once; from the third delivery on entries come alone, so poison is isolated."""
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
    """While no worker is there nothing was tried: a long absence must not end in dead letters."""
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
    """It is set aside whole, with its reason, and no longer pending."""
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
    """What a dead worker left goes to one of them."""
    add(client, 50)
    stream.ensure_group()
    left = [entry.id for entry in stream.read_new("dead", 20, BIG)]
    client.xclaim("feed:f", GROUP, "dead", 0, left, idle=60_000, retrycount=1)  # nothing else is idle as long
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


def test_entries_that_a_worker_keeps_are_not_taken_over(client: redis.Redis, stream: FeedStream) -> None:
    """A worker that waits out an outage of MongoDB holds its batch; holding is no delivery."""
    ids = add(client, 2)
    stream.ensure_group()
    stream.read_new("sub", 10, BIG)
    stream.keep("worker", ids)
    assert stream.take_over("other", 60_000, 10) == []
    rows = client.xpending_range("feed:f", GROUP, "-", "+", 10)
    assert {(row["consumer"], row["times_delivered"]) for row in rows} == {(b"worker", 1)}


def test_silent_consumers_that_hold_nothing_are_forgotten(client: redis.Redis, stream: FeedStream) -> None:
    """Pods come and go; the group must not grow, and what they hold must not go with them."""
    add(client, 1)
    stream.ensure_group()
    stream.read_new("holds", 1, BIG)
    add(client, 1)
    stream.acknowledge([entry.id for entry in stream.read_new("empty", 1, BIG)])

    def forgotten() -> bool:
        stream.forget_consumers(0)
        return [row["name"] for row in client.xinfo_consumers("feed:f", GROUP)] == [b"holds"]

    wait_until(forgotten, "only the holder is left")


def test_a_worker_that_reads_again_just_as_it_is_forgotten_loses_nothing(
    client: redis.Redis, stream: FeedStream, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quiet feed's worker is silent for hours; its entries would vanish with its name."""
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


def test_a_group_lost_while_running_is_made_again_at_the_start(
    client: redis.Redis, stream: FeedStream
) -> None:
    """After FLUSHALL the feed goes on: `$` would skip what came in between."""
    queue = Queue()
    sub = subscriber(stream, queue)
    stream.ensure_group()
    client.flushall()
    ids = add(client, 2)
    step_until(sub, lambda: queue.tickets, "a worker is called")
    assert [entry.id for entry in stream.read_new("w", 10, BIG)] == ids


def test_a_worker_makes_a_lost_group_again_at_the_start(client: redis.Redis, stream: FeedStream) -> None:
    """Its read is the first to notice, where the subscriber waits for room in the queue."""
    ids = add(client, 2)
    assert stream.read_new("w", 10, BIG) == []
    assert [entry.id for entry in stream.read_new("w", 10, BIG)] == ids


def test_fetch_returns_entries_in_order_and_marks_the_gone(client: redis.Redis, stream: FeedStream) -> None:
    """A taken-over batch may have holes; nothing in between may slip in."""
    ids = add(client, 5)
    client.xdel("feed:f", ids[2])
    wanted = [ids[0], ids[2], ids[4]]
    assert [(e.id, e.body) for e in stream.fetch(wanted)] == [
        (ids[0], b"{}"),
        (ids[2], None),
        (ids[4], b"{}"),
    ]


def test_trimming_removes_only_what_was_processed(client: redis.Redis, stream: FeedStream) -> None:
    """Neither what is pending nor what was never read goes, however long the stream grows."""
    stream.trim()
    add(client, 2000)
    stream.trim()
    stream.ensure_group()
    stream.trim()
    assert client.xlen("feed:f") == 2000, "nobody has read anything"
    ids = [entry.id for entry in stream.read_new("w", 1500, BIG)]
    stream.acknowledge([*ids[:900], *ids[901:]])
    stream.trim()
    left = [id_.decode() for id_, _ in client.xrange("feed:f")]
    assert left[-1100] == ids[900], "the entry that is pending and all after it"
    assert len(left) <= 1200, "whole nodes of 100 entries go"
    stream.acknowledge([ids[900]])
    stream.trim()
    assert 500 <= client.xlen("feed:f") <= 600


def test_the_subscriber_trims_while_the_queue_is_full(client: redis.Redis, stream: FeedStream) -> None:
    """Memory is freed by whoever drains the stream: the generator may be waiting for it."""
    queue = Queue()
    add(client, 1000)
    stream.ensure_group()
    stream.acknowledge([entry.id for entry in stream.read_new("w", 1000, BIG)])
    queue.held = 1
    subscriber(stream, queue).step()
    assert client.xlen("feed:f") <= 100
