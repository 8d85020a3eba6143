"""Tests for the runner: each batch is stored once and completely, and acknowledged only then."""

from __future__ import annotations

import itertools
import json

import pytest
from devcluster.processes.stores import RedisServer
from devcluster.waiting import wait_until
from pymongo.errors import AutoReconnect
from tests.support.batches import FEED, MARKET, NOW_NS, World, tick
from tests.support.contracts import example, validator

from worker_enricher.adapters.mongo_sink import MongoSink
from worker_enricher.adapters.redis_client import connect as redis_client
from worker_enricher.adapters.stream import GROUP, FeedStream
from worker_enricher.errors import StoreRejectedError
from worker_enricher.results import Enriched
from worker_enricher.runner import Stopped


def test_a_batch_delivered_twice_is_stored_once(world: World) -> None:
    """If a worker dies between store and acknowledgement, no message is stored twice."""
    ids = world.publish(*(example(name) for name in MARKET), *(tick(n) for n in range(100, 120)))
    for _ in range(2):
        world.runner().run(ids)
    assert world.counts() == {"underlying_ticks": 21, "option_quotes": 1, "option_chains": 1}


def test_a_ticket_processes_all_waiting_entries(world: World) -> None:
    """100 entries are one batch. Without entries there is no batch."""
    for n in range(1, 101):
        world.client.xadd(f"feed:{FEED}", {"body": json.dumps(tick(n))})
    runner = world.runner()
    runner.run_new()
    assert (world.counts()["underlying_ticks"], world.pending()) == (100, 0)
    assert world.client.hget(f"feed:{FEED}:service", "batches") == b"1"
    runner.run_new()
    assert world.client.hget(f"feed:{FEED}:service", "batches") == b"1"


def test_scripts_that_redis_lost_are_loaded_again(world: World) -> None:
    """This also works between two batches of a worker: each is cached, published and acknowledged once."""
    runner = world.runner()
    listener = world.client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("enriched:underlying")
    for n in range(1, 4):
        world.client.script_flush()
        runner.run(world.publish(tick(n, price=float(n))))
        assert json.loads(world.client.get("latest:underlying:NIFTY"))["price"] == n
    assert world.pending() == 0
    assert (service(world)["batches"], service(world)["entries"]) == (3, 3)
    seen: list[float] = []

    def received() -> bool:
        message = listener.get_message(timeout=1)
        seen.extend([json.loads(message["data"])["price"]] if message else [])
        return len(seen) >= 3

    wait_until(received, "published")
    assert seen == [1, 2, 3]
    listener.close()


def test_a_large_batch_is_published_completely_and_in_order(world: World) -> None:
    """The batch is published in several small commands."""
    listener = world.client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("enriched:underlying")
    world.runner().run(world.publish(*(tick(n) for n in range(1, 9))))
    for n in range(9, 201):
        world.client.xadd(f"feed:{FEED}", {"body": json.dumps(tick(n))})
    world.runner().run_new()
    seen: list[str] = []

    def received() -> bool:
        message = listener.get_message(timeout=1)
        seen.extend([json.loads(message["data"])["mid"]] if message else [])
        return len(seen) >= 200

    wait_until(received, "published")
    assert seen == [f"3:{n}" for n in range(1, 201)]
    listener.close()


def test_entries_that_a_worker_read_but_did_not_store_are_pending_under_its_name(world: World) -> None:
    """The subscriber can take them over when the worker is dead."""

    class Killed(MongoSink):
        def store(self, enriched: Enriched, now_ns: int) -> None:
            raise KeyboardInterrupt

    world.client.xadd(f"feed:{FEED}", {"body": json.dumps(tick(1))})
    with pytest.raises(KeyboardInterrupt):
        world.runner(Killed(world.db)).run_new()
    (row,) = world.client.xpending_range(f"feed:{FEED}", GROUP, "-", "+", 10)
    assert (row["consumer"], row["times_delivered"]) == (b"w", 1)
    wait_until(lambda: world.client.xpending_range(f"feed:{FEED}", GROUP, "-", "+", 1, idle=2), "idle")
    (claimed,) = world.stream.take_over("s", 1, 10)
    world.runner().run([claimed.id], claimed.deliveries)
    assert (world.counts()["underlying_ticks"], world.pending()) == (1, 0)


def test_large_entries_are_processed_in_batches_of_limited_size(world: World) -> None:
    """A batch has at most 4 MiB. Waiting entries are kept from being taken over."""
    for _ in range(9):
        world.client.xadd(f"feed:{FEED}", {"body": b"x" * 1_000_000})
    held: list[list[str]] = []
    keep = world.stream.keep
    world.stream.keep = lambda consumer, ids: held.append(list(ids)) or keep(consumer, ids)  # type: ignore
    world.runner().run_new()
    assert all(len(ids) <= 5 for ids in held)
    assert world.client.xlen(f"dlq:{FEED}") >= 3, "the exact number depends on the memory allocator"
    assert world.pending() == 0


def test_large_entries_that_were_taken_over_are_fetched_a_few_at_a_time(world: World) -> None:
    """Their size is unknown, so at most eight are fetched at once. The others are kept pending."""
    for _ in range(20):
        world.client.xadd(f"feed:{FEED}", {"body": b"x" * 1_000_000})
    world.stream.read_new("dead", 256, 64 << 20)
    ids = [claimed.id for claimed in world.stream.take_over("s", 0, 256)]
    fetched: list[int] = []
    fetch, kept = world.stream.fetch, []
    world.stream.fetch = lambda ids: fetched.append(len(ids)) or fetch(ids)  # type: ignore
    world.stream.keep = lambda _consumer, ids: kept.append(len(ids))  # type: ignore
    world.runner().run(ids, 2)
    assert (fetched, kept) == ([8, 8, 4], [12, 4])
    assert world.pending() == 0


def test_two_workers_share_a_backlog(world: World) -> None:
    """Each entry goes to exactly one of them, and each ticket ends after a second."""
    for n in range(1, 31):
        world.client.xadd(f"feed:{FEED}", {"body": json.dumps(tick(n))})
    runners = [world.runner(batch_entries=10, clock=itertools.count(0, 0.3).__next__) for _ in range(2)]
    for runner, stored in ((runners[0], 10), (runners[1], 20), (runners[0], 30)):
        runner.run_new()
        assert (world.counts()["underlying_ticks"], world.pending()) == (stored, 0)
    assert world.client.hget(f"feed:{FEED}:service", "entries") == b"30"


def test_a_worker_continues_while_entries_arrive(world: World) -> None:
    """One ticket processes several batches, so later entries need no further task."""
    for n in range(1, 31):
        world.client.xadd(f"feed:{FEED}", {"body": json.dumps(tick(n))})
    world.runner(batch_entries=10).run_new()
    assert (world.counts()["underlying_ticks"], world.pending()) == (30, 0)
    assert world.client.hget(f"feed:{FEED}:service", "batches") == b"3"


def test_a_stop_ends_a_ticket_after_its_batch(world: World) -> None:
    """The remaining entries stay unread, for another worker."""

    class Stopping(MongoSink):
        def store(self, enriched: Enriched, now_ns: int) -> None:
            super().store(enriched, now_ns)
            world.stopping = True

    for n in range(1, 31):
        world.client.xadd(f"feed:{FEED}", {"body": json.dumps(tick(n))})
    world.runner(Stopping(world.db), batch_entries=10).run_new()
    assert (world.counts()["underlying_ticks"], world.pending()) == (10, 0)


def test_a_ticket_ends_while_redis_is_unavailable(world: World, own_redis: RedisServer) -> None:
    """The ticket has no pending entries, so it does not wait. The subscriber will send another one."""
    gone = FeedStream(redis_client(own_redis.url()), FEED, dlq_max_entries=100)
    own_redis.kill()
    world.stream = gone
    world.runner().run_new()


def test_a_bad_message_becomes_a_dead_letter_and_its_neighbours_are_stored(world: World) -> None:
    """A bad message of one producer does not affect other messages."""
    bad = tick(2) | {"price": -1}
    world.runner().run(world.publish(tick(1), bad, b"not json", tick(3)))
    assert world.counts()["underlying_ticks"] == 2
    assert world.pending() == 0
    letters = [json.loads(fields[b"letter"]) for _, fields in world.client.xrange(f"dlq:{FEED}")]
    for letter in letters:
        validator("dead-letter").validate(letter)
    assert [(letter["reason"], letter["mid"]) for letter in letters] == [
        ("schema", "3:2"),
        ("not_json", None),
    ]


def test_an_entry_with_an_id_from_the_future_refuses_none_of_the_later_ones(world: World) -> None:
    """A program that appends by itself chooses its ids, and Redis continues from the highest one."""
    live = {"replay": 0, "ts": NOW_NS, "sent_ts": NOW_NS, "truth": None}
    late = {"ts": NOW_NS - 3600 * 10**9}
    world.client.xadd(f"feed:{FEED}", {"body": b"{}"}, id="9999999999999-1")
    world.runner().run(world.publish(tick(1) | live, tick(2) | live | late))
    assert [one["mid"] for one in world.db["underlying_ticks"].find()] == ["3:1"]
    reasons = [json.loads(fields[b"letter"])["reason"] for _, fields in world.client.xrange(f"dlq:{FEED}")]
    assert reasons == ["schema", "clock_skew"]


def test_an_entry_deleted_from_the_stream_does_not_stop_its_batch(world: World) -> None:
    """The deleted entry can never be stored. The rest of the batch continues without it."""
    ids = world.publish(tick(1), tick(2))
    world.client.xdel(f"feed:{FEED}", ids[0])
    world.runner().run(ids)
    assert (world.counts()["underlying_ticks"], world.pending()) == (1, 0)


class UnavailableSink(MongoSink):
    """A MongoDB sink that raises `error` in the first `times` calls."""

    def __init__(self, world: World, times: int, error: Exception) -> None:
        super().__init__(world.db)
        self.times, self.error = times, error

    def store(self, enriched: Enriched, now_ns: int) -> None:
        if self.times:
            self.times -= 1
            raise self.error
        super().store(enriched, now_ns)


def test_during_an_outage_of_mongodb_a_batch_is_retried_and_not_acknowledged(world: World) -> None:
    """Only stored entries are acknowledged. A retry is not a delivery, so it creates no dead letter."""
    ids = world.publish(tick(1), tick(2))
    pending_meanwhile: list[int] = []
    runner = world.runner(
        UnavailableSink(world, 4, AutoReconnect("down")), lambda _s: pending_meanwhile.append(world.pending())
    )
    runner.run(ids)
    assert pending_meanwhile == [2, 2, 2, 2]
    assert (world.counts()["underlying_ticks"], world.pending()) == (2, 0)


def test_an_entry_refused_during_an_outage_becomes_one_dead_letter(world: World) -> None:
    """Retries of the batch do not refuse the entry again."""
    ids = world.publish(b"no JSON", tick(1))
    world.runner(UnavailableSink(world, 4, AutoReconnect("down"))).run(ids)
    assert world.client.xlen(f"dlq:{FEED}") == 1
    assert (world.counts()["underlying_ticks"], world.pending()) == (1, 0)


def test_a_worker_that_must_stop_during_an_outage_leaves_its_batch_pending(world: World) -> None:
    """The stream redelivers the batch. The shutdown does not wait for MongoDB."""
    ids = world.publish(tick(1))

    def stop(_seconds: float) -> None:
        world.stopping = True

    with pytest.raises(Stopped):
        world.runner(UnavailableSink(world, 10**6, AutoReconnect("down")), stop).run(ids)
    assert (world.counts()["underlying_ticks"], world.pending()) == (0, 1)


def test_an_error_that_is_not_an_outage_is_not_retried(world: World) -> None:
    """A retry would never end. The pending entry is redelivered alone and finally becomes a dead letter."""
    ids = world.publish(tick(1))
    sink = UnavailableSink(world, 1, StoreRejectedError("no"))
    with pytest.raises(StoreRejectedError):
        world.runner(sink).run(ids)
    assert (sink.times, world.pending()) == (0, 1)


def service(world: World) -> dict[str, int]:
    """The counters that the operator reads."""
    return {key.decode(): int(value) for key, value in world.client.hgetall(f"feed:{FEED}:service").items()}


def test_entries_batches_and_time_are_counted_for_the_operator(world: World) -> None:
    """Refused entries cost little and are not counted. The counters match their contract."""
    runner = world.runner()
    runner.run(world.publish(tick(1), tick(2), b"not json"))
    first = service(world)
    validator("feed-service").validate(first)
    assert (first["entries"], first["batches"]) == (2, 1)
    assert first["busy_us"] > 0
    runner.run(world.publish(tick(3)))
    second = service(world)
    assert (second["entries"], second["batches"]) == (3, 2)
    assert second["busy_us"] > first["busy_us"]


def test_waiting_for_a_store_is_not_counted_as_work(world: World) -> None:
    """Otherwise an outage would look like slow entries, and the operator would scale up after it."""
    now = iter(range(10**6))
    unavailable = UnavailableSink(world, 50, AutoReconnect("down"))
    runner = world.runner(unavailable, clock=lambda: float(next(now)))
    runner.run(world.publish(tick(1)))
    assert service(world)["busy_us"] == 2_000_000  # the fetch and one attempt
    runner.run(world.publish(tick(2)))
    assert service(world)["busy_us"] == 5_000_000  # includes the write that contained the first count
