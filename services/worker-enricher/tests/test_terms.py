"""Tests of what identifies a contract, of the source's own values and of the age of quotes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.support.contracts import example, shown, validator

from worker_enricher.chassis.market_intake import read
from worker_enricher.chassis.market_messages import Message
from worker_enricher.pipeline import enrich
from worker_enricher.results import Enriched

DATE, OPEN_NS, CLOSE_NS = "2024-06-21", 1_718_976_600 * 10**9, 1_719_000_000 * 10**9
TS = 1_718_400_000 * 10**9
STRIKES = [5300.0, 5350.0, 5400.0, 5450.0, 5500.0]


def decoded(message: dict[str, Any]) -> Message:
    return read(json.dumps(message).encode(), feed=message["feed"], arrived_ms=None)


def enriched(*messages: dict[str, Any]) -> Enriched:
    return enrich([decoded(message) for message in messages], forwards={}, now_ns=TS)


def published(done: Enriched, kind: str) -> list[dict[str, Any]]:
    return [json.loads(body) for found, body in done.published if found == kind]


def index_chain(product: str, seq: int, forward: float, **terms: Any) -> dict[str, Any]:
    """Return a chain of an index option that is quoted around its forward."""
    n = len(STRIKES)

    def leg(sign: int) -> dict[str, list[float]]:
        value = [max(sign * (forward - strike), 0.0) + 40.0 for strike in STRIKES]
        zeros = dict.fromkeys(("previous_close", "previous_open_interest", "last"), [0] * n)
        counts = dict.fromkeys(("bid_size", "ask_size", "volume", "open_interest"), [10] * n)
        return {**zeros, **counts, "bid": [v - 0.5 for v in value], "ask": [v + 0.5 for v in value]}

    return {
        "kind": "option_chain",
        "mid": f"3:{seq}",
        "feed": "cboe",
        "product": product,
        "ts": TS,
        "sent_ts": TS,
        "replay": 3_000_001,
        "expiry": DATE,
        "exercise": "European",
        "spot_price": 5400.0,
        "lot_size": 100,
        "oi_unit": "contracts",
        "strikes": STRIKES,
        "calls": leg(1),
        "puts": leg(-1),
        "truth": None,
        "multiplier": 100,
        "expiry_ts": CLOSE_NS,
        "settlement_session": "close",
        **terms,
    }


MORNING = {"expiry_ts": OPEN_NS, "settlement_session": "open"}


def index_quote(product: str, seq: int, terms: Mapping[str, Any]) -> dict[str, Any]:
    chain = index_chain(product, seq, 5400.0, **terms)
    shared = {name: value for name, value in chain.items() if name not in ("strikes", "calls", "puts")}
    leg = dict.fromkeys(("bid_size", "ask_size", "volume", "open_interest", "last"), 1)
    symbol = {"symbol": f"{product}20240621C5400", "strike": 5400.0, "option_type": "CALL"}
    return {**shared, **leg, **symbol, "kind": "option_quote", "bid": 40.0, "ask": 41.0}


@pytest.mark.parametrize("kind", ["option_quote", "option_chain"])
def test_enriched_messages_and_documents_keep_the_terms(kind: str) -> None:
    """What the market message says about the contract is in both, and both fit their contracts."""
    golden = example(f"market-{kind}", 2)
    done = enriched(golden)
    live = published(done, kind)[0]
    validator(f"enriched-{kind}").validate(live)
    document = done.documents[kind][0]  # type: ignore[index]
    validator(f"document-{kind}s").validate(shown(document))
    for name in ("settlement_session", "settlement_currency", "price_unit", "multiplier", "vendor_forward"):
        assert live.get(name) == document.get(name) == golden.get(name)


@pytest.mark.parametrize("kind", ["option_quote", "option_chain"])
def test_a_message_without_optional_members_gets_none(kind: str) -> None:
    """A source that states nothing more has documents as before, apart from reasons."""
    golden = example(f"market-{kind}")
    optional = set(validator(f"market-{kind}").schema["properties"]) - set(golden)
    assert optional
    live = published(enriched(golden), kind)[0]
    assert not optional & set(live)
    assert "vendor_iv_difference" not in {**live, **live.get("calls", {})}


def test_our_volatility_is_compared_with_the_sources() -> None:
    """The difference is ours minus theirs, and null where either is missing."""
    golden = example("market-option_chain", 2)
    done = enriched(golden, example("market-option_quote", 2))
    chain, quote = published(done, "option_chain")[0], published(done, "option_quote")[0]
    for side in ("calls", "puts"):
        theirs = golden[side]["vendor_iv"]
        rows = zip(chain[side]["iv"], theirs, chain[side]["vendor_iv_difference"], strict=True)
        for ours, vendor, difference in rows:
            missing = ours is None or vendor is None
            assert difference == (None if missing else pytest.approx(ours - vendor, abs=1e-15))
            assert missing or abs(difference) < 0.005
    assert quote["vendor_iv_difference"] == pytest.approx(quote["iv"] - quote["vendor"]["iv"])
    assert sorted(done.vendor_differences) == sorted(
        value
        for value in (
            *chain["calls"]["vendor_iv_difference"],
            *chain["puts"]["vendor_iv_difference"],
            quote["vendor_iv_difference"],
        )
        if value is not None
    )


def test_fractional_counts_stay_fractional_and_whole_ones_whole() -> None:
    """Contracts on coins trade in fractions. A chain of a share keeps integers, also in the same batch."""
    coins, shares = published(
        enriched(example("market-option_chain", 2), example("market-option_chain")), "option_chain"
    )
    assert coins["total_put_oi"] == pytest.approx(2204.1 + 1893.6 + 700.2 + 311.0)
    assert coins["calls"]["open_interest_change"] == [None] * 4  # the exchange does not say the day before
    assert None not in shares["calls"]["open_interest_change"]
    assert (shares["total_call_oi"], type(shares["total_call_oi"])) == (7_600_000, int)


def test_a_chain_settled_at_the_open_expires_earlier_than_one_settled_at_the_close() -> None:
    """SPX and SPXW have the same date and strikes, and each has its own time, forward and volatility."""
    done = enriched(
        index_chain("SPX", 1, 5405.0, **MORNING),
        index_chain("SPXW", 2, 5407.0),
        index_quote("SPX", 3, MORNING),
        index_quote("SPXW", 4, {}),
    )
    spx, spxw = published(done, "option_chain")
    hours = (spxw["years_to_expiry"] - spx["years_to_expiry"]) * 365 * 24
    assert hours == pytest.approx((CLOSE_NS - OPEN_NS) / 3600e9)
    assert [quote["forward"] for quote in published(done, "option_quote")] == [
        spx["forward"],
        spxw["forward"],
    ]
    assert spx["forward"] != spxw["forward"]


@pytest.mark.parametrize("terms", [MORNING, {"multiplier": 10}, {"exercise": "American"}])
def test_a_quote_never_uses_the_forward_of_another_series(terms: dict[str, Any]) -> None:
    """A source that calls two series of a date by one name makes a mistake, but the series do not mix."""
    done = enriched(index_chain("SPX", 1, 5405.0), index_quote("SPX", 2, terms), index_quote("SPX", 3, {}))
    other, same = published(done, "option_quote")
    assert (other["forward"], same["forward"]) == (None, pytest.approx(5405.0, abs=1.0))


def test_a_stale_quote_has_a_reason_and_no_influence() -> None:
    """Its volatility is refused, and the forward comes from the fresh quotes alone."""
    fresh = index_chain("SPX", 1, 5405.0)
    old = index_chain("SPX", 1, 5405.0)
    old["calls"]["bid"][2] += 30.0
    old["calls"]["ask"][2] += 30.0
    old["calls"]["quote_age_ms"] = [0, 60_000, 60_001, None, 12.5]
    chain = published(enriched(old), "option_chain")[0]
    assert [reason == "stale" for reason in chain["calls"]["iv_reason"]] == [False, False, True, False, False]
    assert chain["calls"]["iv_bid"][2] is None
    assert chain["forward"] == pytest.approx(
        published(enriched(fresh), "option_chain")[0]["forward"], abs=0.2
    )
    assert chain["arbitrage"]["butterfly_mid"] == 0

    quotes = [index_quote("SPX", n, {"quote_age_ms": age}) for n, age in ((2, 60_000), (3, 60_001))]
    taken, refused = published(enriched(fresh, *quotes), "option_quote")
    assert (taken["iv_reason"], refused["iv_reason"], refused["iv"]) == (None, "stale", None)
