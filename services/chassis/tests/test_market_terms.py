"""Messages of a product that the feed defines must state the terms of the definition."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from tests.support.contracts import example

from chassis.definitions import Definition
from chassis.market_intake import read
from chassis.market_messages import Message
from chassis.market_refusal import RefusedError
from chassis.market_terms import DefinedProducts

NIFTY = {"product": "NIFTY", "lot": 25, "expiryTime": "15:30", "zone": "Asia/Kolkata"}


def message(kind: str, **changes: Any) -> Message:
    body = example(f"market-{kind}") | {"lot_size": 25} | changes
    return read(json.dumps(body).encode(), feed=body["feed"], arrived_ms=None)


def products(**changes: Any) -> DefinedProducts:
    return DefinedProducts([Definition.model_validate(NIFTY | changes)])


@pytest.mark.parametrize("kind", ["option_quote", "option_chain"])
def test_a_message_with_the_terms_of_the_definition_is_accepted(kind: str) -> None:
    """A definition without a multiplier allows any, and the close is what an absent settlement means."""
    products().check(message(kind))
    products().check(message(kind, multiplier=75, settlement_session="close"))
    products(multiplier=75).check(message(kind, multiplier=75))


@pytest.mark.parametrize("kind", ["option_quote", "option_chain"])
@pytest.mark.parametrize(
    ("defined", "stated", "detail"),
    [
        ({"lot": 75}, {}, "$.lot_size: 25, but the feed defines NIFTY with 75 "),
        ({"exercise": "American"}, {}, "$.exercise: European, but the feed defines NIFTY with American "),
        ({"settlement": "open"}, {}, "$.settlement_session: close, but the feed defines NIFTY with open "),
        ({}, {"settlement_session": "open"}, "$.settlement_session: open, but the feed defines NIFTY with c"),
        ({"expiryTime": "09:15"}, {}, "$.expiry_ts: 1719482400000000000, but the feed defines NIFTY with 17"),
        ({"zone": "UTC"}, {}, "$.expiry_ts: "),
        ({"multiplier": 100}, {}, "$.multiplier: not stated, but the feed defines NIFTY with 100"),
        ({"multiplier": 100}, {"multiplier": 10}, "$.multiplier: 10"),
    ],
)
def test_another_term_is_refused_with_both_values_and_the_field(
    kind: str, defined: dict[str, Any], stated: dict[str, Any], detail: str
) -> None:
    """The program or the definition is wrong; numbers of wrong terms would look right."""
    with pytest.raises(RefusedError) as caught:
        products(**defined).check(message(kind, **stated))
    assert caught.value.reason == "inconsistent"
    assert caught.value.detail.startswith(detail)
    assert caught.value.detail.endswith("(spec.definitions)")


def test_ticks_and_products_without_a_definition_may_state_anything() -> None:
    """A tick has no terms."""
    products(lot=99).check(message_of_tick())
    DefinedProducts([]).check(message("option_chain", lot_size=99))
    products(product="MINI", lot=99).check(message("option_chain"))


def message_of_tick() -> Message:
    body = example("market-underlying") | {"product": "NIFTY"}
    return read(json.dumps(body).encode(), feed=body["feed"], arrived_ms=None)


@pytest.mark.parametrize(("expiry", "hour"), [("2026-01-16", 21), ("2026-07-17", 20)])
def test_the_instant_follows_the_zones_summer_time(expiry: str, hour: int) -> None:
    """16:00 in New York is 21:00 UTC in winter and 20:00 UTC in summer."""
    defined = Definition.model_validate(
        {"product": "SPXW", "expiryTime": "16:00", "zone": "America/New_York"}
    )
    day = date.fromisoformat(expiry)
    expected = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    assert defined.expiry_ns(day) == int(expected.timestamp()) * 10**9
