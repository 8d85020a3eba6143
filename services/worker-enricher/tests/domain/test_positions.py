"""Tests of what the open interest of a chain says: build-up, ratios and max pain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker_enricher.domain.chain import enrich_chains
from worker_enricher.domain.chain_arrays import ChainColumns


def positions_chain(build, strikes, call_oi, put_oi, **columns):
    n = len(strikes)
    return ChainColumns(
        0,
        10**15,
        True,
        float(columns.pop("spot", strikes[n // 2])),
        np.array(strikes, dtype=np.float64),
        build.flat_leg(n, open_interest=call_oi, **columns),
        build.flat_leg(n, open_interest=put_oi),
    )


@pytest.mark.parametrize(
    ("premium", "oi", "expected"),
    [
        (11.0, 200.0, "long_buildup"),
        (9.0, 200.0, "short_buildup"),
        (9.0, 50.0, "long_unwinding"),
        (11.0, 50.0, "short_covering"),
        (10.0, 200.0, "neutral"),
        (11.0, 100.0, "neutral"),
        (0.0, 200.0, None),
    ],
)
def test_buildup_follows_premium_and_open_interest(build, premium, oi, expected):
    """The previous close is 10 and the previous open interest 100. Without a premium it is null."""
    columns = {"last": [premium], "previous_close": [10.0], "previous_open_interest": [100.0]}
    done = enrich_chains([positions_chain(build, [100.0], [oi], [0.0], **columns)])[0]
    assert done["calls"]["buildup"] == [expected]
    assert done["calls"]["open_interest_change"] == [int(oi) - 100]
    assert done["puts"]["buildup"] == [None]


def test_without_the_previous_open_interest_change_and_buildup_are_unknown(build):
    """0 would say that nothing has changed. The strike beside it, of which it is known, has both."""
    columns = {
        "last": [11.0, 11.0, 11.0],
        "previous_close": [10.0, 10.0, 10.0],
        "previous_open_interest": [np.nan, 100.0, 100.5],
    }
    chain = positions_chain(build, [95.0, 100.0, 105.0], [200.0, 200.0, 201.0], [0.0] * 3, **columns)
    calls = enrich_chains([chain])[0]["calls"]
    assert calls["open_interest_change"] == [None, 100, 100.5]
    assert calls["buildup"] == [None, "long_buildup", "long_buildup"]


def test_buildup_takes_the_mid_before_the_last_trade(build):
    """A two-sided quote is more recent than the last trade."""
    columns = {"bid": [11.0], "ask": [12.0], "last": [5.0], "previous_close": [10.0]}
    done = enrich_chains([positions_chain(build, [100.0], [10.0], [0.0], **columns)])[0]
    assert done["calls"]["buildup"] == ["long_buildup"]


@pytest.mark.parametrize(
    ("strikes", "calls", "puts", "reason", "pain"),
    [
        ([95.0, 100.0], ([0, 0], [3, 3]), ([5, 6], [3, 3]), "no_call_open_interest", "no_call_open_interest"),
        ([95.0, 100.0], ([5, 6], [3, 3]), ([0, 0], [3, 3]), "no_put_open_interest", "no_put_open_interest"),
        ([95.0, 100.0], ([0, 0], [3, 3]), ([0, 0], [3, 3]), "no_call_open_interest", "no_open_interest"),
        ([95.0, 100.0], ([5, 6], [0, 0]), ([0, 0], [0, 0]), "one_side", "one_side"),
        ([95.0, 100.0], ([0, 0], [0, 0]), ([5, 6], [3, 3]), "one_side", "one_side"),
        ([100.0], ([5], [3]), ([6], [3]), "one_strike", "one_strike"),
        ([95.0, 100.0], ([5, 6], [3, 3]), ([5, 6], [3, 3]), None, None),
    ],
)
def test_a_chain_too_small_for_a_ratio_has_a_reason_instead(build, strikes, calls, puts, reason, pain):
    """Neither infinity nor 0: nothing follows from one strike, one side, or open interest of nothing."""
    n = len(strikes)
    legs = [build.flat_leg(n, open_interest=oi, last=last) for oi, last in (calls, puts)]
    done = enrich_chains([ChainColumns(0, 10**15, True, 100.0, np.array(strikes), *legs)])[0]
    assert (done["pcr_oi_reason"], done["pcr_oi"] is None) == (reason, reason is not None)
    assert (done["max_pain_reason"], done["max_pain_strike"] is None) == (pain, pain is not None)
    assert done["pcr_volume_reason"] == (pain if pain in ("one_side", "one_strike") else "no_call_volume")


def test_buildup_otm_counts_strikes_beyond_the_spot(build):
    """Calls above and puts below the spot count. A strike at the spot does not."""
    done = enrich_chains([positions_chain(build, [95.0, 100.0, 105.0], [1, 2, 4], [8, 16, 32], spot=100.0)])[
        0
    ]
    assert (done["call_buildup_otm"], done["put_buildup_otm"]) == (4, 8)


def test_max_pain_of_the_published_example(build):
    """The strikes 95, 100 and 105 have their least payout at 100."""
    done = enrich_chains(
        [positions_chain(build, [95.0, 100.0, 105.0], [900, 4500, 2500], [2100, 3300, 500])]
    )[0]
    assert done["max_pain_strike"] == 100.0


def test_without_open_interest_there_is_no_max_pain(build):
    """The result is null, not the first strike."""
    assert (
        enrich_chains([positions_chain(build, [95.0, 100.0], [0, 0], [0, 0])])[0]["max_pain_strike"] is None
    )


@st.composite
def open_interests(draw):
    strikes = sorted(draw(st.sets(st.integers(1, 60), min_size=1, max_size=9)))
    oi = st.lists(st.integers(0, 20), min_size=len(strikes), max_size=len(strikes))
    return strikes, draw(oi), draw(oi), draw(st.integers(1, 60))


@settings(max_examples=100)
@given(chains=st.lists(open_interests(), min_size=1, max_size=4))
def test_max_pain_equals_the_brute_force_result(build, chains):
    """Compare with the definition, strike by strike. Ties: nearest to the spot, then the lower strike."""
    done = enrich_chains([positions_chain(build, k, c, p, spot=s) for k, c, p, s in chains])
    for (k, c, p, s), analytics in zip(chains, done, strict=True):

        def payout(x, k=k, c=c, p=p):
            return sum(ci * max(x - ki, 0) + pi * max(ki - x, 0) for ki, ci, pi in zip(k, c, p, strict=True))

        defined = len(k) > 1 and any(c) and any(p)
        expected = min(k, key=lambda x: (payout(x), abs(x - s), x)) if defined else None
        assert analytics["max_pain_strike"] == expected
