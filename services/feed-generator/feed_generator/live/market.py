"""A live market as one: its source of messages, its connections, and their thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from feed_generator.live.exchange import Connect, Exchange
from feed_generator.live.inbox import Inbox
from feed_generator.live.session import Session
from feed_generator.live.source import LiveSource
from feed_generator.live.status import Status
from feed_generator.live.thread import SessionThread


@dataclass(frozen=True, slots=True)
class LiveMarket:
    """What runs a live source. `statuses` has one entry for each connection."""

    source: LiveSource
    inbox: Inbox
    statuses: Sequence[Status]
    thread: SessionThread


def live_market(
    feed: str,
    connections: Sequence[tuple[Exchange, Connect]],
    *,
    chain_interval_millis: int,
) -> LiveMarket:
    """Return a market that is not started. Each exchange gets a connection of its own."""
    inbox = Inbox()
    statuses = [Status() for _ in connections]
    sessions = [
        Session(exchange, connect, inbox.put, status)
        for (exchange, connect), status in zip(connections, statuses, strict=True)
    ]
    source = LiveSource(feed, inbox.take, chain_interval_millis=chain_interval_millis)
    return LiveMarket(source, inbox, statuses, SessionThread(sessions))
