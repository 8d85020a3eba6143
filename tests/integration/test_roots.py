"""Roots that share expiry date and strikes stay apart in every place, from the stream to an export."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import redis
import socketio
from devcluster.waiting import wait_until

from tests.integration.conftest import OPERATOR
from tests.integration.replays import Run
from tests.support.local_system import LocalSystem

pytestmark = pytest.mark.timeout(400)  # the first test also waits for the system
FEED = "roots"
NEW_YORK = ZoneInfo("America/New_York")
STRIKES = [80.0, 85.0, 90.0, 95.0, 100.0, 105.0, 110.0, 115.0, 120.0]


@dataclass(frozen=True)
class Root:
    """A root: the terms of its contracts, and the prices and the open interest by which it is recognised."""

    forward: float
    interest: int
    spot: float
    terms: Mapping[str, Any]


OPEN, CLOSE = {"settlement_session": "open"}, {"settlement_session": "close"}
AMERICAN = {"exercise": "American"}
ROOTS = {
    "XSP": Root(99.0, 10, 99.5, {"exercise": "European", "multiplier": 100, **OPEN}),
    "XSPW": Root(101.0, 20, 99.5, {"exercise": "European", "multiplier": 100, **CLOSE}),
    "ACME": Root(102.0, 30, 101.5, {**AMERICAN, "multiplier": 100, **CLOSE}),
    "ACME1": Root(98.0, 40, 97.5, {**AMERICAN, "multiplier": 150, **CLOSE}),
}


def third_friday(after: date) -> date:
    """Return the next third Friday that is at least ten days away."""
    day = after + timedelta(days=10)
    while day.weekday() != 4 or not 15 <= day.day <= 21:
        day += timedelta(days=1)
    return day


def instant(day: date, terms: Mapping[str, Any]) -> int:
    """Return when contracts expire: at the open or at the close of New York, in ns."""
    hour, minute = (9, 30) if terms["settlement_session"] == "open" else (16, 0)
    return int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=NEW_YORK).timestamp()) * 10**9


class Program:
    """A program that pushes messages of one epoch into the feed."""

    def __init__(self, system: LocalSystem) -> None:
        self._system, self._epoch, self._number = system, int(time.time()), 0
        status, session = system.call("/api/auth/login", {"email": OPERATOR, "password": "test123"})
        assert status == 200
        self._token = session["token"]

    def push(self, *messages: dict[str, Any]) -> list[str]:
        """Push messages and return their mids. Fails the test if one is refused."""
        answers = self.send(*messages)
        assert {line["result"] for line in answers} == {"accepted"}, answers
        return [line["mid"] for line in answers]

    def send(self, *messages: dict[str, Any]) -> list[dict[str, Any]]:
        """Push messages, each with a mid of its own, and return the line of each in the answer."""
        for message in messages:
            self._number += 1
            mid = f"{self._epoch}:{self._number}"
            message |= {"mid": mid, "feed": FEED, "sent_ts": time.time_ns(), "replay": 0, "truth": None}
        status, answer = self._system.call(f"/api/ingest/{FEED}", list(messages), self._token)
        assert status == 200, answer
        lines: list[dict[str, Any]] = answer["lines"]
        return lines


def contract(product: str, root: Root, day: date) -> dict[str, Any]:
    """Return what the messages of a root's contracts have in common."""
    return {
        "product": product,
        "ts": time.time_ns(),
        "expiry": day.isoformat(),
        "expiry_ts": instant(day, root.terms),
        "spot_price": root.spot,
        "lot_size": 1,
        "oi_unit": "contracts",
        **root.terms,
    }


def chain(product: str, root: Root, day: date) -> dict[str, Any]:
    """Return a chain that is quoted around the root's forward."""

    def leg(sign: int) -> dict[str, list[float]]:
        value = [max(sign * (root.forward - strike), 0.0) + 4.0 for strike in STRIKES]
        zeros = dict.fromkeys(("previous_close", "previous_open_interest", "last"), [0] * len(STRIKES))
        counts = dict.fromkeys(("bid_size", "ask_size", "volume"), [10] * len(STRIKES))
        interest = {"open_interest": [root.interest * (1 if sign > 0 else 2)] * len(STRIKES)}
        quotes = {"bid": [price - 0.05 for price in value], "ask": [price + 0.05 for price in value]}
        return {**zeros, **counts, **interest, **quotes}

    made = contract(product, root, day)
    return {**made, "kind": "option_chain", "strikes": STRIKES, "calls": leg(1), "puts": leg(-1)}


def quote(product: str, root: Root, day: date) -> dict[str, Any]:
    """Return a quote of the call at 100. Its bid tells the root."""
    counts = dict.fromkeys(("bid_size", "ask_size", "volume", "open_interest", "last"), 1)
    call = {"symbol": f"{product}{day:%Y%m%d}C100", "strike": 100.0, "option_type": "CALL"}
    bid = float(root.interest) / 10
    return {
        **contract(product, root, day),
        **counts,
        **call,
        "kind": "option_quote",
        "bid": bid,
        "ask": bid + 1,
    }


def tick(product: str, root: Root) -> dict[str, Any]:
    return {"kind": "underlying", "product": product, "ts": time.time_ns(), "price": root.spot}


@pytest.fixture(scope="module")
def program(system: LocalSystem) -> Program:
    return Program(system)


@pytest.fixture(scope="module")
def expiry(system: LocalSystem, program: Program) -> str:
    """The third Friday on which all roots expire, after their messages are stored."""
    day = third_friday(datetime.now(UTC).date())
    pushed = [make(name, root, day) for name, root in ROOTS.items() for make in (chain, quote)]
    mids = program.push(*(tick(name, root) for name, root in ROOTS.items()), *pushed)
    with system.database() as database:
        kinds = (database["underlying_ticks"], database["option_chains"], database["option_quotes"])
        known = {"mid": {"$in": mids}}
        wait_until(lambda: sum(kind.count_documents(known) for kind in kinds) == len(mids), "all are stored")
    return day.isoformat()


@pytest.mark.parametrize("product", ROOTS)
def test_every_route_answers_for_one_root(system: LocalSystem, expiry: str, product: str) -> None:
    """The date and the strikes are the same for all; the numbers are those of the root."""
    root = ROOTS[product]
    symbol = f"{product}{expiry.replace('-', '')}C100"
    stored = system.get(f"/api/data/chain/{product}?expiry={expiry}")["chains"]
    assert {one["product"] for one in stored} == {product}
    assert stored[0]["total_call_oi"] == root.interest * len(STRIKES)
    assert stored[0]["forward"] == pytest.approx(root.forward, abs=0.1)
    assert {name: stored[0][name] for name in root.terms} == dict(root.terms)
    assert stored[0]["expiry_ts"] == instant(date.fromisoformat(expiry), root.terms)
    assert system.get(f"/api/data/contracts/{product}")["contracts"] == [symbol]
    assert [one["bid"] for one in system.get(f"/api/data/quote/{symbol}")["quotes"]] == [root.interest / 10]
    assert system.get(f"/api/data/expiries/{product}")["expiries"] == [expiry]
    assert system.get(f"/api/data/underlying/{product}")["ticks"][0]["price"] == root.spot

    pain = system.get(f"/api/analytics/max-pain/{product}?expiry={expiry}")
    assert (pain["total_put_oi"], pain["forward"]) == (2 * root.interest * len(STRIKES), stored[0]["forward"])
    buildup = system.get(f"/api/analytics/oi-buildup/{product}?expiry={expiry}")
    puts = buildup["put_buildup"]
    assert puts["itm"] + puts["otm"] == 2 * root.interest * len(STRIKES)
    assert system.get(f"/api/analytics/pcr/{product}?expiry={expiry}")["pcr_oi"] == 2.0
    (smile,) = system.get(f"/api/analytics/volatility-surface/{product}")["expiries"]
    assert smile["forward"] == stored[0]["forward"]
    (bar,) = system.get(f"/api/analytics/ohlc/{product}?window=60&limit=1")["bars"]
    assert bar["close"] == root.spot


def test_the_cache_has_a_key_for_each_root(system: LocalSystem, expiry: str) -> None:
    """A chain's key has product and date, and names the series."""
    with system.redis() as cache:
        keys = {f"latest:chain:{product}:{expiry}" for product in ROOTS}
        # The workers write to the cache after they have stored.
        wait_until(lambda: keys <= set(cache.scan_iter(f"latest:chain:*:{expiry}")), "all are cached")
        series = {json.loads(cache.hget(f"index:{name}", f"chain:{expiry}"))["series"] for name in ROOTS}  # type: ignore[arg-type]
    assert len(series) == 4


def test_the_room_of_a_root_gets_no_event_of_another(
    system: LocalSystem, program: Program, expiry: str
) -> None:
    """ACME1 begins like ACME, and both have the same contracts."""
    heard: list[dict[str, Any]] = []
    client = socketio.Client(reconnection=False)
    client.on("chain_update", heard.append)
    client.connect(system.url("", "SOCKET_GATEWAY"))
    try:
        client.emit("subscribe", {"type": "chain", "symbol": "ACME"})
        wait_until(lambda: bool(heard), "the snapshot")
        day = date.fromisoformat(expiry)
        program.push(chain("ACME1", ROOTS["ACME1"], day), chain("XSP", ROOTS["XSP"], day))
        program.push(chain("ACME", ROOTS["ACME"], day))
        wait_until(lambda: len(heard) > 1, "the live chain")
    finally:
        client.disconnect()
    assert {one["product"] for one in heard} == {"ACME"}
    assert {one["total_call_oi"] for one in heard} == {ROOTS["ACME"].interest * len(STRIKES)}


def refused(system: LocalSystem, mid: str) -> dict[str, Any]:
    """Return the dead letter of a message, once there is one."""
    with system.redis() as cache:
        wait_until(lambda: mid in str(cache.xrevrange(f"dlq:{FEED}", count=10)), "the dead letter")
    answer = system.get(f"/api/feeds/{FEED}/dead-letters")
    return next(one for one in answer["letters"] if one["mid"] == mid)


def test_a_second_series_under_one_name_is_refused(
    system: LocalSystem, program: Program, expiry: str
) -> None:
    """The dead letter says which series the name has, and the fix. The stored chains stay those of one."""
    wrong = ROOTS["XSPW"]
    letter = refused(system, *program.push(chain("XSP", wrong, date.fromisoformat(expiry))))
    assert letter["reason"] == "inconsistent"
    assert "give each root a product of its own" in letter["detail"]
    found = system.get(f"/api/data/chain/XSP?expiry={expiry}")["chains"]
    assert {one["settlement_session"] for one in found} == {"open"}


def test_a_contract_with_other_terms_than_the_feed_defines_is_refused(
    system: LocalSystem, program: Program, expiry: str
) -> None:
    """The feed defines XSPW. Its chains above state the same terms; this one has another lot.

    The gateway and the enrichers say the same. The enrichers check what a program appends beside the gateway.
    """
    wrong = chain("XSPW", ROOTS["XSPW"], date.fromisoformat(expiry)) | {"lot_size": 5}
    detail = "$.lot_size: 5, but the feed defines XSPW with 1 (spec.definitions)"
    (line,) = program.send(wrong)
    assert (line["result"], line["field"], line["detail"]) == ("refused", "lot_size", detail)
    with redis.Redis.from_url(system.secret(f"writer-{FEED}_redis_url")) as writer:
        writer.xadd(f"feed:{FEED}", {"body": json.dumps(wrong)})
    letter = refused(system, wrong["mid"])
    assert (letter["reason"], letter["detail"]) == ("inconsistent", detail)


def test_a_series_that_is_settled_in_the_morning_has_a_reason_after_the_open(
    system: LocalSystem, program: Program
) -> None:
    """On the day itself its chain has no volatility but the reason, although its date is today."""
    now = datetime.now(UTC)
    opened = int((now - timedelta(minutes=30)).timestamp()) * 10**9
    today = datetime.fromtimestamp(opened / 1e9, UTC).date()
    late = chain("MORN", ROOTS["XSP"], today) | {"expiry_ts": opened}
    (mid,) = program.push(late)
    with system.database() as database:
        wait_until(lambda: database["option_chains"].count_documents({"mid": mid}) == 1, "it is stored")
    (stored,) = system.get(f"/api/data/chain/MORN?expiry={today}")["chains"]
    assert stored["years_to_expiry"] == 0
    assert {leg["iv_reason"] for leg in stored["calls"]} == {"expired"}
    assert {leg["iv"] for leg in stored["calls"]} == {None}
    assert (stored["atm_iv"], stored["expected_move"]) == (None, None)


def test_an_export_has_the_rows_of_one_root(run: Run, expiry: str, tmp_path: Path) -> None:
    """Also of ACME, whose name the symbols of ACME1 begin with."""
    for product in ("ACME", "ACME1"):
        out = tmp_path / f"{product}.csv"
        run("export", product, "--kind", "quotes", "--output-file", str(out))
        with out.open(newline="") as file:
            symbols = [row["symbol"] for row in csv.DictReader(file)]
        assert symbols == [f"{product}{expiry.replace('-', '')}C100"]
