"""Files as people have them, from the file to the enricher's numbers: they equal a count of the file itself.

The expected numbers come from the files' text by code that shares nothing with the readers: put-call ratios
as sums, max pain by trying every strike, and the forward as the weighted mean of parity over all strikes.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from devcluster.waiting import wait_until

from feed_generator.domain.rulebook import known_rules
from feed_generator.messages import stamp
from feed_generator.sources import loading
from feed_generator.sources.formats.row import Told
from feed_generator.sources.replay import Replay
from tests.integration.file_feeds import FILE_FEEDS, FILES
from tests.support.local_system import LocalSystem
from worker_enricher.chassis.market_intake import read
from worker_enricher.pipeline import enrich


class Leg(NamedTuple):
    """One contract, as a test reads it: in the units that the messages must have."""

    strike: float
    is_call: bool
    bid: float
    ask: float
    volume: float
    open_interest: float


def number(text: str) -> float:
    return 0.0 if text in ("", "-") else float(text.replace(",", ""))


def lines(name: str) -> list[list[str]]:
    return list(csv.reader((FILES / name).read_text().splitlines()))


def nse() -> Iterable[Leg]:
    for row in lines("option-chain-ED-NIFTY-27-Jun-2024.csv")[2:]:
        cells = [number(cell) for cell in row]
        yield Leg(cells[11], True, cells[8], cells[9], 25 * cells[3], 25 * cells[1])
        yield Leg(cells[11], False, cells[13], cells[14], 25 * cells[19], 25 * cells[21])


def cboe(root: str) -> Callable[[], Iterable[Leg]]:
    def legs() -> Iterable[Leg]:
        for row in lines("cboe_quotes_export.csv")[4:]:
            for at in (1, 12):
                if row[at].startswith(f"{root}2"):
                    bid, ask, volume = (number(cell) for cell in row[at + 3 : at + 6])
                    interest = number(row[at + 9])
                    yield Leg(number(row[11]), at == 1, bid, ask, volume, interest)

    return legs


def yahoo() -> Iterable[Leg]:
    for row in lines("yahoo_like.csv")[1:]:
        bid, ask, volume, interest = (number(cell) for cell in row[7:11])
        yield Leg(number(row[4]), row[5] == "Call", bid, ask, volume, interest)


def deribit() -> Iterable[Leg]:
    for row in lines("deribit_rows.csv")[1:]:
        usd = number(row[5])
        yield Leg(
            number(row[4]), row[2] == "call", usd * number(row[15]), usd * number(row[17]), 0, number(row[9])
        )


CASES = {
    "NIFTY": ("option-chain-ED-NIFTY-27-Jun-2024.csv", datetime(2024, 6, 21, 10, tzinfo=UTC), nse),
    "SPX": ("cboe_quotes_export.csv", None, cboe("SPX")),
    "SPXW": ("cboe_quotes_export.csv", None, cboe("SPXW")),
    "NVDA": ("yahoo_like.csv", datetime(2025, 2, 13, 21, tzinfo=UTC), yahoo),
    "BTC": ("deribit_rows.csv", None, deribit),
}


def enriched(product: str) -> dict[str, Any]:
    """The enricher's document of the product's chain, from the bytes that a replay of its file sends."""
    file, as_of, _ = CASES[product]
    products = tuple(name for name, (other, *_) in CASES.items() if other == file)
    rules = known_rules(products)
    told = Told(as_of=as_of, products=products, lots=loading.lots_of(rules))
    snapshots = loading.load(str(FILES / file), "auto", told, rules).snapshots
    replay = Replay(
        feed="files", terms=rules, snapshots=snapshots, speed_percent=100, interval_ns=1, forever=False
    )
    mids = itertools.count(1)
    bodies = []
    while replay.due_ns() is not None:
        bodies += [
            stamp(message.body, f"1:{next(mids)}", 1_000_001, 1_795_548_000_000_000_000)
            for message in replay.advance().messages
        ]
    messages = [read(body, feed="files", arrived_ms=None) for body in bodies]
    chains = enrich(messages, forwards={}, now_ns=1_795_548_000_000_000_000).documents["option_chain"]
    (chain,) = (chain for chain in chains if chain["product"] == product)
    return chain


@pytest.mark.parametrize("product", CASES)
def test_ratios_and_max_pain_of_a_file_equal_a_count_of_its_lines(product: str) -> None:
    """The totals are in the messages' unit: shares for NSE, contracts elsewhere."""
    legs, chain = list(CASES[product][2]()), enriched(product)
    interest = [sum(leg.open_interest for leg in legs if leg.is_call is side) for side in (True, False)]
    volume = [sum(leg.volume for leg in legs if leg.is_call is side) for side in (True, False)]
    assert (chain["total_call_oi"], chain["total_put_oi"]) == pytest.approx(interest)
    assert chain["pcr_oi"] == pytest.approx(interest[1] / interest[0])
    if volume[0]:
        assert chain["pcr_volume"] == pytest.approx(volume[1] / volume[0])
    else:
        assert (chain["pcr_volume"], chain["pcr_volume_reason"]) == (None, "no_call_volume")
    strikes = sorted({leg.strike for leg in legs})

    def payout(settled: float) -> float:
        return sum(
            leg.open_interest * max(0.0, settled - leg.strike if leg.is_call else leg.strike - settled)
            for leg in legs
        )

    assert chain["max_pain_strike"] == min(strikes, key=payout)


@pytest.mark.parametrize("product", CASES)
def test_the_forward_of_a_file_is_that_of_parity(product: str) -> None:
    """F = K + (C - P) / D, averaged over all pairs with the inverse square of their spread as weight.

    D is the slope of C - P over K by the same weights, or 1 if the pairs do not determine it.
    """
    calls, puts = (
        {leg.strike: leg for leg in CASES[product][2]() if leg.is_call is side} for side in (True, False)
    )
    chain, weights, gaps = enriched(product), {}, {}
    for strike in calls.keys() & puts.keys():
        call, put = calls[strike], puts[strike]
        if min(call.bid, put.bid) > 0:
            gaps[strike] = (call.bid + call.ask - put.bid - put.ask) / 2
            weights[strike] = (call.ask - call.bid + put.ask - put.bid) ** -2

    def mean(value: Callable[[float], float]) -> float:
        return sum(weights[strike] * value(strike) for strike in weights) / sum(weights.values())

    middle, level = mean(lambda strike: strike), mean(lambda strike: gaps[strike])
    covariance = mean(lambda strike: (strike - middle) * (gaps[strike] - level))
    assumed = chain["forward_reason"] == "discount_assumed"
    discount = 1.0 if assumed else -covariance / mean(lambda strike: (strike - middle) ** 2)
    assert len(gaps) <= 17, "all pairs are near the money"
    assert chain["discount"] == pytest.approx(discount, rel=1e-7)
    assert chain["forward"] == pytest.approx(mean(lambda strike: strike + gaps[strike] / discount), rel=1e-7)


def test_roots_of_one_date_stay_apart() -> None:
    """SPX and SPXW have the same strikes and date, and different numbers."""
    spx, spxw = enriched("SPX"), enriched("SPXW")
    assert (spx["expiry"], spx["strikes"]) == (spxw["expiry"], spxw["strikes"])
    assert spx["total_call_oi"] != spxw["total_call_oi"]


def test_deribits_numbers_are_in_usd() -> None:
    """The exchange's forward and volatility travel beside ours, and ours are near them."""
    chain = enriched("BTC")
    assert (chain["price_unit"], chain["settlement_currency"]) == ("USD", "BTC")
    assert chain["vendor_forward"] == pytest.approx(chain["forward"], rel=1e-3)
    assert chain["atm_iv"] == pytest.approx(0.77, abs=0.01)


@pytest.mark.timeout(500)  # the first test also waits for the system
@pytest.mark.parametrize("product", CASES)
def test_make_run_stores_the_numbers_that_were_counted(product: str, files: LocalSystem) -> None:
    """`make run` with a feed that replays the file: the same chain as above is in the database."""
    (feed,) = (name for name, (products, _) in FILE_FEEDS.items() if product in products.split(", "))
    with files.database() as database:
        chains = database.option_chains
        wait_until(
            lambda: chains.find_one({"feed": feed, "product": product}) is not None, f"{feed} is stored"
        )
        found = chains.find_one({"feed": feed, "product": product})
    assert found is not None
    names = (
        "strikes", "total_call_oi", "total_put_oi", "pcr_oi", "pcr_volume", "max_pain_strike", "forward",
        "oi_unit", "price_unit",
    )  # fmt: skip
    expected = enriched(product)
    assert {name: found.get(name) for name in names} == {name: expected.get(name) for name in names}
