"""Tests for the ids and sort keys of messages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.support.contracts import example, validator

from worker_enricher.identity import cache_order, document_id, tick_order

parts = st.tuples(
    st.integers(0, 10**16), st.integers(0, 4 * 10**18), st.integers(1, 10**9), st.integers(1, 10**14)
)


@given(parts, parts)
def test_orders_compare_as_strings_like_their_numbers(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    """Redis and MongoDB compare strings, because a Lua number cannot represent nanoseconds exactly."""

    def order(p: tuple[int, ...]) -> str:
        return cache_order(p[0], p[1], f"{p[2]}:{p[3]}")

    assert (order(a) < order(b)) == (a < b)


def test_an_id_depends_on_kind_feed_and_mid_and_nothing_else() -> None:
    """Two equal quotes are two documents. One event that is delivered twice is one document."""
    ids = {
        document_id(k, f, m)
        for k in ("underlying", "option_quote")
        for f in ("a", "b")
        for m in ("1:1", "1:2")
    }
    assert len(ids) == 8
    assert all(len(id_) == 12 for id_ in ids)
    assert document_id("underlying", "a", "1:1") == document_id("underlying", "a", "1:1")


def test_orders_have_the_contracts_shape() -> None:
    """Readers of the cache parse the orders."""
    index = example("cache-index") | {"order": cache_order(0, 1_795_548_000_123_456_789, "12:345")}
    bar = example("cache-ohlc-bar") | {"open_order": tick_order(1_795_548_000_123_456_789, "12:345")}
    assert validator("cache-index").is_valid(index)
    assert validator("cache-ohlc-bar").is_valid(bar)
