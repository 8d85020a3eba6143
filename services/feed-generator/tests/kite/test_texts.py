"""Kite's text messages: subscriptions, errors, order updates, and what is no JSON."""

from __future__ import annotations

import json

import pytest

from feed_generator.live.kite.texts import Notice, decode, subscribe


def test_a_subscription_names_the_instruments_and_then_their_mode() -> None:
    assert all(isinstance(request, str) for request in subscribe([1], "full"))
    subscription, mode = map(json.loads, subscribe([408065, 884737], "full"))
    assert subscription == {"a": "subscribe", "v": [408065, 884737]}
    assert mode == {"a": "mode", "v": ["full", [408065, 884737]]}


@pytest.mark.parametrize(
    ("text", "notice"),
    [
        ('{"type": "error", "data": "Too many instruments"}', Notice("error", "Too many instruments")),
        ('{"type": "message", "data": "Markets close early"}', Notice("message", "Markets close early")),
        ('{"type": "error", "data": {"code": 7}}', Notice("error", '{"code": 7}')),
        ('{"type": "error"}', Notice("error", "null")),
        ('{"type": "instruments_meta", "data": {"count": 86481}}', Notice("instruments_meta")),
        ("<html>Bad gateway</html>", Notice("unreadable")),
        ("[1]", Notice("unreadable")),
        (b"\xff", Notice("unreadable")),
    ],
)
def test_a_text_message_is_a_notice_of_its_kind(text: str | bytes, notice: Notice) -> None:
    assert decode(text) == notice


def test_an_order_update_keeps_nothing_of_the_account() -> None:
    """Order updates arrive unasked, on the same connection as the market data."""
    order = {"type": "order", "data": {"user_id": "AB1234", "order_id": "1", "placed_by": "AB1234"}}
    assert decode(json.dumps(order)) == Notice("order")


def test_a_long_error_is_shortened() -> None:
    assert len(decode(json.dumps({"type": "error", "data": "x" * 1000})).text) == 200
