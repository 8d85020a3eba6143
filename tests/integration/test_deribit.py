"""The numbers of the sample feed of Deribit: the exchange's market with ours beside its own."""

from __future__ import annotations

from tests.integration.deribit_session import DeribitSession


def test_the_sample_shows_the_exchanges_market_with_our_numbers_beside_its_own(
    deribit_session: DeribitSession,
) -> None:
    """`make run FEEDS=k8s/samples/deribit-btc.yaml`: from frames to REST, also after a drop."""
    chain, state = deribit_session.chain, deribit_session.state
    assert (chain["price_unit"], chain["settlement_currency"]) == ("USD", "BTC")
    assert len(chain["calls"]) in (30, 31), "a strike that the spot has passed stays for one step"
    assert abs(chain["forward"] / chain["vendor_forward"] - 1) < 0.005
    near = [
        leg for leg in chain["calls"] if abs(leg["strike"] / chain["spot_price"] - 1) < 0.05 and leg["iv"]
    ]
    assert near
    assert max(abs(leg["iv"] - leg["vendor_iv"]) for leg in near) < 0.05
    assert (state["reason"], state["refused"], state["lost"]) == ("Connected", 0, 0)
