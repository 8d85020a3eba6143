"""The stream on a real Redis: appended entries, epochs, backlog, memory use, and outages."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from devcluster.processes.stores import RedisServer
from devcluster.waiting import wait_until
from tests.support.contracts import validator

from feed_generator.adapters.redis_stream import GROUP, RedisStream, connect
from feed_generator.buffer import Buffer, Named
from feed_generator.messages import Kind
from feed_generator.publisher import Publisher
from feed_generator.sources.base import Batch, Source

KEY = "feed:synthetic"
NOW_NS = 1_795_548_001_000_000_000
KINDS: tuple[Kind, ...] = ("underlying", "option_quote", "option_chain")


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """A client made like the generator's."""
    with connect(redis_url) as made:
        yield made


@pytest.fixture
def stream(client: redis.Redis) -> RedisStream:
    """The stream of the feed `synthetic`, with a fixed clock."""
    return RedisStream(client, "synthetic", now_ns=lambda: NOW_NS)


def _ticks(first: int, last: int) -> list[Named]:
    return [Named("underlying", f"3:{seq}", 0, b'{"kind":"underlying"}') for seq in range(first, last + 1)]


def test_every_start_gets_its_own_epoch(client: redis.Redis, stream: RedisStream) -> None:
    """No two starts of a feed's shards share an epoch. Each feed has its own counter."""
    now_s = NOW_NS // 10**9
    other = RedisStream(client, "synthetic", now_ns=lambda: NOW_NS - 10**9)
    assert [stream.next_epoch(), other.next_epoch(), stream.next_epoch()] == [now_s, now_s + 1, now_s + 2]
    assert RedisStream(client, "nifty-replay", now_ns=lambda: NOW_NS).next_epoch() == now_s
    assert client.get(f"{KEY}:epoch") == str(now_s + 2).encode()


def test_a_redis_that_lost_its_data_repeats_no_epoch(client: redis.Redis, stream: RedisStream) -> None:
    """With a repeated epoch, new messages would have mids that MongoDB already knows and drops."""
    before = stream.next_epoch()
    client.flushall()
    assert RedisStream(client, "synthetic", now_ns=lambda: NOW_NS + 10**9).next_epoch() > before


def test_an_entry_matches_the_contract_and_is_also_published(
    client: redis.Redis, stream: RedisStream
) -> None:
    """An entry has the fields of stream-entry. `market:{kind}` gets the same bytes in the same order."""
    with client.pubsub() as listener:
        listener.psubscribe("market:*")
        assert listener.get_message(timeout=10), "subscribed"
        names = [Named(kind, f"3:{seq}", 0, b'{"x":1}') for seq, kind in enumerate(KINDS, 1)]
        stream.append(names)
        mirrored = [listener.get_message(timeout=10) for _ in KINDS]
    entries = [fields for _, fields in client.xrange(KEY)]
    for kind, fields, heard in zip(KINDS, entries, mirrored, strict=True):
        validator("stream-entry").validate({k.decode(): v.decode() for k, v in fields.items()})
        assert fields[b"kind"] == kind.encode()
        assert heard is not None
        assert (heard["channel"], heard["data"]) == (f"market:{kind}".encode(), fields[b"body"])
    assert [json.loads(fields[b"body"])["mid"] for fields in entries] == ["3:1", "3:2", "3:3"]
    assert {json.loads(fields[b"body"])["sent_ts"] for fields in entries} == {NOW_NS}


def test_replay_numbers_grow_over_passes_and_restarts(client: redis.Redis, stream: RedisStream) -> None:
    """`replay` is 0 for a live market, otherwise epoch * 1,000,000 + pass, also beyond a million passes."""
    names = [("3:1", 0), ("3:2", 1), ("3:3", 999_999), ("4:1", 1_000_000), ("4:2", 1_000_001), ("5:1", 1)]
    stream.append([Named("underlying", mid, number, b'{"x":0}') for mid, number in names])
    found = [json.loads(fields[b"body"])["replay"] for _, fields in client.xrange(KEY)]
    assert found == [0, 3_000_001, 3_999_999, 4_000_000, 4_000_001, 5_000_001]


def test_the_backlog_is_the_number_of_unprocessed_entries(client: redis.Redis, stream: RedisStream) -> None:
    """The backlog is the undelivered plus unacknowledged entries; without a group, the whole stream."""
    assert stream.backlog() == 0
    stream.append(_ticks(1, 10))
    assert stream.backlog() == 10
    client.xgroup_create(KEY, GROUP, id="0")
    assert stream.backlog() == 10
    ids = [id_ for id_, _ in client.xreadgroup(GROUP, "w", {KEY: ">"}, count=6)[0][1]]
    assert stream.backlog() == 10
    client.xack(KEY, GROUP, *ids[:5])
    assert stream.backlog() == 5


def test_memory_is_the_share_of_maxmemory(own_redis: RedisServer) -> None:
    """`memory` returns None if Redis has no `maxmemory`."""
    client = connect(own_redis.url())
    stream = RedisStream(client, "synthetic")
    client.config_set("maxmemory", 0)
    assert stream.memory() is None
    client.config_set("maxmemory", 64 << 20)
    assert 0 < (stream.memory() or 0) < 0.1
    client.set("unrelated", b"x" * (28 << 20))
    assert 28 / 64 < (stream.memory() or 0) < 1
    client.close()


class Recorded:
    """A market that records the ticks and chains that it makes."""

    def __init__(self, market: Any) -> None:
        self.due_ns, self.skip, self._advance = market.due_ns, market.skip, market.advance
        self.made: list[dict[str, Any]] = []

    def advance(self) -> Batch:
        batch: Batch = self._advance()
        self.made += [json.loads(m.body) for m in batch.messages if m.kind != "option_quote"]
        return batch


class Running:
    """Runs a publisher of a synthetic market in its own thread, on a Redis that the test can stop."""

    def __init__(self, url: str, market: Source) -> None:
        self.client, self.stop = connect(url), threading.Event()
        self.buffer = Buffer(64 * 1024 * 1024)
        self._publisher = Publisher(
            market,
            RedisStream(self.client, "synthetic"),
            self.buffer,
            high_water=10**6,
            stop=self.stop,
            beat=lambda: None,
        )
        self._thread = threading.Thread(target=self._publisher.run)
        self._thread.start()

    def entries(self) -> int:
        return int(self.client.xlen(KEY))

    def finish(self) -> list[dict[str, Any]]:
        """Stop the publisher. Returns all messages in the stream."""
        self.stop.set()
        self._thread.join(timeout=60)
        assert not self._thread.is_alive()
        return [json.loads(fields[b"body"]) for _, fields in self.client.xrange(KEY)]


@pytest.mark.parametrize("how", ["kill -9", "stopped and started", "hangs"])
def test_an_outage_of_redis_loses_no_tick_and_no_chain(
    how: str, own_redis: RedisServer, make_market: Any
) -> None:
    """After the outage, the stream has all ticks and chains in order, and the mids have no gaps.

    A batch whose reply was lost is sent again under the same mids.
    """
    market = Recorded(make_market(messages_per_second=3000))
    running = Running(own_redis.url(), market)
    try:
        wait_until(lambda: running.entries() > 1000, "under way")
        if how == "hangs":
            os.kill(own_redis.pid, signal.SIGSTOP)
        elif how == "kill -9":
            own_redis.kill()
        else:
            own_redis.stop()
        wait_until(lambda: len(running.buffer) > 1000, "messages wait for Redis")
        if how == "hangs":
            os.kill(own_redis.pid, signal.SIGCONT)
        else:
            own_redis.start()
        before = running.entries()
        wait_until(lambda: running.entries() > before + 3000, "caught up")
        found = running.finish()
    finally:
        running.stop.set()
        running.client.close()

    unique = {message["mid"]: message for message in found}
    for message in found:
        assert message | {"sent_ts": 0} == unique[message["mid"]] | {"sent_ts": 0}
    sent = list(unique.values())
    assert [message["mid"].partition(":")[2] for message in sent] == list(map(str, range(1, len(sent) + 1)))
    assert len({message["mid"].partition(":")[0] for message in sent}) == 1
    ours = [message for message in sent if message["kind"] != "option_quote"]
    assert [
        {name: message[name] for name in body} for message, body in zip(ours, market.made, strict=True)
    ] == market.made
