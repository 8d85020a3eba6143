"""What a batch leaves: documents, cache, bars and published messages."""

from __future__ import annotations

import json

import pytest
from prometheus_client import REGISTRY
from tests.support.batches import FEED, MARKET, NOW_NS, World, tick
from tests.support.contracts import example, shown, validator


def test_stored_cached_and_published_messages_match_the_contracts(world: World) -> None:
    """The real output of the enricher matches every contract that it produces."""
    listener = world.client.pubsub()
    channels = {
        f"enriched:{kind}": f"enriched-{kind}" for kind in ("underlying", "option_quote", "option_chain")
    }
    listener.subscribe(*channels)
    for _ in channels:
        assert listener.get_message(timeout=5)
    world.runner().run(world.publish(*(example(name) for name in MARKET)))
    for _ in channels:
        message = listener.get_message(timeout=5)
        validator(channels[message["channel"].decode()]).validate(json.loads(message["data"]))
    for collection in ("underlying_ticks", "option_quotes", "option_chains", "ohlc_bars"):
        documents = list(world.db[collection].find())
        assert documents, collection
        for document in documents:
            validator(f"document-{collection}").validate(shown(document))
    cached = {
        "latest:underlying:NIFTY": "cache-latest-underlying",
        "latest:chain:NIFTY:2024-06-27": "cache-latest-chain",
        "latest:pcr:NIFTY:2024-06-27": "cache-latest-pcr",
    }
    for key, contract in cached.items():
        validator(contract).validate(json.loads(world.client.get(key)))
        assert world.client.ttl(key) > 0
    for value in world.client.hvals("index:NIFTY"):
        validator("cache-index").validate(json.loads(value))
    for minutes in (1, 5, 15, 60):
        for value in world.client.hvals(f"ohlc:NIFTY:{minutes}m"):
            validator("cache-ohlc-bar").validate(json.loads(value))
    assert world.client.smembers("index:products") == {b"NIFTY"}
    assert world.pending() == 0
    listener.close()


def test_the_terms_of_a_contract_and_the_sources_own_values_are_stored(world: World) -> None:
    """Fractional sizes stay fractional in MongoDB, and a metric counts each difference of volatilities."""
    counted = "enricher_vendor_iv_difference_count"
    before = REGISTRY.get_sample_value(counted)
    names = ("market-option_chain", "market-option_quote")
    # As a replay, the examples may be of any time.
    changes = {"feed": FEED, "replay": 1_795_548_000_000_001}
    world.runner().run(world.publish(*(example(name, 2) | changes for name in names)))
    for collection in ("option_quotes", "option_chains"):
        document = world.db[collection].find_one()
        assert document
        validator(f"document-{collection}").validate(shown(document))
        assert (document["settlement_currency"], document["multiplier"]) == ("BTC", 1.0)
    chain = json.loads(world.client.get("latest:chain:BTC:2026-12-25"))
    validator("cache-latest-chain").validate(chain)
    assert chain["puts"]["open_interest"] == example("market-option_chain", 2)["puts"]["open_interest"]
    validator("cache-latest-pcr").validate(json.loads(world.client.get("latest:pcr:BTC:2026-12-25")))
    validator("cache-index").validate(json.loads(world.client.hget("index:BTC", "chain:2026-12-25")))
    found = [*chain["calls"]["vendor_iv_difference"], *chain["puts"]["vendor_iv_difference"]]
    assert REGISTRY.get_sample_value(counted) == before + 1 + sum(value is not None for value in found)


def test_a_second_series_under_the_same_name_is_refused(world: World) -> None:
    """SPX and SPXW as one product would overwrite each other. A new epoch may correct the terms."""
    first = example("market-option_chain") | {"mid": "3:1"}
    other = {"settlement_session": "open", "expiry_ts": first["expiry_ts"] - 6 * 3600 * 10**9}
    quote = example("market-option_quote") | {"mid": "3:4"}
    world.runner().run(world.publish(first))
    for runner in (world.runner(), world.runner()):  # with and without its own memory of the first
        runner.run(world.publish(first | other | {"mid": "3:2"}, first | {"mid": "3:3"}))
    world.runner().run(world.publish(quote | other, quote | {"mid": "3:5"}))
    assert world.db["option_chains"].distinct("mid") == ["3:1", "3:3"]
    assert world.db["option_quotes"].distinct("mid") == ["3:5"]
    letters = [json.loads(fields[b"letter"]) for _, fields in world.client.xrange(f"dlq:{FEED}")]
    assert [letter["reason"] for letter in letters] == ["inconsistent"] * 3
    assert "give each root a product of its own" in letters[0]["detail"]

    world.runner().run(world.publish(first | other | {"mid": "4:1", "replay": 4_000_001}))
    cached = json.loads(world.client.get("latest:chain:NIFTY:2024-06-27"))
    assert (cached["mid"], cached["settlement_session"]) == ("4:1", "open")

    world.runner().run(world.publish(first | {"mid": "3:6"}))
    assert world.db["option_chains"].find_one({"mid": "3:6"}) is None, "an older epoch with the old terms"


def test_two_programs_do_not_take_turns_under_one_name(world: World) -> None:
    """The later epoch decides, even if both saw an empty cache and the other's messages are newer."""
    now = NOW_NS
    first = example("market-option_chain") | {"ts": now, "sent_ts": now, "replay": 0, "truth": None}
    other = {"settlement_session": "open", "expiry_ts": first["expiry_ts"] - 6 * 3600 * 10**9}
    ids = [
        *world.publish(first | other | {"mid": "4:1"}),
        *world.publish(first | {"mid": "3:1", "ts": now + 1}),
    ]
    slow = world.runner()
    slow._guard._read = lambda _keys: {}  # it read the cache before the other one wrote
    world.runner().run(ids[:1])
    slow.run(ids[1:])
    assert json.loads(world.client.get("latest:chain:NIFTY:2024-06-27"))["mid"] == "4:1"


def test_another_feed_that_had_the_product_decides_nothing(world: World) -> None:
    """A generator's epoch is the time. The epochs of a program that follows it may be smaller."""
    first = example("market-option_chain") | {"mid": "3:1"}
    world.runner().run(world.publish(first))
    index = json.loads(world.client.hget("index:NIFTY", "chain:2024-06-27"))
    order = index["order"][:38] + "9999999999" + index["order"][48:]
    before = index | {"feed": "before", "order": order, "series": "another"}
    world.client.hset("index:NIFTY", "chain:2024-06-27", json.dumps(before, separators=(",", ":")))
    world.runner().run(world.publish(first | {"mid": "3:2"}))
    assert world.db["option_chains"].find_one({"mid": "3:2"}) is not None
    assert json.loads(world.client.get("latest:chain:NIFTY:2024-06-27"))["mid"] == "3:2"


def test_the_cache_keeps_the_first_series_of_an_epoch(world: World) -> None:
    """Also if two workers saw the first chains of both at the same moment."""
    first = example("market-option_chain") | {"mid": "3:1"}
    ids = [*world.publish(first), *world.publish(first | {"mid": "3:2", "multiplier": 10})]
    slow, fast = world.runner(), world.runner()
    slow._guard._read = lambda _keys: {}  # it read the cache before the other one wrote
    fast.run(ids[:1])
    slow.run(ids[1:])
    assert json.loads(world.client.get("latest:chain:NIFTY:2024-06-27"))["mid"] == "3:1"


def test_the_cache_keeps_the_newest_message_in_any_order_of_arrival(world: World) -> None:
    """Several workers change the order. `latest` never goes back in time, even for equal timestamps."""
    ts = 1_718_963_999_000_000_000
    for message in (
        tick(5, 105.0, ts + 1),
        tick(4, 104.0, ts + 1),
        tick(9, 99.0, ts),
        tick(6, 106.0, ts + 1),
    ):
        world.runner().run(world.publish(message))
    assert json.loads(world.client.get("latest:underlying:NIFTY"))["price"] == 106.0
    again = tick(7, 107.0, ts - 10) | {"replay": 3_000_002}
    world.runner().run(world.publish(again))
    assert json.loads(world.client.get("latest:underlying:NIFTY"))["price"] == 107.0, "a later pass is newer"


def test_bars_are_equal_in_redis_and_mongodb_and_independent_of_order_and_repetition(world: World) -> None:
    """The Lua script and the MongoDB update merge the same ticks to exactly the same bars."""
    start = 1_718_963_940 * 10**9
    prices = [0.1 + 0.2, 23501.1, 1e-3, 999999.99, 23499.123456789]
    ticks = [tick(n + 1, price, start + n * 7 * 10**9) for n, price in enumerate(prices)]
    for batch in ([ticks[3]], [ticks[1], ticks[4]], [ticks[0]], [ticks[2], ticks[0]], [ticks[4]]):
        world.runner().run(world.publish(*batch))
    cached = json.loads(world.client.hget("ohlc:NIFTY:1m", "1718963940"))
    stored = world.db.ohlc_bars.find_one({"_id": "NIFTY:1:1718963940"})
    expected = {"open": prices[0], "high": 999999.99, "low": 1e-3, "close": prices[4]}
    assert {name: cached[name] for name in expected} == expected
    assert {name: stored[name] for name in expected} == expected
    assert cached["open_order"] == stored["open_order"]
    assert cached["close_order"] == stored["close_order"]


def test_the_number_of_cached_bars_is_limited(world: World) -> None:
    """A feed runs for years. The cache keeps the newest 500 windows."""
    start = 1_718_963_940 * 10**9
    ticks = [tick(n + 1, 100.0 + n, start + n * 60 * 10**9) for n in range(520)]
    world.runner().run(world.publish(*ticks))
    starts = sorted(int(field) for field in world.client.hkeys("ohlc:NIFTY:1m"))
    assert (len(starts), starts[-1] - starts[0]) == (500, 499 * 60)
    assert world.db.ohlc_bars.count_documents({"window_minutes": 1}) == 520, "MongoDB keeps older bars"


def test_a_quote_uses_the_forward_that_another_worker_cached(world: World) -> None:
    """Different workers may process the chain and the quote."""
    world.runner().run(world.publish(example("market-option_chain")))
    world.runner().run(world.publish(example("market-option_quote")))
    stored = world.db.option_quotes.find_one()
    chain = world.db.option_chains.find_one()
    assert stored["forward"] == pytest.approx(chain["forward"], rel=1e-12)
    assert (stored["iv"] is None) == (stored["iv_reason"] is not None)


def test_a_quote_without_a_chain_has_the_reason_no_forward(world: World) -> None:
    """Without a forward there is no volatility, but a reason. No forward is guessed from spot * e^(rT)."""
    world.runner().run(world.publish(example("market-option_quote")))
    stored = world.db.option_quotes.find_one()
    assert (stored["iv"], stored["iv_reason"], stored["forward"]) == (None, "no_forward", None)
