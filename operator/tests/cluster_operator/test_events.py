"""Events: told once within 30 minutes, never in a decision's way."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import CapturingLogger

from deltastream_operator.cluster.metrics import Metrics
from deltastream_operator.cluster.watching.table import read_feed
from deltastream_operator.cluster.writing.events import QUEUE_MAX, SUPPRESS_S, Events
from deltastream_operator.kubernetes.api import ApiError

FEEDS = {"a": read_feed({"metadata": {"name": "a", "uid": "u-1"}})}


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


async def drain(events: Events) -> None:
    """Post what waits."""
    task = asyncio.ensure_future(events.post())
    while not events._queue.empty():
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def posted(events: Events, recorder: Recorder) -> list[str]:
    """Messages that arrive."""
    asyncio.run(drain(events))
    return [event["message"] for event in recorder.created]


def made(recorder: Recorder, clock: Any) -> Events:
    """Events of feed `a`."""
    return Events(api=recorder, clock=clock, namespace="market", feeds=FEEDS, metrics=Metrics())  # type: ignore[arg-type]


def dropped(events: Events) -> float | None:
    """What Prometheus is told of Events that were not posted."""
    return events.metrics.registry.get_sample_value("operator_events_dropped_total")


def test_the_same_news_is_told_once_in_thirty_minutes(clock: Any) -> None:
    """Rule: identical ones are suppressed, others are not, and after the time it is news again."""
    recorder = Recorder()
    events = made(recorder, clock)
    for message in ("up", "up", "down"):
        events.report("a", "ArrivalRate", message)
    clock.now += SUPPRESS_S
    events.report("a", "ArrivalRate", "up")
    assert posted(events, recorder) == ["up", "down", "up"]
    assert recorder.created[0]["involvedObject"]["uid"] == "u-1"
    assert recorder.created[0]["involvedObject"]["kind"] == "DeltaStreamFeed"


def test_news_of_a_feed_that_is_gone_is_nobodys(clock: Any) -> None:
    """Rule: never raises."""
    recorder = Recorder()
    events = made(recorder, clock)
    events.report("gone", "ArrivalRate", "up")
    assert posted(events, recorder) == []
    body = {"metadata": {"name": "gone", "uid": "u-2"}}
    events.report_for(body, "FeedDeleted", "nothing is left")
    assert posted(events, recorder) == ["nothing is left"], "what it left behind still is news"


def test_an_outage_drops_news_counts_and_logs_them(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule: what cannot be posted, or waits behind too many, is left out; the rest goes on."""
    recorder, said = Recorder(away=True), CapturingLogger()
    monkeypatch.setattr("deltastream_operator.cluster.writing.events.log", said)
    events = made(recorder, clock)
    for number in range(QUEUE_MAX + 3):
        events.report("a", "ArrivalRate", f"{number}")
    assert dropped(events) == 3
    assert posted(events, recorder) == []
    assert [call.args for call in said.calls] == [("event_not_posted",)] * (QUEUE_MAX + 3)
    assert dropped(events) == QUEUE_MAX + 3


def test_what_was_not_posted_may_be_told_again(clock: Any) -> None:
    """Rule: only what somebody can have read is suppressed, whether it was left out or refused."""
    recorder = Recorder(away=True)
    events = made(recorder, clock)

    async def twice() -> None:
        for number in range(QUEUE_MAX + 1):
            events.report("a", "ArrivalRate", f"{number}")
        await drain(events)
        recorder.away = False
        for number in (0, QUEUE_MAX):
            events.report("a", "ArrivalRate", f"{number}")
        await drain(events)

    asyncio.run(twice())
    assert [event["message"] for event in recorder.created] == ["0", f"{QUEUE_MAX}"]
