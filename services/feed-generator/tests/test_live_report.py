"""The state of a live source in Redis and in the metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis
from prometheus_client import REGISTRY
from tests.support.contracts import validator

from feed_generator import config
from feed_generator.adapters.redis_stream import connect
from feed_generator.bootstrap.live import live
from feed_generator.domain.shards import products_of
from feed_generator.live.exchange import Dropped, Unauthorized
from feed_generator.live.market import LiveMarket, live_market
from feed_generator.live.report import LIVES_S, Reporter, total
from feed_generator.live.status import Status
from feed_generator.live.ticks import Spot

SECOND = 10**9
NOW_NS = 1_795_600_000 * SECOND


class Clock:
    now_ns = NOW_NS

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """A client of an empty Redis."""
    with connect(redis_url) as made:
        yield made


def _market(*statuses: Status) -> LiveMarket:
    made = live_market("mine", [], chain_interval_millis=1000)
    return LiveMarket(made.source, made.inbox, statuses, made.thread)


def _metric(name: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"source": "deribit"})


def test_the_state_is_a_field_of_a_hash_that_expires(client: redis.Redis) -> None:
    """The operator reads it by HGETALL; a generator that died leaves nothing for long."""
    status, clock = Status(), Clock()
    reporter = Reporter(_market(status), client, feed="mine", shard=2, source="deribit", now_ns=clock)
    reporter.step()
    status.ready("4 contracts of BTC", NOW_NS)
    status.frames = 7
    reporter.step()  # not yet a second later
    state = json.loads(client.hget("feed:mine:source", "2"))
    validator("feed-source").validate(state)
    assert (state["connected"], state["reason"]) == (False, "Connecting")
    clock.now_ns += SECOND
    before = _metric("feed_source_frames_total") or 0
    reporter.step()
    state = json.loads(client.hget("feed:mine:source", "2"))
    assert (state["connected"], state["message"], state["frames"]) == (True, "4 contracts of BTC", 7)
    assert 0 < client.ttl("feed:mine:source") <= LIVES_S
    assert _metric("feed_source_connected") == 1
    assert (_metric("feed_source_frames_total") or 0) - before == 7


def test_the_message_fits_the_contract_however_much_is_subscribed(client: redis.Redis) -> None:
    status = Status()
    status.ready("x" * 1000, NOW_NS)
    reporter = Reporter(_market(status), client, feed="mine", shard=0, source="deribit", now_ns=Clock())
    reporter.step()
    validator("feed-source").validate(json.loads(client.hget("feed:mine:source", "0")))
    status.receives("y" * 1000)
    assert status.message == "y" * 400


def test_the_age_is_that_of_the_newest_tick_and_grows_without_one(client: redis.Redis) -> None:
    """An alert watches it; gaps and reconnects are counted beside it."""
    status, clock = Status(), Clock()
    reporter = Reporter(_market(status), client, feed="mine", shard=0, source="deribit", now_ns=clock)
    gaps = _metric("feed_source_gaps_total") or 0
    status.ready("4 contracts of BTC", NOW_NS)
    status.took([Spot("BTC", NOW_NS - 2 * SECOND, 60_000)])
    reporter.step()
    assert _metric("feed_source_age_seconds") == 2
    status.ended(Dropped("Dropped", "ended"), NOW_NS)
    clock.now_ns += 60 * SECOND
    reporter.step()
    assert _metric("feed_source_age_seconds") == 62
    assert (_metric("feed_source_gaps_total") or 0) - gaps == 1
    assert _metric("feed_source_connected") == 0


def test_a_generator_that_ends_in_order_leaves_only_the_reports_of_the_others(client: redis.Redis) -> None:
    """After a change of the feed its connections must not count as those of the next generator."""
    for shard in (0, 1):
        reporter = Reporter(_market(Status()), client, feed="mine", shard=shard, source="deribit")
        reporter.step()
    reporter.withdraw()
    assert list(client.hgetall("feed:mine:source")) == [b"0"]


def test_a_shard_without_products_reports_that_it_is_well(client: redis.Redis, redis_url: str) -> None:
    """The operator expects a report of every generator, and a feed is connected if all of them are."""
    given = {
        "FEED": "mine",
        "SOURCE": "deribit",
        "REDIS_URL": redis_url,
        "SHARD_INDEX": "1",
        "SHARD_COUNT": "2",
    }
    settings = config.load(given | {"PRODUCTS": "ETH,SOL-USDC", "DERIBIT_CURRENCIES": "ETH,USDC"})
    assert products_of(settings.product_list, index=1, count=2) == []
    market = live(settings)
    assert market is not None
    market.thread.start()
    Reporter(market, client, feed="mine", shard=1, source="deribit").step()
    market.thread.stop()
    state = json.loads(client.hget("feed:mine:source", "1"))
    validator("feed-source").validate(state)
    assert (state["connected"], state["authorized"]) == (True, True)
    assert market.thread.failure is None


def test_an_outage_of_redis_does_not_end_the_generator() -> None:
    """The next report is a second later. A generator that ends is not kept either."""
    nobody = connect("redis://localhost:1/0")
    reporter = Reporter(_market(Status()), nobody, feed="mine", shard=0, source="deribit", now_ns=Clock())
    before = REGISTRY.get_sample_value("feed_redis_errors_total") or 0
    reporter.step()
    assert REGISTRY.get_sample_value("feed_redis_errors_total") == before + 1
    reporter.withdraw()


def test_a_defect_in_a_session_ends_the_generator() -> None:
    """A generator whose connections are gone would stay silent for ever."""
    market = _market(Status())
    market.thread.failure = KeyError("defect")
    with pytest.raises(KeyError, match="defect"):
        Reporter(market, None, feed="mine", shard=0, source="deribit").step()  # type: ignore[arg-type]


def test_one_connection_that_is_not_well_decides_for_all() -> None:
    """Counters add up; a refused credential comes before a drop."""
    well, refused = Status(frames=3), Status(frames=4)
    well.ready("10 contracts", NOW_NS)
    refused.ended(Unauthorized("Refused", "renew the token"), NOW_NS)
    both = total([well, refused])
    assert (both.frames, both.connected, both.authorized) == (7, False, False)
    assert both.message == "renew the token"


def test_a_change_of_the_state_has_a_time_and_a_repetition_has_not() -> None:
    """`since_ts` tells since when the reason holds."""
    status = Status()
    error = Unauthorized("Refused", "renew the token")
    status.ended(error, 1)
    status.ended(error, 2)
    assert status.since_ts == 1
    status.ready("all", 3)
    assert (status.since_ts, status.authorized) == (3, True)


def test_what_an_exchange_says_is_one_printable_line() -> None:
    """Its words are shown on terminals and in Events."""
    assert str(Dropped("Dropped", "ended: \x1b[31mred\n\tline\x07")) == "ended: ?[31mred line?"
