"""Sharding: each product has exactly one shard, and an added shard moves only the products that it takes."""

from __future__ import annotations

from math import sqrt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feed_generator import config
from feed_generator.bootstrap.sources import source
from feed_generator.domain.rulebook import products
from feed_generator.domain.shards import owner, products_of

NAMES = st.lists(st.from_regex(r"[A-Z0-9&-]{1,20}", fullmatch=True), min_size=1, max_size=50, unique=True)


@settings(max_examples=50)
@given(names=NAMES, count=st.integers(1, 40))
def test_every_product_belongs_to_exactly_one_shard(names: list[str], count: int) -> None:
    """Together the shards have each product once, in the given order."""
    shards = [products_of(names, index=index, count=count) for index in range(count)]
    assert sorted(name for shard in shards for name in shard) == sorted(names)
    for shard in shards:
        assert shard == [name for name in names if name in shard]


@settings(max_examples=50)
@given(names=NAMES, count=st.integers(1, 40))
def test_an_added_shard_takes_products_and_no_others_move(names: list[str], count: int) -> None:
    """From N to N+1 shards, a product stays where it is or moves to the new shard, whose index is N."""
    for name in names:
        before, after = owner(name, count), owner(name, count + 1)
        assert after in (before, count)


def test_shards_get_even_parts() -> None:
    """Each of k shards gets n/k of n products on average, with the binomial standard deviation."""
    names, count = [f"P{number}" for number in range(5000)], 5
    for index in range(count):
        got = len(products_of(names, index=index, count=count))
        assert abs(got - 1000) < 4 * sqrt(5000 * 0.2 * 0.8)


def test_the_owner_never_changes_between_versions() -> None:
    """During a rollout, shards of one feed may run different versions, so owners must not change."""
    assert [owner(name, 3) for name in ("NIFTY", "BANKNIFTY", "SPX", "AAPL", "TSLA")] == [1, 0, 2, 2, 1]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_shards_of_a_feed_emit_all_its_products_once(count: int, take: Any) -> None:
    """Sources are built like in the process. A shard without products emits no messages."""
    seen: list[str] = []
    for index in range(count):
        settings = config.load(
            {
                "FEED": "synthetic",
                "PRODUCTS": ",".join(products()),
                "REDIS_URL": "redis://localhost",
                "SHARD_INDEX": str(index),
                "SHARD_COUNT": str(count),
            }
        )
        made = source(settings, 1_763_956_800_000_000_000, print)
        if made.due_ns() is None:
            assert made.advance().messages == ()
            continue
        bodies = [message.body for message in take(made, 500)]
        seen += {body.split(b'"product":"')[1].split(b'"')[0].decode() for body in bodies}
    assert sorted(seen) == products()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_rates_of_the_shards_add_up_to_the_feeds_rate(count: int) -> None:
    """Every shard has the same MESSAGES_PER_SECOND: a StatefulSet's pod template is the same for all pods."""
    together = 0.0
    for index in range(count):
        made = source(
            config.load(
                {
                    "FEED": "synthetic",
                    "PRODUCTS": ",".join(products()),
                    "REDIS_URL": "redis://localhost",
                    "MESSAGES_PER_SECOND": "600",
                    "SHARD_INDEX": str(index),
                    "SHARD_COUNT": str(count),
                }
            ),
            1_763_956_800_000_000_000,
            print,
        )
        ours = len(products_of(products(), index=index, count=count))
        if not ours:
            continue
        for _ in range(ours):  # the first beat has a different length
            made.advance()
        begin = made.due_ns()
        messages = sum(len(made.advance().messages) for _ in range(100 * ours))
        end = made.due_ns()
        assert begin is not None
        assert end is not None
        together += messages * 1e9 / (end - begin)
    assert together == pytest.approx(600, rel=1e-6)
