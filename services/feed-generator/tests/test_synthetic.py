"""The synthetic market as a source: reproducibility, due times, and the rules of its products."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import pytest

from feed_generator.domain.rulebook import rules
from feed_generator.sources.options import EXPIRIES


def _all(market: Any, take: Any, count: int = 2000) -> list[bytes]:
    return [message.body for message in take(market, count)]


def test_the_same_seed_gives_the_same_bytes(make_market: Any, take: Any) -> None:
    """The arguments determine all bytes: the market uses no clock and no global random numbers."""
    assert _all(make_market(), take) == _all(make_market(), take)


def test_another_seed_gives_another_market(make_market: Any, take: Any) -> None:
    """With another seed the prices differ, not only the sizes."""

    def prices(seed: int) -> list[float]:
        bodies = [json.loads(body) for body in _all(make_market(seed=seed), take, 500)]
        return [body["price"] for body in bodies if body["kind"] == "underlying"]

    first, second = prices(7), prices(8)
    assert len(first) == len(second)
    assert first != second


def test_calls_of_due_ns_do_not_change_the_messages(make_market: Any) -> None:
    """Calls of `due_ns` do not change the messages."""
    asked, unasked = make_market(), make_market()
    for _ in range(50):
        asked.due_ns()
        asked.due_ns()
        assert asked.advance() == unasked.advance()


def test_event_times_follow_the_due_times_and_include_skipped_gaps(make_market: Any) -> None:
    """ts = start + due. After skip(gap) it is start + due + gap, so event times stay near the wall clock."""
    market, start, gap = make_market(), 1_763_956_800_000_000_000, 0
    for turn in range(60):
        if turn == 30:
            gap = 7_000_000_000
            market.skip(gap)
        due = market.due_ns()
        batch = market.advance()
        assert batch.pass_number == 0
        assert {json.loads(m.body)["ts"] for m in batch.messages} == {start + due + gap}


def test_the_rate_of_messages_is_the_requested_one(make_market: Any) -> None:
    """After the first beat, slow and fast feeds emit messages at the requested rate."""
    for rate in (5, 60, 20_000):
        market = make_market(messages_per_second=rate)
        counts, dues = [], []
        for _ in range(9 * 101):
            dues.append(market.due_ns())
            counts.append(len(market.advance().messages))
        assert dues == sorted(dues)
        beats = counts[9:]  # 100 beats have 10 chains per product, a whole number of periods
        assert sum(beats) / ((market.due_ns() - dues[9]) / 1e9) == pytest.approx(rate, rel=1e-6)


def test_all_chains_are_sent_within_the_first_two_seconds(make_market: Any) -> None:
    """The chains of all expiries come first, so a consumer can price every later quote."""
    market = make_market(messages_per_second=1)
    seen: set[tuple[str, str]] = set()
    for _ in range(9):
        assert market.due_ns() < 2_000_000_000
        for message in market.advance().messages:
            body = json.loads(message.body)
            if message.kind == "option_chain":
                seen.add((body["product"], body["expiry"]))
            elif message.kind == "option_quote":
                assert (body["product"], body["expiry"]) in seen
    assert len(seen) == 9 * EXPIRIES


def test_expiries_lots_and_strikes_are_those_of_the_rulebook(chains: list[dict[str, Any]]) -> None:
    """Each chain has the rulebook's expiry and lot size, and consecutive strikes around the money."""
    day = date(2025, 11, 24)
    for chain in chains:
        rule = rules(chain["product"])
        expiry = date.fromisoformat(chain["expiry"])
        assert expiry in rule.expiries(day, EXPIRIES)
        assert chain["expiry_ts"] == rule.expiry_ns(expiry)
        assert (chain["lot_size"], chain["oi_unit"]) == (rule.lot_size(expiry, day), rule.oi_unit)
        assert chain.get("settlement_session", "close") == rule.settlement_session
        step = rule.contract(day).strike_step
        assert all(strike % step == 0 for strike in chain["strikes"])
        assert all(b - a == step for a, b in pairwise(chain["strikes"]))
        assert chain["strikes"][0] < chain["truth"]["forward"] < chain["strikes"][-1]


def test_an_expired_contract_is_removed_and_the_next_one_is_listed(make_market: Any) -> None:
    """The list changes at the instant of expiry: NIFTY, Tuesday 25 November 2025, 15:30 in India."""
    close = int(datetime(2025, 11, 25, 10, tzinfo=UTC).timestamp()) * 10**9
    market = make_market(["NIFTY"], start_ns=close - 10**9, messages_per_second=60)
    before, after = set(), set()
    while market.due_ns() < 3 * 10**9:
        for message in market.advance().messages:
            body = json.loads(message.body)
            if message.kind != "underlying":
                (before if body["ts"] < close else after).add(body["expiry"])
    assert before == {"2025-11-25", "2025-12-02", "2025-12-09"}
    assert after == {"2025-12-02", "2025-12-09", "2025-12-16"}


def test_a_new_day_starts_from_zero_volume_and_yesterdays_close(make_market: Any) -> None:
    """At midnight volumes are reset, and open interest becomes the previous open interest."""
    midnight = int(datetime(2025, 11, 25, 18, 30, tzinfo=UTC).timestamp()) * 10**9
    market = make_market(["NIFTY"], start_ns=midnight - 20 * 10**9, messages_per_second=20)
    last: dict[str, Any] = {}
    while (due := market.due_ns()) < 60 * 10**9:
        for message in market.advance().messages:
            body = json.loads(message.body)
            if message.kind == "option_chain" and body["expiry"] == "2025-12-02":
                last["yesterday" if due < 20 * 10**9 else "today"] = body
    for side in ("calls", "puts"):
        old, new = last["yesterday"][side], last["today"][side]
        assert sum(new["volume"]) < sum(old["volume"])
        for index, volume in enumerate(new["volume"]):
            assert abs(new["open_interest"][index] - new["previous_open_interest"][index]) <= volume
