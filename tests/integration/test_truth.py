"""The volatilities that the enricher computes agree with those that the generator used for its prices."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from devcluster.waiting import wait_until

from feed_generator.domain.rulebook import rules
from feed_generator.sources.synthetic import SyntheticMarket
from tests.support.local_system import LocalSystem
from worker_enricher.domain.implied_vol import implied_volatility

pytestmark = pytest.mark.timeout(400)  # the first test also waits for the system
YEAR_NS = 365 * 86_400 * 10**9
PRODUCTS = ("NIFTY", "BANKNIFTY", "FINNIFTY", "SENSEX", "SPX")  # with European options
START_NS = 1_795_500_000_000_000_000


def quotes(seed: int, wanted: int) -> list[dict[str, Any]]:
    """`wanted` quotes of a synthetic market of European options."""
    market = SyntheticMarket(
        feed="synthetic",
        rules=[rules(name) for name in PRODUCTS],
        seed=seed,
        start_ns=START_NS,
        messages_per_second=60,
        speed_percent=100,
    )
    found: list[dict[str, Any]] = []
    while len(found) < wanted:
        found += [json.loads(each.body) for each in market.advance().messages if each.symbol]
    return found


@pytest.mark.parametrize("seed", [7, 8])
def test_an_unrounded_price_implies_the_volatility_of_its_generator(seed: int) -> None:
    """The error is at most 1e-9. The enricher's code shares nothing with the generator's pricer."""
    drawn = quotes(seed, 4000)
    truth = {
        name: np.array([quote["truth"][name] for quote in drawn])
        for name in ("price", "forward", "discount", "iv")
    }
    strike = np.array([quote["strike"] for quote in drawn])
    is_call = np.array([quote["option_type"] == "CALL" for quote in drawn])
    years = np.array([(quote["expiry_ts"] - quote["ts"]) / YEAR_NS for quote in drawn])
    found = implied_volatility(
        price=truth["price"],
        is_call=is_call,
        forward=truth["forward"],
        strike=strike,
        discount=truth["discount"],
        t=years,
    )
    out_of_the_money = is_call == (strike >= truth["forward"])
    assert out_of_the_money.sum() > 1000
    assert np.abs(found.sigma - truth["iv"])[out_of_the_money].max() <= 1e-9


def test_after_rounding_the_true_volatility_lies_between_those_of_bid_and_ask(system: LocalSystem) -> None:
    """Checks the out-of-the-money option at every strike of every stored chain of the running system."""
    european = {"feed": {"$in": ["synthetic", "load"]}, "exercise": "European"}
    with system.database() as database:
        wait_until(lambda: database.option_chains.count_documents(european) >= 60, "60 chains")
        chains = list(database.option_chains.find(european).limit(200))
    compared, outside = 0, []
    for chain in chains:
        assert chain["forward"] == pytest.approx(chain["truth"]["forward"], rel=2e-4)
        for row, strike in enumerate(chain["strikes"]):
            leg = chain["calls" if strike >= chain["forward"] else "puts"]
            low, high = leg["iv_bid"][row], leg["iv_ask"][row]
            if low is None or high is None:
                continue
            compared += 1
            if not low <= chain["truth"]["iv"][row] <= high:
                outside.append(
                    (chain["product"], chain["expiry"], strike, low, chain["truth"]["iv"][row], high)
                )
    assert compared > 1000
    assert outside == []
