"""Manual: the spec decides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltastream_operator.domain.capacity import manual
from deltastream_operator.domain.feed import Enricher, Feed, Generator, Synthetic


def feed(products: int, least: int, most: int, per: int, enrichers: int = 1) -> Feed:
    return Feed(
        name="a",
        products=tuple(f"P{n}" for n in range(products)),
        source=Synthetic(),
        generator=Generator(min_replicas=least, max_replicas=most, products_per_replica=per),
        enricher=Enricher(replicas=enrichers),
    )


@pytest.mark.parametrize(
    ("products", "least", "most", "per", "wanted"),
    [
        (7, 0, 8, 50, 1),
        (50, 0, 8, 50, 1),
        (51, 0, 8, 50, 2),
        (500, 0, 8, 50, 8),
        (7, 3, 8, 50, 3),
        (7, 0, 0, 50, 0),
        (2, 5, 8, 50, 2),
    ],
)
def test_generators_follow_products(products: int, least: int, most: int, per: int, wanted: int) -> None:
    """ceil(products / productsPerReplica), within min..max, never more than there are products."""
    assert manual(feed(products, least, most, per)).generators == wanted


@given(st.integers(1, 500), st.integers(0, 20), st.integers(0, 20), st.integers(1, 500))
def test_generators_stay_in_their_bounds(products: int, least: int, more: int, per: int) -> None:
    """The ceiling always holds; the floor holds as long as there are products for it."""
    wanted = manual(feed(products, least, least + more, per)).generators
    assert min(least, products) <= wanted <= least + more


def test_enrichers_are_what_the_spec_says() -> None:
    """In Manual nobody second-guesses a person."""
    assert manual(feed(1, 0, 1, 1, enrichers=0)).enrichers == 0
    assert manual(feed(1, 0, 1, 1, enrichers=5)).enrichers == 5
