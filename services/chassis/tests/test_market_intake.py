"""Tests for intake: valid messages are decoded, others are refused with the field and the rule."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest
from tests.support.contracts import example, validator

from chassis import market_messages as messages
from chassis.market_intake import MAX_BODY_BYTES, read
from chassis.market_refusal import RefusedError

KINDS = {
    "market-underlying": messages.Underlying,
    "market-option_quote": messages.OptionQuote,
    "market-option_chain": messages.OptionChain,
}
ARRIVED_MS = 1_795_548_000_123


def body(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()


def refusal(
    message: dict[str, Any] | bytes, *, feed: str = "nifty-replay", arrived_ms: int | None = ARRIVED_MS
) -> RefusedError:
    raw = message if isinstance(message, bytes) else body(message)
    with pytest.raises(RefusedError) as caught:
        read(raw, feed=feed, arrived_ms=arrived_ms)
    return caught.value


@pytest.mark.parametrize("name", KINDS)
def test_a_golden_message_is_accepted(name: str) -> None:
    """Every example message of the contract is accepted."""
    message = read(body(example(name)), feed="nifty-replay", arrived_ms=ARRIVED_MS)
    assert type(message) is KINDS[name]
    assert message.mid == example(name)["mid"]


@pytest.mark.parametrize("name", ["market-option_quote", "market-option_chain"])
def test_a_golden_message_with_optional_members_is_accepted(name: str) -> None:
    """A fractional size stays as it is, and each optional member arrives. A message repeats none of them."""
    golden = example(name, 2)
    message = read(body(golden), feed=golden["feed"], arrived_ms=ARRIVED_MS)
    assert msgspec.to_builtins(message) == golden
    for member in ("settlement_session", "settlement_currency", "price_unit", "multiplier"):
        twice = body(golden)[:-1] + b", " + json.dumps({member: golden[member]})[1:].encode()
        error = refusal(twice, feed=golden["feed"])
        assert (error.reason, error.detail) == ("inconsistent", f"$.{member}: given twice")
        without = {key: value for key, value in golden.items() if key != member}
        assert read(body(without), feed=golden["feed"], arrived_ms=ARRIVED_MS)
        wrong = {**golden, member: None}
        assert refusal(wrong, feed=golden["feed"]).reason == "schema"
        assert not validator(name).is_valid(wrong)


@pytest.mark.parametrize("name", KINDS)
def test_the_types_have_the_contracts_fields(name: str) -> None:
    """If only one side had a new field, messages would be refused or the field would be lost."""
    assert {"kind", *KINDS[name].__struct_fields__} == set(validator(name).schema["properties"])


@pytest.mark.parametrize("name", KINDS)
def test_a_message_that_the_schema_refuses_is_refused(name: str) -> None:
    """For each field, decoder and schema agree on a missing value, a wrong type and a value out of range."""
    good = example(name)
    for field in good:
        missing = {key: value for key, value in good.items() if key != field}
        for bad in (missing, {**good, field: {"x": 1}}, {**good, field: -1}):
            assert not validator(name).is_valid(bad), (field, bad)
            assert refusal(bad).reason == "schema"


def test_a_refusal_names_the_field_and_never_the_payload() -> None:
    """The detail is enough to find the cause, and contains no secrets."""
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
        (body(example("market-underlying")).replace(b"23501.1", b"-inf"), "not_finite"),
        (body(example("market-underlying")).replace(b"23501.1", b"1e999"), "schema"),
        (b'{"info": 1', "not_json"),
        (b'{"pad": "' + b"x" * MAX_BODY_BYTES + b'"}', "too_large"),
        (b"[" * 100_000, "schema"),
    ],
)
def test_a_body_that_is_not_a_message_is_refused_with_a_reason(raw: bytes, reason: str) -> None:
    """No message may stop the worker."""
    assert refusal(raw).reason == reason


@pytest.mark.parametrize("name", KINDS)
def test_a_member_given_twice_is_refused(name: str) -> None:
    """JSON parsers differ in which of two equal members they use."""
    good = example(name)
    for member, value in good.items():
        twice = body(good)[:-1] + b", " + json.dumps({member: value})[1:].encode()
        error = refusal(twice)
        assert (error.reason, error.detail) == ("inconsistent", f"$.{member}: given twice"), member


def test_a_truth_may_omit_its_drift_but_not_repeat_a_member() -> None:
    """`drift` is the only optional member."""
    good = example("market-underlying")
    for truth in ({"volatility": 0.2}, {"volatility": 0.2, "drift": 0.1}):
        assert read(body({**good, "truth": truth}), feed="nifty-replay", arrived_ms=ARRIVED_MS)
        twice = body({**good, "truth": truth}).replace(b'"volatility"', b'"volatility": 0.3, "volatility"')
        assert refusal(twice).detail == "$.volatility: given twice"


@pytest.mark.parametrize("column", messages.Legs.__struct_fields__)
def test_a_chain_with_a_short_column_is_refused(column: str) -> None:
    """Every column has one value per strike."""
    chain = example("market-option_chain", 2)
    chain["puts"][column] = chain["puts"][column][:-1]
    error = refusal(chain, feed=chain["feed"])
    assert (error.reason, f"$.puts.{column}" in error.detail) == ("inconsistent", True)


@pytest.mark.parametrize("strikes", [[23500.0, 23450.0], [23450.0, 23450.0]])
def test_a_chain_whose_strikes_do_not_ascend_is_refused(strikes: list[float]) -> None:
    """The later stages rely on sorted strikes."""
    assert refusal({**example("market-option_chain"), "strikes": strikes}).reason == "inconsistent"


def test_an_expiry_that_is_not_a_date_is_refused() -> None:
    """The pattern alone would accept 30 February."""
    assert refusal({**example("market-option_quote"), "expiry": "2024-02-30"}).detail.startswith("$.expiry")


def test_a_message_of_another_feed_is_refused() -> None:
    """A mid is unique only within its feed."""
    assert refusal({**example("market-underlying"), "feed": "other"}).reason == "inconsistent"


def test_a_message_of_a_product_that_the_feed_does_not_list_is_refused() -> None:
    """The cache is keyed by product, so the message would overwrite another feed's numbers."""
    raw, arrived = body(example("market-underlying")), ARRIVED_MS
    assert read(raw, feed="nifty-replay", arrived_ms=arrived, products={"NIFTY", "SPY"})
    with pytest.raises(RefusedError, match=r"inconsistent: \$\.product: NIFTY is not in spec\.products"):
        read(raw, feed="nifty-replay", arrived_ms=arrived, products={"SPY"})


@pytest.mark.parametrize(
    ("seconds", "taken"), [(0, True), (299, True), (-299, True), (301, False), (-301, False)]
)
def test_a_live_event_must_lie_within_five_minutes_of_its_arrival(seconds: int, taken: bool) -> None:
    """A wrong clock must not create bars. Messages in an old backlog are valid."""
    tick = copy.deepcopy(example("market-underlying", 2)) | {"feed": "nifty-replay"}
    tick["ts"] = (ARRIVED_MS + seconds * 1000) * 1_000_000
    if taken:
        assert read(body(tick), feed="nifty-replay", arrived_ms=ARRIVED_MS)
    else:
        assert refusal(tick).reason == "clock_skew"
        assert read(body(tick), feed="nifty-replay", arrived_ms=None), "replayed letters may be late"


DAY_NS = 86_400 * 10**9


@pytest.mark.parametrize("name", ["market-option_quote", "market-option_chain"])
@pytest.mark.parametrize("days", [-1, 1, 6, -300])
def test_an_expiry_whose_date_and_instant_disagree_is_refused(name: str, days: int) -> None:
    """With the wrong expiry day, a chain had a volatility of 0.296 instead of 0.121."""
    message = example(name)
    message["expiry_ts"] += days * DAY_NS
    error = refusal(message)
    assert error.reason == "inconsistent"
    assert message["expiry"] in error.detail
    assert str(message["expiry_ts"]) in error.detail


@pytest.mark.parametrize(
    ("hours", "taken"),
    [(-3, True), (-3.1, False), (10, True), (21, True), (26, True), (30, True), (30.1, False)],
)
def test_an_expiry_may_settle_on_the_neighbouring_date_of_utc(hours: float, taken: bool) -> None:
    """The date is local to the exchange, anywhere between Auckland and Honolulu."""
    midnight = 1_719_446_400 * 10**9
    message = {**example("market-option_chain"), "expiry_ts": midnight + int(hours * 3600) * 10**9}
    if taken:
        assert read(body(message), feed="nifty-replay", arrived_ms=ARRIVED_MS)
    else:
        assert refusal(message).reason == "inconsistent"


@pytest.mark.parametrize(
    "changes",
    [
        {"product": "BANKNIFTY"},
        {"strike": 23550.0},
        {"strike": 23500.5},
        {"option_type": "PUT"},
        {"symbol": "NIFTY20240628C23500"},
        {"symbol": "NIFTY20240627P23500"},
        {"symbol": "NIFTY20240627C23550"},
        {"symbol": "XNIFTY20240627C23500"},
    ],
)
def test_a_symbol_that_contradicts_its_parts_is_refused(changes: dict[str, Any]) -> None:
    """The symbol repeats product, expiry, side and strike. The refusal shows both values."""
    message = example("market-option_quote") | changes
    error = refusal(message)
    assert (error.reason, message["symbol"] in error.detail) == ("inconsistent", True)


def test_a_symbol_whose_product_ends_like_a_date_is_refused() -> None:
    """The rest of such a symbol is not a number."""
    expiry = example("market-option_quote")["expiry"].replace("-", "")
    changes = {"product": "A", "symbol": f"A{expiry}C{expiry}C100"}
    with pytest.raises(RefusedError, match="inconsistent"):
        read(
            json.dumps(example("market-option_quote") | changes).encode(),
            feed=example("market-option_quote")["feed"],
            arrived_ms=None,
        )


@pytest.mark.parametrize("symbol", ["NIFTY20240627C23500", "NIFTY20240627C23500.0"])
def test_a_symbol_may_write_its_strike_with_zeros(symbol: str) -> None:
    """Strikes are compared as numbers."""
    message = {**example("market-option_quote"), "symbol": symbol}
    assert read(body(message), feed="nifty-replay", arrived_ms=ARRIVED_MS)


@pytest.mark.parametrize("spot", [23.5, 2_000_000.0])
@pytest.mark.parametrize("name", ["market-option_quote", "market-option_chain"])
def test_a_spot_of_another_unit_is_refused(name: str, spot: float) -> None:
    """A spot that is ten times off is in another unit (paise for rupees) or of another product."""
    message = {**example(name), "spot_price": spot if "chain" in name else spot * (50 if spot > 1e6 else 0.5)}
    error = refusal(message)
    assert (error.reason, "spot_price" in error.detail) == ("inconsistent", True)


def test_a_spot_far_from_the_forward_that_the_quotes_state_is_refused() -> None:
    """Strikes are between half and eight times the spot, but parity gives a forward of 4.5 times it."""
    message = example("market-option_chain")
    n = len(message["strikes"])
    message["strikes"] = [100.0 * (i + 1) for i in range(n)]
    message["spot_price"] = 100.0
    for i, strike in enumerate(message["strikes"]):
        for side, sign in (("calls", 1), ("puts", -1)):
            value = 5.0 + max(sign * (450.0 - strike), 0.0)
            message[side]["bid"][i], message[side]["ask"][i] = value - 0.1, value + 0.1
    error = refusal(message)
    assert (error.reason, "parity" in error.detail) == ("inconsistent", True)


@pytest.mark.parametrize("name", ["market-option_quote", "market-option_chain"])
def test_a_true_forward_far_from_the_spot_is_refused(name: str) -> None:
    """The forward in `truth` must be near the message's spot."""
    iv = 0.1 if name.endswith("quote") else [0.1] * len(example("market-option_chain")["strikes"])
    truth = {"forward": 100.0, "discount": 1.0, "iv": iv} | ({"price": 1.0} if name.endswith("quote") else {})
    assert refusal({**example(name), "truth": truth}).reason == "inconsistent"


def test_a_message_cannot_arrive_before_it_is_sent() -> None:
    """A live message cannot be sent before its event either. Clocks may differ by five minutes."""
    tick = copy.deepcopy(example("market-underlying", 2)) | {"feed": "nifty-replay"}
    late = ARRIVED_MS * 1_000_000 + 301 * 10**9
    for changes in (
        {"ts": ARRIVED_MS * 1_000_000, "sent_ts": late},
        {"ts": ARRIVED_MS * 1_000_000, "sent_ts": ARRIVED_MS * 1_000_000 - 301 * 10**9},
    ):
        error = refusal(tick | changes)
        assert (error.reason, str(changes["sent_ts"]) in error.detail) == ("inconsistent", True)


@pytest.mark.parametrize("name", KINDS)
def test_a_replay_number_begins_with_the_epoch_of_its_mid(name: str) -> None:
    """A message with a larger replay number would stay in the cache before all later ones."""
    message = example(name) | {"mid": "1732700000:17"}
    for replay in (1732700000 * 10**6, 1732700000 * 10**6 + 999_999):
        read(json.dumps(message | {"replay": replay}).encode(), feed=message["feed"], arrived_ms=None)
    for replay in (1, 1732700001 * 10**6, 1732700000 * 10**6 - 1, 10**16):
        error = refusal(message | {"replay": replay})
        assert (error.reason, f"{replay}" in error.detail, message["mid"] in error.detail) == (
            "inconsistent",
            True,
            True,
        )


@pytest.mark.parametrize("name", KINDS)
def test_a_text_with_an_extra_character_is_refused(name: str) -> None:
    """Each text field refuses an extra character at either end. Python's `$` would accept a newline."""
    good = example(name)
    for field in (key for key, value in good.items() if isinstance(value, str)):
        for wrong in (good[field] + "\n", "\n" + good[field], good[field] + "\0", good[field] + "A" * 1000):
            assert refusal({**good, field: wrong}).reason == "schema", (field, wrong)
            assert not validator(name).is_valid({**good, field: wrong}), (field, wrong)
