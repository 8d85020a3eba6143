"""A push that contradicts the feed's definition of its product is refused, by the rule of the enrichers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.contracts import validator
from tests.support.pushes import bodies, chain, publish, push, quote, results, tick

DEFINED: dict[str, Any] = {
    "product": "SPY",
    "exercise": "European",
    "lot": 25,
    "expiryTime": "15:30",
    "zone": "Asia/Kolkata",
    "settlement": "close",
}
"""What the contract's examples state."""
FIX = "send the terms that the feed defines, or correct spec.definitions of the feed"


@pytest.mark.parametrize("message", [quote, chain])
@pytest.mark.parametrize(
    ("defined", "field", "expected"),
    [
        ({"lot": 75}, "lot_size", "75"),
        ({"exercise": "American"}, "exercise", "American"),
        ({"settlement": "open"}, "settlement_session", "open"),
        ({"multiplier": 100}, "multiplier", "100"),
        ({"expiryTime": "09:15"}, "expiry_ts", "1719459900000000000, 09:15 in Asia/Kolkata"),
        ({"zone": "UTC"}, "expiry_ts", "1719502200000000000, 15:30 in UTC"),
    ],
)
def test_another_term_than_the_feed_defines_is_refused_alone(
    writer: Any, store: Any, message: Any, defined: dict[str, Any], field: str, expected: str
) -> None:
    """The line names the field, what the feed defines, and the fix. Nothing of it reaches the stream."""
    publish(store, definitions=[DEFINED])
    assert results(push(writer, message(1))) == ["accepted"]
    publish(store, definitions=[DEFINED | defined])
    answer = push(writer, tick(2), message(3), tick(4))
    assert results(answer) == ["accepted", "refused", "accepted"]
    line = answer.json["lines"][1]
    assert (line["reason"], line["field"], line["fix"]) == ("inconsistent", field, FIX)
    assert f"the feed defines SPY with {expected}" in line["detail"]
    assert [json.loads(body)["mid"] for body in bodies(store)] == ["7:1", "7:2", "7:4"]


def test_changed_definitions_hold_for_the_next_push(writer: Any, store: Any) -> None:
    """The operator writes them every two seconds. No gateway is restarted."""
    for seq, lot in enumerate((25, 75, 25), start=1):
        publish(store, definitions=[DEFINED | {"lot": lot}])
        answer = push(writer, chain(10 * seq), chain(10 * seq + 1, lot_size=75))
        assert results(answer) == (["accepted", "refused"] if lot == 25 else ["refused", "accepted"])
    publish(store)
    assert results(push(writer, chain(90, lot_size=3))) == ["accepted"]


def test_products_without_a_definition_and_ticks_may_state_anything(writer: Any, store: Any) -> None:
    """A feed defines some of its products. A tick has no terms."""
    publish(store, definitions=[DEFINED], products=["SPY", "QQQ"])
    assert results(push(writer, tick(1), chain(2, product="QQQ", lot_size=3))) == ["accepted"] * 2


def test_a_message_that_was_accepted_before_its_definition_is_repeated(writer: Any, store: Any) -> None:
    """It is in the stream. Refused, the program would send it again with another mid."""
    sent = chain(1, lot_size=3)
    assert results(push(writer, sent)) == ["accepted"]
    publish(store, definitions=[DEFINED])
    assert results(push(writer, sent, {**sent, "mid": "7:2"})) == ["repeated", "refused"]
    publish(store, products=["QQQ"])
    assert results(push(writer, sent, {**sent, "mid": "7:3"})) == ["repeated", "refused"]


@pytest.mark.parametrize(
    "published",
    [
        b"{",
        b"{}",
        b'{"products": ["SPY"], "definitions": [{"product": "SPY"}]}',
        json.dumps({"products": ["SPY"], "definitions": [DEFINED | {"zone": "Mars/Base"}]}).encode(),
        json.dumps({"products": ["SPY"], "definitions": [DEFINED | {"of_a_newer_operator": 1}]}).encode(),
    ],
)
def test_definitions_that_the_gateway_cannot_read_refuse_the_push(
    writer: Any, store: Any, published: bytes
) -> None:
    """Without them it would accept what becomes a dead letter. The operator may be newer than the gateway."""
    store.hset("feeds:external", "mine", published)
    got = push(writer, tick())
    assert (got.status_code, got.json["code"]) == (503, "feeds_unavailable")
    assert "feeds:external" in got.json["detail"]
    assert "of the same version" in got.json["detail"]
    assert not bodies(store)


def test_what_the_tests_publish_follows_the_contract(store: Any) -> None:
    """The operator's own tests check what it writes."""
    publish(store, definitions=[DEFINED])
    validator("feeds-external").validate(json.loads(store.hget("feeds:external", "mine")))
