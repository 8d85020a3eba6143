"""Test which feed each product belongs to, as decided from the table."""

from __future__ import annotations

from typing import Any

from deltastream_operator.cluster.claims import Claims
from deltastream_operator.cluster.watching.produced import Produced
from deltastream_operator.cluster.watching.table import Table


def saw(table: Table, name: str, *products: str, version: int = 1, created: int = 0) -> None:
    """Pass a watch event of a feed to the table. `created` is the hour at which the feed was created."""
    metadata = {"name": name, "uid": name, "resourceVersion": f"{version}"}
    metadata["creationTimestamp"] = f"2026-11-25T{created:02}:00:00Z"
    spec: dict[str, Any] = {"products": list(products), "source": {"synthetic": {"seed": 1}}}
    table.saw_feed("ADDED", {"metadata": metadata, "spec": spec})


def test_the_younger_of_two_feeds_is_refused() -> None:
    """A product that no generator produces belongs to the oldest feed that lists it."""
    table = Table()
    saw(table, "older", "NIFTY", created=8)
    saw(table, "younger", "NIFTY", "SPY", created=9)
    refused = Claims(table, Produced(table)).refused()
    assert list(refused) == ["younger"]
    assert "NIFTY (feed older)" in refused["younger"].message


def test_a_feed_that_becomes_refused_or_accepted_is_due() -> None:
    """A feed takes up a product that became free without waiting for a tick. Other feeds are not due."""
    table = Table()
    for hour, (name, product) in enumerate((("a", "NIFTY"), ("b", "NIFTY"), ("c", "SPY"))):
        saw(table, name, product, created=hour)
    claims = Claims(table, Produced(table))
    assert list(claims.refused()) == ["b"]
    table.due.clear()
    saw(table, "a", "DAX", version=2)
    assert claims.refused() == {}
    assert table.due == {"a", "b"}


def test_a_feed_that_cannot_be_read_claims_nothing() -> None:
    """The operator does not apply an invalid spec, so it must not keep a product from another feed."""
    table = Table()
    saw(table, "broken")
    saw(table, "b", "NIFTY", created=1)
    assert table.feeds["broken"].problems
    assert Claims(table, Produced(table)).refused() == {}
