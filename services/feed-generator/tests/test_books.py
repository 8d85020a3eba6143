"""Quotes and contracts of the synthetic market: tick grid, true price, open interest and volume."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date
from itertools import pairwise
from math import log, sqrt
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feed_generator.domain import book
from feed_generator.domain.quotes import Ticks, bid_ask, l_shape, size, tick_at
from feed_generator.domain.rulebook import rules
from feed_generator.sources.options import OptionMarket

NSE: Ticks = ((0, 0.05),)
US: Ticks = ((0, 0.01), (3, 0.05))
START_NS = 1_763_956_800_000_000_000  # Monday 24 November 2025, 09:30 in India


def _on_grid(price: float, ticks: Ticks) -> bool:
    steps = price / tick_at(price, ticks)
    return abs(steps - round(steps)) < 1e-6


def _day_ticks(product: str) -> Ticks:
    rule = rules(product)
    return rule.contract(rule.local_date(START_NS)).ticks


def _contracts(bodies: list[dict[str, Any]]) -> dict[Any, list[tuple[int, int, int, int]]]:
    """Return (ts, volume, open interest, previous open interest) of each contract in chains and quotes.

    The previous open interest is -1 for a quote, which does not have it.
    """
    found: dict[Any, list[tuple[int, int, int, int]]] = defaultdict(list)
    for body in bodies:
        if body["kind"] == "option_quote":
            key = (body["product"], body["expiry"], body["strike"], body["option_type"] == "CALL")
            found[key].append((body["ts"], body["volume"], body["open_interest"], -1))
        elif body["kind"] == "option_chain":
            for is_call, legs in ((True, body["calls"]), (False, body["puts"])):
                for index, strike in enumerate(body["strikes"]):
                    columns = ("volume", "open_interest", "previous_open_interest")
                    values = tuple(legs[column][index] for column in columns)
                    found[body["product"], body["expiry"], strike, is_call].append((body["ts"], *values))
    return found


def test_bid_is_below_ask_and_both_are_on_the_tick_grid(quotes: list[dict[str, Any]]) -> None:
    """The true price lies between bid and ask. A bid of 0 means that there is no bid, and has no size."""
    for quote in quotes:
        ticks = _day_ticks(quote["product"])
        assert 0 <= quote["bid"] < quote["ask"]
        assert quote["bid"] <= quote["truth"]["price"] <= quote["ask"]
        assert _on_grid(quote["bid"], ticks)
        assert _on_grid(quote["ask"], ticks)
        assert _on_grid(quote["last"], ticks)
        assert (quote["bid_size"] > 0) == (quote["bid"] > 0)
        assert quote["ask_size"] > 0


def test_a_contract_worth_less_than_a_tick_has_no_bid(make_market: Any, take: Any) -> None:
    """Half an hour before NIFTY expires, the outer strikes have no bid: bid and bid size are 0."""
    close = rules("NIFTY").expiry_ns(date(2025, 11, 25))
    market = make_market(["NIFTY"], start_ns=close - 1800 * 10**9)
    sides: list[tuple[float, int]] = []
    kinds = set()
    for body in (json.loads(message.body) for message in take(market, 2000)):
        if body["kind"] == "option_quote":
            found = [(body["bid"], body["bid_size"])]
        elif body["kind"] == "option_chain":
            legs = (body["calls"], body["puts"])
            found = [pair for leg in legs for pair in zip(leg["bid"], leg["bid_size"], strict=True)]
        else:
            continue
        sides += found
        kinds |= {body["kind"] for bid, _ in found if bid == 0}
    assert kinds == {"option_quote", "option_chain"}
    assert all((amount > 0) == (bid > 0) for bid, amount in sides)


def test_no_parity_trade_on_a_chains_quotes_makes_money(chains: list[dict[str, Any]]) -> None:
    """bid(C) - ask(P) <= D(F - K) <= ask(C) - bid(P) at every strike, with F and D from `truth`."""
    for chain in chains:
        truth, calls, puts = chain["truth"], chain["calls"], chain["puts"]
        for index, strike in enumerate(chain["strikes"]):
            value = truth["discount"] * (truth["forward"] - strike)
            assert calls["bid"][index] - puts["ask"][index] <= value + 1e-9
            assert value <= calls["ask"][index] - puts["bid"][index] + 1e-9


def test_volume_never_falls_and_open_interest_moves_only_by_trades(bodies: list[dict[str, Any]]) -> None:
    """Between two messages on a contract |change of open interest| <= change of volume; both are >= 0."""
    moved = 0
    for states in _contracts(bodies).values():
        for (_, volume, interest, _), (_, later_volume, later_interest, _) in pairwise(states):
            assert 0 <= volume <= later_volume
            assert interest >= 0
            assert later_interest >= 0
            assert abs(later_interest - interest) <= later_volume - volume
            moved += later_interest != interest
    assert moved > 1000


def test_todays_open_interest_is_yesterdays_and_todays_trades(bodies: list[dict[str, Any]]) -> None:
    """From a contract's first message on, |open interest - previous open interest| <= today's volume."""
    for states in _contracts(bodies).values():
        for _, volume, interest, previous in states:
            if previous >= 0:
                assert abs(interest - previous) <= volume


def test_quantities_are_whole_lots_where_the_exchange_counts_shares(bodies: list[dict[str, Any]]) -> None:
    """In India sizes, volumes and open interest are multiples of the lot; in the US they count contracts."""
    for body in bodies:
        if body["kind"] == "option_quote":
            unit = body["lot_size"] if body["oi_unit"] == "shares" else 1
            assert all(
                body[field] % unit == 0 for field in ("bid_size", "ask_size", "volume", "open_interest")
            )


@given(
    price=st.floats(0, 5000),
    vega=st.floats(0, 5000),
    depth=st.floats(-10, 10),
    width=st.floats(1e-4, 1e-2),
    ticks=st.sampled_from([NSE, US]),
)
def test_every_price_lies_between_its_bid_and_ask(
    price: float, vega: float, depth: float, width: float, ticks: Ticks
) -> None:
    """bid <= price <= ask, both on the tick grid at their own price, and the ask is at least one tick."""
    bid, ask = bid_ask(price, vega, vega, depth, width, ticks)
    assert 0 <= bid <= price + 1e-9
    assert price - 1e-9 <= ask
    assert ask >= ticks[0][1]
    assert bid < ask
    assert _on_grid(bid, ticks)
    assert _on_grid(ask, ticks)


def test_spreads_are_wide_at_the_open_and_deep_in_the_money() -> None:
    """The spread factor falls through the session and is 1 outside it; spreads widen in the money."""
    by_time = [l_shape(step / 10) for step in range(11)]
    assert by_time == sorted(by_time, reverse=True)
    assert by_time[0] == 1.6
    assert l_shape(None) == 1
    spreads = [ask - bid for bid, ask in (bid_ask(500, 100, 100, d, 0.004, NSE) for d in (-1, 0, 1, 2, 3))]
    assert spreads == sorted(spreads)
    assert spreads[-1] > 10 * spreads[0]


def test_sizes_are_whole_units_and_mostly_few() -> None:
    """Sizes are 1 to 40 units: size = 1 + floor(40 u^3), so half of them are 5 units or fewer."""
    rng = Random(7)
    sizes = [size(rng, 25) // 25 for _ in range(10_000)]
    assert (min(sizes), max(sizes)) == (1, 40)
    below = sum(one <= 5 for one in sizes) / len(sizes)
    assert abs(below - 0.5) < 4 * sqrt(0.25 / len(sizes))


def test_a_contract_does_not_depend_on_when_it_is_first_used() -> None:
    """A contract's random numbers depend on its key, not on earlier events."""
    common: dict[str, Any] = {"median": 500, "unit": 25, "index": 470, "depth_sd": -0.3, "close": 118.2}
    first, second = (book.new_contract("7/NIFTY/2024-06-27/470/True", **common) for _ in range(2))
    assert (first.volume, first.open_interest) == (second.volume, second.open_interest)
    other = book.new_contract("8/NIFTY/2024-06-27/470/True", **common)
    assert (first.volume, first.open_interest) != (other.volume, other.open_interest)


@given(
    seed=st.integers(0, 10**6),
    start=st.integers(0, 400),
    trades=st.lists(st.integers(1, 500), min_size=1, max_size=30),
)
def test_trades_never_make_open_interest_negative(seed: int, start: int, trades: list[int]) -> None:
    """Open interest never falls below 0, and no trade changes it by more than the quantity traded."""
    rng, unit = Random(seed), 25
    contract = book.Contract(
        volume=0, open_interest=unit * start, previous_open_interest=unit * start, close=1
    )
    for lots in trades:
        before = contract.open_interest
        contract.trade(rng, unit * lots, unit, 1.05)
        assert contract.open_interest >= 0
        assert abs(contract.open_interest - before) <= unit * lots
        assert contract.open_interest % unit == 0
    assert (contract.volume, contract.last) == (unit * sum(trades), 1.05)


@pytest.mark.parametrize("strike_index", [470, 471, 472])
def test_round_strikes_hold_more_open_interest(strike_index: int) -> None:
    """Multiples of 10 steps, multiples of 2 steps and others have 10 : 4 : 1, like NIFTY's medians."""
    ratio = {470: 10, 471: 1, 472: 4}[strike_index]
    base = book.typical_open_interest(1000, 473, 0.0)
    assert book.typical_open_interest(1000, strike_index, 0.0) == pytest.approx(ratio * base)


def test_trading_is_three_times_as_busy_at_the_open_as_at_midday() -> None:
    """The intraday factor gives u(0)/u(1/2) = 1.8/0.6. The test counts legs that trade in 1,500 short steps.

    The counts are sums of rare independent events, so ln(ratio) has the variance 1/n1 + 1/n2. The tolerance
    is 0.03 larger for legs that trade twice in a step.
    """
    rule = rules("NIFTY")
    opens, closes = rule.session_ns(rule.local_date(START_NS))
    counts = []
    for ts in (opens, (opens + closes) // 2):
        market = OptionMarket("synthetic", rule, 7, Random(7), ts)
        market.at(ts)
        before: dict[Any, int] = {}
        traded = 0
        for step in range(1500):
            chain = json.loads(market.chain(ts, 26_000.0, 0.0144, step * 0.05 / (365 * 86_400)).body)
            for side, legs in (("C", chain["calls"]), ("P", chain["puts"])):
                for strike, volume in zip(chain["strikes"], legs["volume"], strict=True):
                    key = (chain["expiry"], strike, side)
                    traded += before.get(key, volume) != volume
                    before[key] = volume
        counts.append(traded)
    first, second = counts
    assert abs(log(first / second) - log(3)) < 4 * sqrt(1 / first + 1 / second) + 0.03
