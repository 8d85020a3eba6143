"""Whose each product is, by what the table knows."""

from __future__ import annotations

from typing import Any

from deltastream_operator.cluster.claims import Claims
from deltastream_operator.cluster.watching.produced import Produced
from deltastream_operator.cluster.watching.table import Table


def saw(table: Table, name: str, *products: str, version: int = 1, created: int = 0) -> None:
    """A watch event of a feed; `created` is its hour."""
    metadata = {"name": name, "uid": name, "resourceVersion": f"{version}"}
    metadata["creationTimestamp"] = f"2026-11-25T{created:02}:00:00Z"
    spec: dict[str, Any] = {"products": list(products), "source": {"synthetic": {"seed": 1}}}
    table.saw_feed("ADDED", {"metadata": metadata, "spec": spec})


def test_the_younger_of_two_feeds_is_refused() -> None:
    """Rule: what nobody makes belongs to the oldest feed that names it."""
    table = Table()
    saw(table, "older", "NIFTY", created=8)
    saw(table, "younger", "NIFTY", "SPY", created=9)
    refused = Claims(table, Produced(table)).refused()
    assert list(refused) == ["younger"]
    assert "NIFTY (feed older)" in refused["younger"].message


def test_a_feed_whose_answer_changes_is_due() -> None:
    """Rule: a product that became free is taken up without waiting for a tick; others are left alone."""
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
    """Rule: a spec that is not carried out keeps no product from another."""
    table = Table()
    saw(table, "broken")
    saw(table, "b", "NIFTY", created=1)
    assert table.feeds["broken"].problems
    assert Claims(table, Produced(table)).refused() == {}
