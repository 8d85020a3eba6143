"""Events: told once within 30 minutes, never in a decision's way."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

from deltastream_operator.adapters.kubernetes.api import ApiError
from deltastream_operator.adapters.kubernetes.events import SUPPRESS_S, WAITING_MAX, Events

FEEDS = {"a": {"metadata": {"name": "a", "uid": "u-1"}}}


@dataclass
class Recorder:
    """An API server that writes down what is created, or is away."""

    away: bool = False
    created: list[dict[str, Any]] = field(default_factory=list)

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if self.away:
            raise ApiError(0, "away")
        self.created.append(body)
        return body


def posted(events: Events, recorder: Recorder) -> list[str]:
    """Messages that arrive."""

    async def drain() -> None:
        task = asyncio.ensure_future(events.post())
        while not events._waiting.empty():
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(drain())
    return [event["message"] for event in recorder.created]


def made(recorder: Recorder, clock: Any) -> Events:
    """Events of feed `a`."""
    return Events(api=recorder, clock=clock, namespace="market", feeds=FEEDS)  # type: ignore[arg-type]


def test_the_same_news_is_told_once_in_thirty_minutes(clock: Any) -> None:
    """Rule: identical ones are suppressed, others are not, and after the time it is news again."""
    recorder = Recorder()
    events = made(recorder, clock)
    for message in ("up", "up", "down"):
        events.tell("a", "ArrivalRate", message)
    clock.now += SUPPRESS_S
    events.tell("a", "ArrivalRate", "up")
    assert posted(events, recorder) == ["up", "down", "up"]
    assert recorder.created[0]["involvedObject"]["uid"] == "u-1"
    assert recorder.created[0]["involvedObject"]["kind"] == "DeltaStreamFeed"


def test_news_of_a_feed_that_is_gone_is_nobodys(clock: Any) -> None:
    """Rule: never raises."""
    recorder = Recorder()
    events = made(recorder, clock)
    events.tell("gone", "ArrivalRate", "up")
    assert posted(events, recorder) == []
    body = {"metadata": {"name": "gone", "uid": "u-2"}}
    events.tell_of(body, "FeedDeleted", "nothing is left")
    assert posted(events, recorder) == ["nothing is left"], "what it left behind still is news"


def test_an_outage_drops_news_and_counts_them(clock: Any) -> None:
    """Rule: what cannot be posted, or waits behind too many, is left out; the rest goes on."""
    recorder = Recorder(away=True)
    events = made(recorder, clock)
    for number in range(WAITING_MAX + 3):
        events.tell("a", "ArrivalRate", f"{number}")
    assert events.dropped == 3
    assert posted(events, recorder) == []
    assert events.dropped == WAITING_MAX + 3
