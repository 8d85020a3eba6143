"""Max pain and build-up, from cached and from stored chains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY
from tests.support.contracts import validator

EXPIRY = "2024-06-27"
KINDS = ("long_buildup", "short_buildup", "long_unwinding", "short_covering", "neutral", "unknown")


def legs(chain: dict[str, Any], side: str, **columns: Any) -> dict[str, Any]:
    """Return the columns of the chain's calls or puts, some of them replaced."""
    return {**chain[side], **columns}


def test_max_pain_of_the_golden_chain(get: Any, cached: Any, storage: Any) -> None:
    """The response has the enricher's strike and its distance from the spot in price and percent."""
    chain = cached.chain()
    answer = get("/max-pain/NIFTY", expiry=EXPIRY).json
    assert answer == {
        "product": "NIFTY",
        "expiry": EXPIRY,
        "max_pain_strike": 23450.0,
        "spot_price": 23501.1,
        "distance_from_spot": -51.1,
        "distance_pct": -0.22,
        "forward": 23465.65,
        "total_call_oi": 7600000,
        "total_put_oi": 6000000,
        "oi_unit": "shares",
        "ts": chain["ts"],
        "timestamp": chain["timestamp"],
        "source": "cache",
        "reasons": {},
    }
    assert storage.seen == []


@pytest.mark.parametrize("path", ["/max-pain/NIFTY", "/oi-buildup/NIFTY"])
def test_the_stored_chain_gives_the_same_answer(
    get: Any, cached: Any, storage: Any, make_stored: Callable[..., Any], path: str
) -> None:
    """The cached and the stored form of a chain give equal responses."""
    cached.chain()
    from_cache = get(path, expiry=EXPIRY).json
    cached.redis.flushall()
    storage.chains = [make_stored("option_chains")]
    from_storage = get(path, expiry=EXPIRY).json
    assert (from_cache.pop("source"), from_storage.pop("source")) == ("cache", "storage")
    assert from_storage == from_cache


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        (
            {"max_pain_strike": None, "max_pain_reason": "no_open_interest"},
            {
                "max_pain_strike": "no_open_interest",
                "distance_from_spot": "no_max_pain_strike",
                "distance_pct": "no_max_pain_strike",
            },
        ),
        (
            {"spot_price": "23501.1"},
            {
                "spot_price": "missing",
                "distance_from_spot": "no_spot_price",
                "distance_pct": "no_spot_price",
            },
        ),
        ({"forward": None, "forward_reason": "bad_fit"}, {"forward": "bad_fit"}),
        (
            {"forward": None, "forward_reason": "?", "oi_unit": None},
            {"forward": "missing", "oi_unit": "missing"},
        ),
    ],
)
def test_a_field_that_is_missing_is_null_with_a_reason(
    get: Any, cached: Any, changes: dict[str, Any], reasons: dict[str, str]
) -> None:
    """The other fields keep their values."""
    cached.chain(**changes)
    answer = get("/max-pain/NIFTY", expiry=EXPIRY).json
    assert answer["reasons"] == reasons
    assert all(answer[name] is None for name in reasons)


@pytest.mark.parametrize("value", [0, -1.0, 1e16, 10**300, True, [], "1"])
def test_an_impossible_price_becomes_null(get: Any, cached: Any, value: Any) -> None:
    """An impossible price in the cache becomes null with a reason."""
    cached.chain(spot_price=value)
    answer = get("/max-pain/NIFTY", expiry=EXPIRY).json
    assert (answer["spot_price"], answer["reasons"]["spot_price"]) == (None, "missing")


def test_open_interest_in_at_and_out_of_the_money(get: Any, cached: Any) -> None:
    """The spot decides; `atm` is within 1 % of it and overlaps the two others, as in the original."""
    chain = cached.chain()
    columns = {"open_interest": [1, 10, 100, 1000]}
    strikes = [23000.0, 23400.0, 23600.0, 24000.0]
    cached.chain(strikes=strikes, calls=legs(chain, "calls", **columns), puts=legs(chain, "puts", **columns))
    answer = get("/oi-buildup/NIFTY", expiry=EXPIRY).json
    assert answer["call_buildup"] == {"itm": 11, "atm": 110, "otm": 1100}
    assert answer["put_buildup"] == {"itm": 1100, "atm": 110, "otm": 11}


def test_build_up_by_strike_and_by_kind(get: Any, cached: Any) -> None:
    """Each kind has its strikes, open interest and change; unknown kinds have totals of their own."""
    chain = cached.chain()
    kinds = [
        "long_buildup",
        "short_buildup",
        "long_unwinding",
        "short_covering",
        "neutral",
        None,
        "new",
        "neutral",
    ]
    size = len(kinds)
    columns = {
        "buildup": kinds,
        "open_interest": [10**at for at in range(size)],
        "open_interest_change": [7, 6, -5, -4, 0, None, 2, 0],
    }
    strikes = [23000.0 + 50 * at for at in range(size)]
    cached.chain(strikes=strikes, calls=legs(chain, "calls", **columns), puts=legs(chain, "puts", **columns))
    answer = get("/oi-buildup/NIFTY", expiry=EXPIRY).json
    assert answer["calls"][2] == {
        "strike": 23100.0,
        "open_interest": 100,
        "open_interest_change": -5,
        "buildup": "long_unwinding",
        "reason": None,
    }
    unknown = {"open_interest_change": None, "buildup": None, "reason": "previous_session_unknown"}
    assert answer["puts"][5] == {"strike": 23250.0, "open_interest": 100_000, **unknown}
    totals = answer["call_totals"]
    assert totals == answer["put_totals"]
    assert tuple(totals) == KINDS
    assert totals["short_covering"] == {"strikes": 1, "open_interest": 1000, "open_interest_change": -4}
    assert totals["neutral"] == {"strikes": 2, "open_interest": 10010000, "open_interest_change": 0}
    assert totals["unknown"] == {"strikes": 2, "open_interest": 1100000, "open_interest_change": None}
    assert sum(kind["open_interest"] for kind in totals.values()) == 11111111


def test_a_sum_with_an_unknown_term_is_unknown(get: Any, cached: Any) -> None:
    """A sum with an unknown term is null, and a column of the wrong length counts as missing."""
    chain = cached.chain()
    cached.chain(
        calls=legs(chain, "calls", open_interest=[1, None], buildup=["neutral"]),
        puts=legs(chain, "puts", open_interest=[1, 2, 3]),
        total_put_oi=None,
    )
    answer = get("/oi-buildup/NIFTY", expiry=EXPIRY).json
    assert answer["call_buildup"] == {"itm": None, "atm": None, "otm": 0}
    assert answer["put_buildup"] == {"itm": None, "atm": None, "otm": None}
    assert answer["call_totals"]["unknown"]["open_interest"] is None
    assert answer["calls"][0]["reason"] == "missing"
    assert answer["puts"][0]["open_interest"] is None
    assert answer["reasons"] == {
        "total_put_oi": "missing",
        "call_buildup": "missing",
        "put_buildup": "missing",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"expiry_of_key": "2024-07-04"},
        {"product_of_key": "BANKNIFTY"},
        {"ts": None},
        {"ts": -1},
        {"strikes": []},
        {"strikes": [23500.0, 23450.0]},
        {"strikes": [23450.0, None]},
    ],
)
def test_a_cached_chain_that_violates_its_contract_is_not_used(
    get: Any, cached: Any, storage: Any, make_stored: Callable[..., Any], changes: dict[str, Any]
) -> None:
    """Storage's chain is used instead, because the cached numbers may belong to another chain."""
    product = changes.pop("product_of_key", "NIFTY")
    expiry = changes.pop("expiry_of_key", EXPIRY)
    cached.chain(**changes)
    cached.redis.rename(f"latest:chain:NIFTY:{EXPIRY}", f"latest:chain:{product}:{expiry}")
    storage.chains = [make_stored("option_chains", product=product, expiry=expiry)]
    broken = ("analytics_broken_values_total", {"source": "cache"})
    before = REGISTRY.get_sample_value(*broken) or 0
    answer = get(f"/max-pain/{product}", expiry=expiry).json
    assert (answer["source"], answer["max_pain_strike"]) == ("storage", 23450.0)
    assert REGISTRY.get_sample_value(*broken) == before + 1


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"pcr_oi": NaN}', b'{"pcr_oi": 1e999}', b"\xff"])
def test_a_cached_value_that_is_not_a_json_object_is_not_used(
    get: Any, cached: Any, storage: Any, make_stored: Callable[..., Any], text: bytes
) -> None:
    """A value that is not a JSON object counts as absent, and storage is read."""
    cached.redis.set(f"latest:chain:NIFTY:{EXPIRY}", text)
    storage.chains = [make_stored("option_chains")]
    assert get("/max-pain/NIFTY", expiry=EXPIRY).json["source"] == "storage"


def test_the_golden_chain_matches_its_contract(cached: Any) -> None:
    """These tests cache the same form of chain as the enricher."""
    validator("cache-latest-chain").validate(cached.chain())
