"""Intake: what the contract allows is read, everything else is refused with the field and the rule."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from tests.support.contracts import example, validator

from worker_enricher import messages
from worker_enricher.errors import RefusedError
from worker_enricher.messages import read

KINDS = {
    "market-underlying": messages.Underlying,
    "market-option_quote": messages.OptionQuote,
    "market-option_chain": messages.OptionChain,
}
ARRIVED_MS = 1_795_548_000_123


def body(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()


def refusal(message: dict[str, Any] | bytes, *, arrived_ms: int | None = ARRIVED_MS) -> RefusedError:
    raw = message if isinstance(message, bytes) else body(message)
    with pytest.raises(RefusedError) as caught:
        read(raw, feed="nifty-replay", arrived_ms=arrived_ms)
    return caught.value


@pytest.mark.parametrize("name", KINDS)
def test_a_golden_message_is_read(name: str) -> None:
    """The reader owes the contract's producers exactly what the contract says."""
    message = read(body(example(name)), feed="nifty-replay", arrived_ms=ARRIVED_MS)
    assert type(message) is KINDS[name]
    assert message.mid == example(name)["mid"]


@pytest.mark.parametrize("name", KINDS)
def test_the_types_have_the_contracts_fields(name: str) -> None:
    """A field added on one side only would be refused or lost; the test says so first."""
    assert {"kind", *KINDS[name].__struct_fields__} == set(validator(name).schema["properties"])


@pytest.mark.parametrize("name", KINDS)
def test_what_the_schema_refuses_is_refused(name: str) -> None:
    """Reader and schema agree, field by field: a missing field, a wrong type, a value out of bounds."""
    good = example(name)
    for field in good:
        missing = {key: value for key, value in good.items() if key != field}
        for bad in (missing, {**good, field: {"x": 1}}, {**good, field: -1}):
            assert not validator(name).is_valid(bad), (field, bad)
            assert refusal(bad).reason == "schema"


def test_a_refusal_names_the_field_and_never_the_payload() -> None:
    """An operator must find the cause from the letter, and secrets must not travel in it."""
    error = refusal({**example("market-underlying"), "price": "hunter2"})
    assert "$.price" in error.detail
    assert "hunter2" not in error.detail


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not_json"),
        (b"{not json", "not_json"),
        (b"[1, 2]", "schema"),
        (b'{"kind": "weather"}', "schema"),
        (b"\xff\xfe", "not_json"),
        (body(example("market-underlying")).replace(b"23501.1", b"NaN"), "not_finite"),
        (body(example("market-underlying")).replace(b"23501.1", b"Infinity"), "not_finite"),
        (body(example("market-underlying")).replace(b"23501.1", b"1e999"), "schema"),
        (b'{"pad": "' + b"x" * messages.MAX_BODY_BYTES + b'"}', "too_large"),
        (b"[" * 100_000, "schema"),
    ],
)
def test_a_body_that_is_no_message_is_refused_with_its_reason(raw: bytes, reason: str) -> None:
    """Nothing that arrives may stop the worker."""
    assert refusal(raw).reason == reason


@pytest.mark.parametrize("column", messages.Legs.__struct_fields__)
def test_a_chain_with_a_short_column_is_refused(column: str) -> None:
    """Columns belong together: one entry a strike."""
    chain = example("market-option_chain")
    chain["puts"][column] = chain["puts"][column][:-1]
    error = refusal(chain)
    assert (error.reason, f"$.puts.{column}" in error.detail) == ("inconsistent", True)


@pytest.mark.parametrize("strikes", [[23500.0, 23450.0], [23450.0, 23450.0]])
def test_a_chain_whose_strikes_do_not_ascend_is_refused(strikes: list[float]) -> None:
    """Everything downstream searches sorted strikes."""
    assert refusal({**example("market-option_chain"), "strikes": strikes}).reason == "inconsistent"


def test_an_expiry_that_is_no_date_is_refused() -> None:
    """The pattern alone lets 30 February through."""
    assert refusal({**example("market-option_quote"), "expiry": "2024-02-30"}).detail.startswith("$.expiry")


def test_a_message_of_another_feed_is_refused() -> None:
    """A mid is unique within its feed only."""
    assert refusal({**example("market-underlying"), "feed": "other"}).reason == "inconsistent"


@pytest.mark.parametrize(
    ("seconds", "taken"), [(0, True), (299, True), (-299, True), (301, False), (-301, False)]
)
def test_a_live_event_must_lie_within_five_minutes_of_its_arrival(seconds: int, taken: bool) -> None:
    """A wrong clock must not draw bars; a backlog, however old, is right."""
    tick = copy.deepcopy(example("market-underlying", 2)) | {"feed": "nifty-replay"}
    tick["ts"] = (ARRIVED_MS + seconds * 1000) * 1_000_000
    if taken:
        assert read(body(tick), feed="nifty-replay", arrived_ms=ARRIVED_MS)
    else:
        assert refusal(tick).reason == "clock_skew"
        assert read(body(tick), feed="nifty-replay", arrived_ms=None), "readmitted letters may be late"
