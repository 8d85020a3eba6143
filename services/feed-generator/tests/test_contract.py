"""The messages of both sources comply with the schemas in services/contracts, for all kinds."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.contracts import example, validator

from feed_generator.domain.rulebook import rules
from feed_generator.messages import Message, stamp, symbol
from feed_generator.sources.loading import Loaded
from feed_generator.sources.replay import Replay

KINDS = ("underlying", "option_quote", "option_chain")
Load = Callable[..., Loaded]
AS_OF = datetime(2024, 6, 20, 7, tzinfo=UTC)


def _complete(message: Message, replay: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stamp(message.body, "3:17", replay, 1_795_548_000_123_456_789))
    assert found["kind"] == message.kind
    return found


def _replayed(path: Path, load: Load) -> list[Message]:
    source = Replay(
        feed="nifty-replay",
        terms={"NIFTY": rules("NIFTY")},
        snapshots=load(str(path), as_of=AS_OF).snapshots,
        speed_percent=100,
        interval_ns=10**9,
        forever=False,
    )
    return list(source.advance().messages)


def test_every_synthetic_message_fits_its_schema(make_market: Any, take: Any) -> None:
    """The messages of all products and kinds validate."""
    messages = take(make_market(), 1500)
    for message in messages:
        validator(f"market-{message.kind}").validate(_complete(message, 0))
    assert {message.kind for message in messages} == set(KINDS)


def test_every_replayed_message_fits_its_schema(sample: Path, load: Load) -> None:
    """All messages of the shipped recordings validate, with one-sided strikes and bids of 0."""
    messages = _replayed(sample, load)
    for message in messages:
        validator(f"market-{message.kind}").validate(_complete(message, 3_000_001))
    assert {message.kind for message in messages} == set(KINDS)


def _shape(value: Any) -> Any:
    """Return field names and JSON types, in order; a list is represented by its first element."""
    if isinstance(value, dict):
        return {name: _shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shape(value[0])]
    return type(value).__name__


@pytest.mark.parametrize("kind", KINDS)
def test_a_replayed_message_has_the_shape_of_the_golden_example(sample: Path, kind: str, load: Load) -> None:
    """Fields and types equal those of the example, which consumers use in their tests."""
    ours = next(_complete(m, 3_000_001) for m in _replayed(sample, load) if m.kind == kind)
    assert _shape(ours) == _shape(example(f"market-{kind}"))


def test_a_synthetic_tick_has_the_shape_of_the_golden_example(make_market: Any) -> None:
    """The `truth` of a synthetic tick is an object, as in the second example."""
    tick = _complete(make_market().advance().messages[0], 0)
    assert _shape(tick) == _shape(example("market-underlying", 2))


def test_the_publishers_fields_are_added_and_the_body_is_unchanged() -> None:
    """`stamp` adds mid, replay and sent_ts to an encoded body without decoding it."""
    assert stamp(b'{"kind":"underlying"}', "3:17", 3_000_001, 9) == (
        b'{"mid":"3:17","replay":3000001,"sent_ts":9,"kind":"underlying"}'
    )


@pytest.mark.parametrize(("strike", "ending"), [(23500.0, "C23500"), (262.5, "C262.5"), (0.25, "C0.25")])
def test_a_symbol_names_product_expiry_side_and_strike(strike: float, ending: str) -> None:
    """The strike in a symbol has no trailing zeros."""
    assert symbol("NIFTY", "2024-06-27", "CALL", strike) == f"NIFTY20240627{ending}"
