"""The state of a live source, as its generators report it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from deltastream_operator.domain.feed import Deribit, Feed, Kite


@dataclass(frozen=True, kw_only=True)
class SourceState:
    """What one generator, or all of a feed, know of their connections. `connected` None: not known."""

    connected: bool | None
    authorized: bool | None
    reason: str
    message: str


SILENT = SourceState(
    connected=None,
    authorized=None,
    reason="NoReport",
    message="no generator has reported its connection in the last 15 s",
)


def is_live(feed: Feed) -> bool:
    """Return True if the feed's generators connect to an exchange."""
    return isinstance(feed.source, (Deribit, Kite))


def together(states: Iterable[SourceState]) -> SourceState:
    """Return a feed's state: its generators' worst. A refused credential is worse than a drop."""
    return min(states, key=lambda state: (bool(state.authorized), bool(state.connected)), default=SILENT)
