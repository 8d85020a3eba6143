"""The state of a feed's connection to its exchange, from the reports of its generators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from deltastream_operator.domain.feed import SOURCES, Deribit, Feed, Kite

# A generator reports one of these if a network policy denies its connection.
_PERHAPS_DENIED = frozenset({"Unreachable", "Timeout"})


@dataclass(frozen=True, kw_only=True)
class SourceState:
    """The state of the connections of one generator, or of all generators of a feed. None: not known."""

    connected: bool | None
    authorized: bool | None
    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """A generator's report: the kind of its source (`SOURCES`), and the state of its connections."""

    kind: str
    state: SourceState


def unknown(*, reason: str, message: str) -> SourceState:
    """Return a state that is not known, with the reason."""
    return SourceState(connected=None, authorized=None, reason=reason, message=message)


SILENT = unknown(reason="NoReport", message="no generator has reported its connection in the last 15 s")
NOBODY = unknown(reason="NoReport", message="the feed has no generators, so nothing connects")
REPLACED = unknown(reason="ReplicasMoving", message="the generators are being replaced")


def is_live(feed: Feed) -> bool:
    """Return True if the feed's generators connect to an exchange."""
    return isinstance(feed.source, (Deribit, Kite))


def together(feed: Feed, reports: Mapping[int, Report], generators: int) -> SourceState:
    """Return a feed's state: its generators' worst. `reports` has the fresh reports by shard.

    A refused credential is worse than a drop, and a drop is worse than a generator that reports nothing. A
    report of a generator that the feed no longer has, or of its former source, does not count.
    """
    kind = SOURCES[type(feed.source)]
    found = {shard: report.state for shard, report in reports.items() if report.kind == kind}
    if generators == 0:
        return NOBODY
    if generators == 1:
        return found.get(0, SILENT)
    states = [_of_one(shard, found.get(shard)) for shard in range(generators)]
    if all(shard not in found for shard in range(generators)):
        return SILENT
    return min(states, key=_health)


def in_a_cluster(feed: Feed, state: SourceState) -> SourceState:
    """Return the state with a fix in its message if a network policy may be the cause."""
    if state.reason not in _PERHAPS_DENIED:
        return state
    fix = f"network policies deny it unless the chart's value networkPolicy.sources.{feed.name} opens it"
    return replace(state, message=f"{state.message}; {fix}")


def _of_one(shard: int, state: SourceState | None) -> SourceState:
    if state is None:
        return replace(SILENT, message=f"generator {shard} has not reported its connection in the last 15 s")
    return state if state.connected else replace(state, message=f"generator {shard}: {state.message}")


def _health(state: SourceState) -> tuple[bool, bool, bool]:
    return state.authorized is not False, state.connected is not False, state.connected is not None
