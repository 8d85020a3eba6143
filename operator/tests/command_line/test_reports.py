"""Text and JSON of one report agree, and a missing number has its reason in both."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.contracts import example
from typer.testing import Result

from deltastream_cli.adapters.live import Live
from deltastream_cli.domain import chains, market

Run = Callable[..., Result]
FEED = {
    "name": "nifty",
    "mode": "Automatic",
    "source": "replay",
    "products": ["NIFTY"],
    "generator": {"desired": 1, "ready": 1},
    "enricher": {"desired": 3, "ready": 2},
    "lag": 27833,
    "oldest_seconds": 4.2,
    "arrivals_per_second": 4011.7,
    "conditions": [{"type": "Ready", "status": "True", "reason": "Serving", "message": "all replicas serve"}],
    "decisions": [{"message": "enricher 1 -> 3: BacklogCatchUp"}],
}
BROKEN = FEED | {
    "name": "broken",
    "mode": None,
    "source": None,
    "products": [],
    "enricher": {"desired": None, "ready": 0},
    "lag": None,
    "oldest_seconds": None,
    "arrivals_per_second": None,
    "conditions": [
        {
            "type": "Ready",
            "status": "False",
            "reason": "InvalidSpec",
            "message": "spec.products: must be given",
        }
    ],
    "decisions": [],
}


def golden_chain() -> dict[str, Any]:
    """The golden chain in the form that the gateway serves: one row for each contract."""
    found = example("document-option_chains")
    for side, option_type in (("calls", "CALL"), ("puts", "PUT")):
        columns = found[side]
        found[side] = [
            {
                "strike": strike,
                "option_type": option_type,
                **{name: column[at] for name, column in columns.items()},
            }
            for at, strike in enumerate(found["strikes"])
        ]
    return found


def test_the_feeds_table_shows_load_replicas_and_decisions(run: Run, prepared: Any) -> None:
    """Replicas are ready/desired; the last decision is in the operator's own words."""
    prepared.routes["/api/feeds"] = 200, {"feeds": [FEED]}
    text = run("feeds").stdout
    for part in (
        "nifty",
        "yes",
        "1/1",
        "2/3",
        "27,833",
        "4.2 s",
        "4,011.70",
        "enricher 1 -> 3: BacklogCatchUp",
    ):
        assert part in text
    (row,) = json.loads(run("feeds", "-o", "json").stdout)["feeds"]
    assert (row["name"], row["enrichers"], row["lag"], row["products"]) == ("nifty", "2/3", 27833, ["NIFTY"])


def test_a_feed_whose_exchange_is_not_connected_says_why(run: Run, prepared: Any) -> None:
    """The feed may be ready: its processes run."""
    lost = {
        "type": "SourceConnected",
        "status": "False",
        "reason": "Unreachable",
        "message": "check the network",
    }
    prepared.routes["/api/feeds"] = 200, {"feeds": [FEED | {"conditions": [*FEED["conditions"], lost]}]}
    assert "nifty: check the network" in run("feeds").stdout


def test_a_feed_without_numbers_says_why(run: Run, prepared: Any) -> None:
    """A feed whose spec cannot be read has no mode, and one that Redis does not know has no load."""
    prepared.routes["/api/feeds"] = 200, {"feeds": [BROKEN | {"load_reason": "RedisUnreachable"}]}
    text = run("feeds").stdout
    for part in ("InvalidSpec", "spec.products: must be given", "RedisUnreachable", "not decided yet"):
        assert part in text
    (row,) = json.loads(run("feeds", "-o", "json").stdout)["feeds"]
    assert (row["lag"], row["lag_reason"]) == (None, "RedisUnreachable")


def test_a_missing_volatility_names_its_reason(run: Run, prepared: Any) -> None:
    """The text has the reason in a legend, the JSON beside the null."""
    prepared.routes["/api/data/chain/NIFTY"] = 200, {"chains": [golden_chain()]}
    text = run("chain", "NIFTY", "2024-06-27").stdout
    assert "[1] spread too wide" in text
    assert "forward 23,465.65 (discount assumed)" in text
    found = json.loads(run("chain", "NIFTY", "2024-06-27", "-o", "json").stdout)
    assert [row["call_iv"] for row in found["strikes"]] == [0.106, None]
    assert found["strikes"][1]["call_iv_reason"] == "spread too wide"
    assert (found["forward"], found["forward_reason"]) == (23465.65, "discount assumed")


@pytest.mark.parametrize(
    ("replay", "at", "shown"),
    [
        (3_000_002, "2024-06-21T09:00:00.000001Z", "early"),  # it went back
        (3_000_002, None, "late"),  # it is stopped: what it left is all there is
        (0, "2024-06-21T09:00:00.000001Z", "late"),  # not a replay
    ],
)
def test_the_newest_chain_of_a_replay_is_that_at_its_position(
    run: Callable[..., Result], prepared: Any, replay: int, at: str | None, shown: str
) -> None:
    """Stored chains are sorted by event time, and a replay may have gone back behind them."""

    def answer(query: dict[str, str]) -> Any:
        early = query.get("end", "") == "2024-06-21T09:00:00.000002+00:00"
        document = golden_chain() | {"replay": replay, "feed": "again"}
        return 200, {"chains": [document | {"max_pain_strike": 1.0 if early else 2.0}]}

    prepared.routes["/api/data/chain/NIFTY"] = answer
    prepared.routes["/api/data/expiries/NIFTY"] = 200, {"expiries": ["2024-06-27"]}
    stopped = 409, {"detail": "no generator has reported"}
    prepared.routes["/api/feeds/again/replay"] = (200, {"position": at}) if at else stopped
    for expiry in ([], ["2024-06-27"]):
        found = json.loads(run("chain", "NIFTY", *expiry, "-o", "json").stdout)
        assert found["max_pain_strike"] == (1.0 if shown == "early" else 2.0)


@pytest.mark.parametrize(("strikes", "shown"), [(0, 2), (1, 2), (5, 2)])
def test_the_strikes_around_the_money_are_shown(strikes: int, shown: int) -> None:
    """0 shows all strikes."""
    assert len(chains.chain(golden_chain(), strikes=strikes).rows) == shown


def test_strikes_that_are_left_out_are_counted() -> None:
    """A reader of a part of the chain knows that there is more."""
    wide = golden_chain()
    wide["strikes"] = [100.0 + at for at in range(21)]
    wide |= {"atm_strike": 110.0}
    wide |= {side: [wide[side][0]] * 21 for side in ("calls", "puts")}
    report = chains.chain(wide, strikes=2)
    strike = [column.key for column in report.columns].index("strike")
    assert [row[strike].value for row in report.rows] == [108.0, 109.0, 110.0, 111.0, 112.0]
    assert (report.marked, list(report.notes)) == (2, ["16 more strikes: --strikes 0 shows all"])


def test_the_live_table_shows_the_age_of_every_number() -> None:
    """Ages grow while nothing arrives, so an old number never looks new."""
    seen = market.Market("NIFTY")
    assert seen.report(0.0).as_json()["spot_price_reason"] == "no tick yet"
    assert seen.apply("connected", {}, at=1.0) == 0
    assert seen.apply("underlying_update", example("enriched-underlying"), at=2.0) == 1
    assert seen.apply("chain_update", example("enriched-option_chain"), at=3.0) == 1
    seen.apply("disconnected", {}, at=4.0)
    report = seen.report(13.0)
    assert "disconnected" in report.title
    found = report.as_json()
    assert (found["age_seconds"], found["rows"][0]["age_seconds"]) == (11.0, 10.0)
    assert (found["spot_price"], found["rows"][0]["forward"]) == (23501.1, 23465.65)


def test_ticks_of_other_products_are_left_out() -> None:
    """The gateway sends ticks of all products until the client has left the room `general`."""
    live = Live("NIFTY")
    live.put("underlying_update", {"product": "SPY"})
    live.put("underlying_update", {"product": "NIFTY"})
    live.put("disconnected", {})
    assert live.next(0) == ("underlying_update", {"product": "NIFTY"})
    assert live.next(0) == ("disconnected", {})
    assert live.next(0) is None
