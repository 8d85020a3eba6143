"""The state of a live source: from the generators' reports to conditions and Events."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.support.contracts import example
from tests.support.feeds import IDLE, NOON, a_feed, serving

from deltastream_operator.domain import conditions
from deltastream_operator.domain.decide import Current, decide
from deltastream_operator.domain.source import SILENT, SourceState
from deltastream_operator.source_reports import LIVES_S, source_state

REPORT = example("feed-source")
NOW_S = REPORT["ts"] / 1e9
CONNECTED = SourceState(connected=True, authorized=True, reason="Connected", message="240 contracts of BTC")
EXPIRED = SourceState(connected=False, authorized=False, reason="Refused", message="renew the token")


def _report(**changes: Any) -> str:
    return json.dumps({**REPORT, **changes})


def _conditions(state: SourceState | None) -> dict[str, tuple[str, str]]:
    decision = decide(a_feed("Automatic"), IDLE, Current(generator=1, enricher=1), NOON)
    found = conditions.of(decision, replace(serving(1, 1), source=state), [], 1)
    return {one.type: (one.status, one.reason) for one in found if one.type.startswith("Source")}


def test_a_report_is_read_as_the_contract_writes_it() -> None:
    """The golden example of feed-source."""
    assert source_state({"0": json.dumps(REPORT)}, NOW_S) == CONNECTED


def test_the_generator_that_is_not_well_decides() -> None:
    """A refused credential comes before a dropped connection."""
    dropped = _report(connected=False, reason="Dropped", message="x ended the connection")
    refused = json.dumps(example("feed-source", 2))
    assert source_state({"0": _report(), "1": dropped}, NOW_S).reason == "Dropped"
    assert source_state({"0": dropped, "1": refused, "2": _report()}, NOW_S).authorized is False


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "{}", _report(ts="x"), _report(reason="not one word"), _report(ts=0)]
)
def test_a_strange_or_outdated_report_does_not_count(text: str) -> None:
    """A generator that died has no state."""
    assert source_state({"0": text}, NOW_S) == SILENT
    assert source_state({"0": text, "1": _report()}, NOW_S) == CONNECTED
    assert source_state({"0": _report()}, NOW_S + LIVES_S + 1) == SILENT


def test_a_live_source_has_two_conditions_and_any_other_none() -> None:
    """An expired token is a condition with what to do."""
    assert _conditions(None) == {}
    assert _conditions(CONNECTED) == {
        "SourceConnected": ("True", "Connected"),
        "SourceAuthorized": ("True", "Authorized"),
    }
    assert _conditions(EXPIRED) == {
        "SourceConnected": ("False", "Refused"),
        "SourceAuthorized": ("False", "Refused"),
    }
    assert _conditions(SILENT) == {
        "SourceConnected": ("Unknown", "NoReport"),
        "SourceAuthorized": ("Unknown", "NoReport"),
    }


def test_the_conditions_go_when_the_feed_gets_another_source() -> None:
    """Conditions of types that the operator does not know stay."""
    old = [{"type": "SourceConnected", "status": "True"}, {"type": "Ours", "status": "True"}]
    assert [row["type"] for row in conditions.merge(old, [], NOON, 1)] == ["Ours"]


@pytest.mark.parametrize(
    ("before", "state", "expected"),
    [
        ({}, CONNECTED, []),
        ({}, EXPIRED, ["SourceConnected", "SourceAuthorized"]),
        ({"SourceConnected": "True", "SourceAuthorized": "True"}, SILENT, []),
        ({"SourceConnected": "False", "SourceAuthorized": "True"}, CONNECTED, ["SourceConnected"]),
        ({"SourceConnected": "False", "SourceAuthorized": "False"}, EXPIRED, []),
        ({"SourceConnected": "True"}, None, []),
    ],
)
def test_an_event_tells_a_change_once(
    before: dict[str, object], state: SourceState | None, expected: list[str]
) -> None:
    """The first connection is no news, and neither is a state that lasts."""
    found = conditions.source_changes(replace(serving(1, 1), source=state), before)
    assert [one.type for one in found] == expected
