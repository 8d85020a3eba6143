"""The volatility surface: smiles as quoted, cached for five seconds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY
from tests.support.contracts import example, validator
from tests.support.problems import assert_problem

from analytics import cache

KEY = "volatility_surface:NIFTY"
TS = 1_718_963_999_000_000_000


def without_extras(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the response without the fields that the cached form lacks."""
    for smile in answer["expiries"]:
        del smile["ivs"], smile["reasons"]
    return answer


def smile_of(get: Any, **query: Any) -> dict[str, Any]:
    (smile,) = get("/volatility-surface/NIFTY").json["expiries"]
    found: dict[str, Any] = smile
    return found


def test_the_golden_chain_gives_the_golden_surface(get: Any, cached: Any, storage: Any) -> None:
    """The response is the contract's example plus the out-of-the-money volatilities."""
    cached.chain()
    answer = get("/volatility-surface/NIFTY").json
    assert (answer["expiries"][0]["ivs"], answer["expiries"][0]["reasons"]) == ([0.106, None], {})
    assert without_extras(answer) == example("cache-volatility_surface")
    assert storage.seen == []


def test_every_live_expiry_is_listed_in_order(get: Any, cached: Any) -> None:
    """Expiries are ascending, and the surface has the time of its newest smile."""
    cached.chain(expiry="2024-07-04", ts=TS + 10**9)
    cached.chain()
    answer = get("/volatility-surface/NIFTY").json
    assert [smile["expiry"] for smile in answer["expiries"]] == ["2024-06-27", "2024-07-04"]
    assert answer["timestamp"] == "2024-06-21T10:00:00.000Z"


def test_the_forward_decides_which_side_is_out_of_the_money(get: Any, cached: Any) -> None:
    """Puts below the forward, calls from the forward on; the spot has no influence."""
    chain = cached.chain()
    strikes = [23400.0, 23465.65, 23500.0, 23550.0]
    cached.chain(
        strikes=strikes,
        calls=chain["calls"] | {"iv": [0.11, 0.12, 0.13, None], "iv_reason": [None, None, None, "no_quote"]},
        puts=chain["puts"] | {"iv": [0.21, 0.22, None, 0.24], "iv_reason": [None, None, "crossed", None]},
    )
    smile = smile_of(get)
    assert smile["ivs"] == [0.21, 0.12, 0.13, None]
    assert smile["iv_reasons"] == [None, None, None, "no_quote"]
    assert (smile["num_quotes"], smile["avg_iv"]) == (6, pytest.approx(1.03 / 6))


def test_without_a_forward_no_side_is_out_of_the_money(get: Any, cached: Any) -> None:
    """Without a forward, `ivs` is null, with a reason for the smile and for each strike."""
    chain = cached.chain()
    none = {"iv": [None, None], "iv_reason": ["no_forward", "no_quote"]}
    cached.chain(forward=None, atm_iv=None, calls=chain["calls"] | none, puts=chain["puts"] | none)
    smile = smile_of(get)
    assert (smile["ivs"], smile["iv_reasons"]) == ([None, None], ["no_forward", "no_quote"])
    assert smile["reasons"] == {
        "forward": "no_parity_forward",
        "atm_iv": "no_forward",
        "avg_iv": "no_volatility",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"years_to_expiry": None},
        {"calls": {}},
        {"puts": example("cache-latest-chain")["puts"] | {"iv": [0.1]}},
        {"calls": example("cache-latest-chain")["calls"] | {"iv_reason": [None, "why not"]}},
    ],
)
def test_a_chain_with_too_little_data_for_a_smile_is_omitted(
    get: Any, cached: Any, changes: dict[str, Any]
) -> None:
    """The other chains remain; without any there is no surface."""
    cached.chain(**changes)
    cached.chain(expiry="2024-07-04")
    broken = ("analytics_broken_values_total", {"source": "surface"})
    before = REGISTRY.get_sample_value(*broken) or 0
    assert smile_of(get)["expiry"] == "2024-07-04"
    assert REGISTRY.get_sample_value(*broken) == before + 1
    cached.redis.delete(KEY, "latest:chain:NIFTY:2024-07-04")
    assert_problem(get("/volatility-surface/NIFTY"), 404, "unknown_product")


def test_a_surface_is_cached_by_its_contract(get: Any, cached: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cached for five seconds; this test sets a longer TTL, so that it cannot expire here."""
    assert cache.SURFACE_S == 5
    monkeypatch.setattr(cache, "SURFACE_S", 5000)
    cached.chain()
    first = get("/volatility-surface/NIFTY").json
    kept = json.loads(cached.redis.get(KEY))
    validator("cache-volatility_surface").validate(kept)
    assert 0 < cached.redis.ttl(KEY) <= 5000
    cached.chain(atm_iv=0.5)
    assert get("/volatility-surface/NIFTY").json == first
    cached.redis.delete(KEY)
    assert smile_of(get)["atm_iv"] == 0.5


def test_a_cached_surface_of_another_shape_is_computed_again(get: Any, cached: Any) -> None:
    """After an upgrade, a cached surface of the previous release is not returned."""
    cached.chain()
    for other in ('{"product": "NIFTY"}', '{"expiries": [{"expiry": "x"}]}', '{"expiries": 5}', "5"):
        cached.redis.set(KEY, other)
        assert smile_of(get)["atm_iv"] == 0.1063


def test_without_cached_chains_storage_gives_the_same_surface(
    get: Any, cached: Any, storage: Any, make_stored: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has every expiry that is live in storage, and it is cached too."""
    monkeypatch.setattr(cache, "SURFACE_S", 5000)
    storage.chains = [
        make_stored("option_chains"),
        make_stored("option_chains", expiry="2024-07-04"),
        make_stored("option_chains", expiry="2024-05-30", ts=TS - 30 * 86_400 * 10**9),
    ]
    answer = get("/volatility-surface/NIFTY").json
    assert [smile["expiry"] for smile in answer["expiries"]] == ["2024-06-27", "2024-07-04"]
    assert len(storage.seen) == 3  # one for the expiries, and one per live expiry for its chain
    assert get("/volatility-surface/NIFTY").json == answer
    assert len(storage.seen) == 3
    answer = without_extras(answer)
    validator("cache-volatility_surface").validate(answer)
    assert answer["expiries"][0] == example("cache-volatility_surface")["expiries"][0]
