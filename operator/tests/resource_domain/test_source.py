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
from deltastream_operator.domain.feed import Deribit, Feed, Kite
from deltastream_operator.domain.observed import Observed
from deltastream_operator.domain.signals import WAITING, source_of
from deltastream_operator.domain.source import REPLACED, SILENT, SourceState, in_a_cluster, together
from deltastream_operator.domain.source_news import SourceNews
from deltastream_operator.source_reports import LIVES_S, fresh

REPORT = example("feed-source")
NOW_S = REPORT["ts"] / 1e9
CONNECTED = SourceState(connected=True, authorized=True, reason="Connected", message="240 contracts of BTC")
DROPPED = SourceState(connected=False, authorized=True, reason="Dropped", message="x ended the connection")
EXPIRED = SourceState(connected=False, authorized=False, reason="Refused", message="renew the token")
LIVE = replace(a_feed(), source=Deribit(currencies=("BTC",)))


def _report(**changes: Any) -> str:
    return json.dumps({**REPORT, **changes})


def _state(reports: dict[str, str], generators: int = 1, feed: Feed = LIVE) -> SourceState:
    return together(feed, fresh(reports, NOW_S), generators)


def _conditions(state: SourceState | None) -> dict[str, tuple[str, str]]:
    decision = decide(a_feed("Automatic"), IDLE, Current(generator=1, enricher=1), NOON)
    found = conditions.of(decision, replace(serving(1, 1), source=state), [], 1)
    return {one.type: (one.status, one.reason) for one in found if one.type.startswith("Source")}


def test_a_report_is_read_as_the_contract_writes_it() -> None:
    """The golden example of feed-source."""
    assert _state({"0": json.dumps(REPORT)}) == CONNECTED


def test_the_generator_that_is_not_well_decides() -> None:
    """A refused credential comes before a dropped connection, and the message names the generator."""
    dropped = _report(connected=False, reason="Dropped", message="x ended the connection")
    refused = json.dumps(example("feed-source", 2) | {"source": "deribit", "ts": REPORT["ts"]})
    seen = _state({"0": _report(), "1": dropped}, 2)
    assert (seen.connected, seen.reason, seen.message) == (
        False,
        "Dropped",
        "generator 1: x ended the connection",
    )
    assert _state({"0": dropped, "1": refused, "2": _report()}, 3).authorized is False


def test_a_feed_is_not_connected_while_one_of_its_generators_is_silent() -> None:
    """The products of a dead generator are missing, however well the others are."""
    seen = _state({"0": _report(), "2": _report()}, 3)
    assert (seen.connected, seen.reason) == (None, "NoReport")
    assert seen.message.startswith("generator 1 has not reported")
    assert _state({"0": _report(), "1": _report(connected=False, reason="Dropped")}, 3).connected is False
    assert _state({}, 3) == SILENT


def test_a_generator_that_the_feed_no_longer_has_does_not_count() -> None:
    """Its report stays for up to 15 s after the number of generators was lowered."""
    dropped = _report(connected=False, reason="Dropped")
    assert _state({"0": _report(), "1": dropped}, 1) == CONNECTED
    assert _state({"0": _report()}, 0).connected is None


def test_a_report_of_the_feeds_former_source_does_not_count() -> None:
    """A feed that changes from Deribit to Kite is not connected by its last connection to Deribit."""
    assert _state({"0": _report()}, feed=replace(LIVE, source=Kite())) == SILENT


def test_a_generator_that_has_just_started_is_neither_connected_nor_in_trouble() -> None:
    """A new feed must not begin with a Warning."""
    text = "the first connection is not open yet"
    seen = _state({"0": _report(connected=False, reason="Connecting", message=text)})
    assert seen == SourceState(connected=None, authorized=None, reason="Connecting", message=text)


def test_nothing_is_known_while_generators_of_an_earlier_spec_run() -> None:
    """`kubectl wait` after an edit must not end by the connection that the edit replaces."""
    reading = replace(IDLE, reports=fresh({"0": _report()}, NOW_S))
    assert source_of(LIVE, reading, 1, Observed(replicas=1, ready=1, updated=0)) == REPLACED
    assert source_of(LIVE, reading, 1, Observed(replicas=1, ready=0, updated=1)) == CONNECTED
    unread = source_of(LIVE, WAITING, 1, Observed(replicas=1, ready=1, updated=1))
    assert (unread.connected, unread.reason) == (None, "FirstReading") if unread else False
    assert source_of(a_feed(), reading, 1, Observed(replicas=1, ready=1, updated=1)) is None


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "7", "{}", _report(ts="x"), _report(reason="not one word"), _report(ts=0),
        _report(ts=float("nan")), _report(ts=10**400), "[" * 100_000,
    ],
    ids=range(10),
)  # fmt: skip
def test_a_strange_or_outdated_report_does_not_count(text: str) -> None:
    """A generator that died has no state. A strange report of one feed must not hide the load of all."""
    assert _state({"0": text}) == SILENT
    assert _state({"0": _report(), "x": text}) == CONNECTED
    assert fresh({"0": _report()}, NOW_S + LIVES_S + 1) == {}


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


@pytest.mark.parametrize(
    ("reason", "named"), [("Unreachable", True), ("Timeout", True), ("Dropped", False), ("Connected", False)]
)
def test_an_exchange_that_cannot_be_reached_from_a_cluster_names_the_charts_value(
    reason: str, named: bool
) -> None:
    """Most clusters let no pod out, and neither the network nor the exchange says so."""
    state = in_a_cluster(LIVE, replace(DROPPED, reason=reason, message="www.deribit.com: no answer"))
    assert ("networkPolicy.sources.a " in state.message) is named
    assert state.message.startswith("www.deribit.com: no answer")


def test_the_conditions_go_when_the_feed_gets_another_source() -> None:
    """Conditions of types that the operator does not know stay."""
    old = [{"type": "SourceConnected", "status": "True"}, {"type": "Ours", "status": "True"}]
    assert [row["type"] for row in conditions.merge(old, [], NOON, 1)] == ["Ours"]


BOTH = ["SourceConnected", "SourceAuthorized"]


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([SILENT, CONNECTED], [[], []]),
        ([EXPIRED, EXPIRED], [BOTH, []]),
        ([CONNECTED, SILENT, CONNECTED], [[], [], []]),
        ([CONNECTED, DROPPED, DROPPED, CONNECTED], [[], BOTH[:1], [], BOTH[:1]]),
        ([EXPIRED, SILENT, CONNECTED], [BOTH, [], BOTH]),
        ([DROPPED, SILENT, DROPPED], [BOTH[:1], [], []]),
        ([CONNECTED, None, DROPPED], [[], [], BOTH[:1]]),
    ],
    ids=range(7),
)
def test_news_of_a_source_is_each_change_of_what_is_known(
    states: list[SourceState | None], expected: list[list[str]]
) -> None:
    """Neither the first connection nor a state that lasts is news. Unknown changes nothing that is known."""
    news = SourceNews()
    assert [[one.type for one in news.of("a", state, [])] for state in states] == expected


def test_the_conditions_of_the_last_status_are_known_after_a_restart() -> None:
    """A restarted operator repeats no Event, and misses no change."""
    old = [{"type": kind, "status": "False"} for kind in BOTH] + [{"type": "Ready", "status": "True"}]
    assert SourceNews().of("a", EXPIRED, old) == []
    assert [one.type for one in SourceNews().of("a", CONNECTED, old)] == BOTH
