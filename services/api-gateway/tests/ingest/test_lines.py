"""The body of a push is split and checked without an error, whatever it contains."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.contracts import example

from api_gateway.chassis.market_terms import DefinedProducts
from api_gateway.chassis.problems import BadInput
from api_gateway.external_feeds import ExternalFeed
from api_gateway.ingest_lines import JSON, MAX_LINES, NDJSON, Refused, Valid, checked, split

TICK: dict[str, Any] = {**example("market-underlying", 2), "feed": "mine"}
ANY = ExternalFeed(frozenset(), DefinedProducts([]))
ARRIVED_MS = TICK["ts"] // 10**6
KINDS = [example(f"market-{kind}") for kind in ("underlying", "option_quote", "option_chain")]
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


def results(texts: list[tuple[int, bytes]]) -> list[Valid | Refused]:
    return list(checked(texts, feed="mine", external=ANY, arrived_ms=ARRIVED_MS))


@given(st.binary(max_size=300), st.sampled_from([NDJSON, JSON]))
def test_any_body_is_split_or_refused_as_a_whole(body: bytes, content_type: str) -> None:
    """Each message keeps its line, and has a result."""
    try:
        found = split(body, content_type)
    except BadInput:
        return
    assert [one.line for one in results(found)] == [line for line, _ in found]
    if content_type == NDJSON:
        body = body.removeprefix(BOM_UTF8)
        assert found == [(at, one.strip()) for at, one in enumerate(body.split(b"\n"), 1) if one.strip()]


@given(st.sampled_from(KINDS), st.data())
def test_a_message_with_any_value_in_a_field_is_valid_or_names_its_mistake(
    message: dict[str, Any], data: st.DataObject
) -> None:
    """No value stops the others of the request."""
    field = data.draw(st.sampled_from(sorted(message)))
    value = data.draw(JSONS)
    (one,) = results([(7, json.dumps({**message, "feed": "mine", field: value}).encode())])
    assert one.line == 7
    if isinstance(one, Refused):
        assert one.detail
        assert one.fix


@pytest.mark.parametrize("content_type", [NDJSON, JSON])
def test_a_body_of_as_many_lines_as_allowed_is_split(content_type: str) -> None:
    """One more is refused."""

    def body(count: int) -> bytes:
        lines = [b"{}"] * count
        return b"\n".join(lines) if content_type == NDJSON else b"[" + b",".join(lines) + b"]"

    assert len(split(body(MAX_LINES), content_type)) == MAX_LINES
    with pytest.raises(BadInput, match="at most"):
        split(body(MAX_LINES + 1), content_type)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"price": "x"}, "price"),
        ({"truth": {"volatility": -1}}, "truth.volatility"),
        ({"truth": {}}, "truth.volatility"),
        ({"extra": 1}, "extra"),
        ({"feed": "other"}, "feed"),
        ({"ts": 1}, "ts"),
    ],
)
def test_a_refusal_names_the_field(change: dict[str, Any], field: str) -> None:
    """In the form `truth.volatility`, from the texts of the decoder and of the consistency checks."""
    (one,) = results([(1, json.dumps({**TICK, **change}).encode())])
    refused = one.unless_known if isinstance(one, Valid) else one
    assert refused
    assert refused.field == field


def test_a_column_of_a_chain_is_named_with_its_place() -> None:
    """A chain has thousands of numbers."""
    chain = {**KINDS[2], "feed": "mine"}
    chain["calls"] = {**chain["calls"], "bid": ["x", *chain["calls"]["bid"][1:]]}
    (one,) = results([(1, json.dumps(chain).encode())])
    assert isinstance(one, Refused)
    assert (one.field or "").startswith("calls.bid[")


@pytest.mark.parametrize("content_type", [NDJSON, JSON])
def test_a_byte_order_mark_is_skipped(content_type: str) -> None:
    """Programs on Windows write one at the beginning of UTF-8."""
    text = json.dumps(TICK).encode()
    body = text if content_type == NDJSON else b"[" + text + b"]"
    assert split(BOM_UTF8 + body, content_type) == split(body, content_type) == [(1, text)]


def test_an_array_that_is_no_json_names_the_place() -> None:
    """It may have thousands of messages."""
    with pytest.raises(BadInput, match=r"byte 5\)"):
        split(b"[{}, NaN]", JSON)


def test_an_array_among_lines_is_told_its_type() -> None:
    """The mistake is the header, and not the message."""
    (one,) = results([(1, json.dumps([TICK]).encode())])
    assert isinstance(one, Refused)
    assert (one.reason, one.field) == ("schema", None)
    assert JSON in one.fix


@given(st.sampled_from(KINDS), st.integers(0, 10**18))
def test_a_fingerprint_follows_every_field_but_sent_ts(message: dict[str, Any], sent_ts: int) -> None:
    """A program may take the present time for each attempt."""

    def fingerprint(**changes: Any) -> bytes:
        return Valid(1, "7:1", "", json.dumps({**message, **changes}).encode()).fingerprint

    assert fingerprint(sent_ts=sent_ts) == fingerprint()
    assert fingerprint(ts=message["ts"] + 1) != fingerprint()
