"""Test Events of feeds: identical ones are posted once in 30 minutes, and an outage delays no decision."""

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
    """An API server that records the created objects, or raises if it is unavailable."""

    unavailable: bool = False
    created: list[dict[str, Any]] = field(default_factory=list)

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if self.unavailable:
            raise ApiError(0, "unavailable")
        self.created.append(body)
        return body


async def drain(events: Events) -> None:
    """Post all queued Events."""
    task = asyncio.ensure_future(events.post())
    while not events._queue.empty():
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def posted(events: Events, recorder: Recorder) -> list[str]:
    """Post all queued Events. Returns the messages of all Events that the server has received."""
    asyncio.run(drain(events))
    return [event["message"] for event in recorder.created]


def new_events(recorder: Recorder, clock: Any) -> Events:
    """Return an empty queue that knows feed `a`."""
    return Events(api=recorder, clock=clock, namespace="market", feeds=FEEDS, metrics=Metrics())  # type: ignore[arg-type]


def dropped(events: Events) -> float | None:
    """Return the metric that counts the Events that were not posted."""
    return events.metrics.registry.get_sample_value("operator_events_dropped_total")


def test_an_identical_event_is_posted_once_in_thirty_minutes(clock: Any) -> None:
    """Other Events of the feed are posted. After 30 minutes the same Event is posted again."""
    recorder = Recorder()
    events = new_events(recorder, clock)
    for message in ("up", "up", "down"):
        events.report("a", "ArrivalRate", message)
    clock.now += SUPPRESS_S
    events.report("a", "ArrivalRate", "up")
    assert posted(events, recorder) == ["up", "down", "up"]
    assert recorder.created[0]["involvedObject"]["uid"] == "u-1"
    assert recorder.created[0]["involvedObject"]["kind"] == "DeltaStreamFeed"


def test_an_event_of_an_unknown_feed_is_ignored(clock: Any) -> None:
    """The call does not raise. The Event about a deletion is given with the deleted feed's body."""
    recorder = Recorder()
    events = new_events(recorder, clock)
    events.report("gone", "ArrivalRate", "up")
    assert posted(events, recorder) == []
    body = {"metadata": {"name": "gone", "uid": "u-2"}}
    events.report_for(body, "FeedDeleted", "nothing is left")
    assert posted(events, recorder) == ["nothing is left"], "a deleted feed can still have an Event"


def test_dropped_events_are_counted_and_logged(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An Event is dropped if the queue is full or the API server refuses it. Posting continues."""
    recorder, logger = Recorder(unavailable=True), CapturingLogger()
    monkeypatch.setattr("deltastream_operator.cluster.writing.events.log", logger)
    events = new_events(recorder, clock)
    for number in range(QUEUE_MAX + 3):
        events.report("a", "ArrivalRate", f"{number}")
    assert dropped(events) == 3
    assert posted(events, recorder) == []
    assert [call.args for call in logger.calls] == [("event_not_posted",)] * (QUEUE_MAX + 3)
    assert dropped(events) == QUEUE_MAX + 3


def test_a_dropped_event_can_be_reported_again(clock: Any) -> None:
    """Only Events that were posted are suppressed. This holds for a full queue and for a failed request."""
    recorder = Recorder(unavailable=True)
    events = new_events(recorder, clock)

    async def twice() -> None:
        for number in range(QUEUE_MAX + 1):
            events.report("a", "ArrivalRate", f"{number}")
        await drain(events)
        recorder.unavailable = False
        for number in (0, QUEUE_MAX):
            events.report("a", "ArrivalRate", f"{number}")
        await drain(events)

    asyncio.run(twice())
    assert [event["message"] for event in recorder.created] == ["0", f"{QUEUE_MAX}"]
