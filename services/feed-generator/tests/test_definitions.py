"""Products that the rulebook does not have are defined in the feed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.contracts import validator

from feed_generator import config
from feed_generator.bootstrap import sources
from feed_generator.messages import stamp

MINI = {"product": "MINI", "expiryTime": "08:00", "zone": "UTC", "lot": 5, "multiplier": 0.1}
HEADER = "expiry,strike,spot,side,ltp,bid,ask,bid_qty,ask_qty,vol,oi,prev_oi,close"
ROWS = "\n".join(f"2026-01-30,{k},100,{side},5,4,6,1,1,1,1,1,5" for k in (95, 105) for side in "CP")


def settings(folder: Path, **changes: str) -> Mapping[str, str]:
    recording = folder / "r.csv"
    recording.write_text(f"{HEADER}\n{ROWS}\n")
    usual = {"FEED": "mine", "PRODUCTS": "MINI", "REDIS_URL": "redis://localhost", "SOURCE": "replay"}
    replay = {"REPLAY_PATH": str(recording), "REPLAY_AS_OF": "2026-01-05T10:00:00Z"}
    return {**usual, **replay, "DEFINITIONS": json.dumps([MINI]), **changes}


def messages(environ: Mapping[str, str]) -> list[dict[str, Any]]:
    source = sources.source(config.load(environ), 0, print)
    return [json.loads(stamp(one.body, "3:1", 3_000_001, 1)) for one in source.advance().messages]


@pytest.mark.parametrize("settlement", ["close", "open"])
def test_a_defined_product_has_the_terms_of_its_definition(tmp_path: Path, settlement: str) -> None:
    """Chains and quotes state them, and fit the contracts."""
    definitions = json.dumps([MINI | {"settlement": settlement, "exercise": "American"}])
    found = messages(settings(tmp_path, DEFINITIONS=definitions))
    contracts = [message for message in found if message["kind"] != "underlying"]
    assert {message["kind"] for message in contracts} == {"option_chain", "option_quote"}
    for message in contracts:
        validator(f"market-{message['kind']}").validate(message)
        assert message["expiry_ts"] == int(datetime(2026, 1, 30, 8, tzinfo=UTC).timestamp()) * 10**9
        assert (message["lot_size"], message["multiplier"]) == (5, 0.1)
        assert message["exercise"] == "American"
        assert message.get("settlement_session", "close") == settlement


def test_a_definition_replaces_the_rulebooks_entry(tmp_path: Path) -> None:
    """The feed knows best what its recording contains."""
    definitions = json.dumps([MINI | {"product": "NIFTY"}])
    found = messages(settings(tmp_path, PRODUCTS="NIFTY", DEFINITIONS=definitions))
    assert {message["lot_size"] for message in found if "lot_size" in message} == {5}


def test_quotes_that_are_no_multiples_of_the_tick_are_noted(tmp_path: Path) -> None:
    """The prices stay: they may be right and the definition wrong."""

    def notes(**terms: float) -> list[str]:
        said: list[str] = []
        environ = settings(tmp_path, DEFINITIONS=json.dumps([MINI | terms]))
        sources.source(config.load(environ), 0, said.append)
        return [note for note in said if "tick" in note]

    bids, asks = notes(tick=0.3), notes(tick=4.0)
    assert len(bids) == len(asks) == 1
    assert "column bid: is no multiple of the tick 0.3" in bids[0]
    assert "'4' (4 times)" in bids[0]
    assert "column ask: is no multiple of the tick 4" in asks[0]
    for tick in (0.05, 0.1, 0.01, 1e-7):
        assert notes(tick=tick) == []
    assert notes() == []
    (chain,) = [one for one in messages(settings(tmp_path)) if one["kind"] == "option_chain"]
    assert chain["calls"]["bid"] == [4, 4]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"DEFINITIONS": "{"}, "Invalid JSON"),
        ({"DEFINITIONS": json.dumps([MINI | {"zone": "Mars"}])}, "0: zone: must be the name of a time zone"),
        ({"DEFINITIONS": json.dumps([MINI | {"lot": 0}])}, "0: lot: "),
        ({"DEFINITIONS": json.dumps([MINI | {"colour": 1}])}, "0: colour: "),
        ({"DEFINITIONS": json.dumps([MINI, MINI])}, "only once, but MINI is defined twice"),
        ({"DEFINITIONS": json.dumps([MINI | {"product": "MIDI"}])}, "but PRODUCTS lacks MIDI"),
        ({"SOURCE": "synthetic", "PRODUCTS": "NIFTY"}, "must be empty when SOURCE=synthetic"),
    ],
)
def test_a_wrong_definition_ends_the_start_with_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, str], rule: str
) -> None:
    """It names the variable, the entry, its field and the rule."""
    load: Callable[[Mapping[str, str]], object] = config.load
    with pytest.raises(SystemExit) as stopped:
        load(settings(tmp_path, **changes))
    line = capsys.readouterr().err
    assert stopped.value.code == 2
    assert line.startswith("DEFINITIONS=")
    assert rule in line
