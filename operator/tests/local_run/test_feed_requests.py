"""Test the table and the requests of a local run with a real Redis: what the gateway reads and writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import redis
from tests.support.contracts import example, validator
from tests.support.feeds import IDLE, NOON, a_feed, load, serving

from deltastream_operator.domain.feed import Component, Feed, Kite, Source
from deltastream_operator.domain.source import Report, SourceState
from deltastream_operator.local.feeds import Feeds
from deltastream_operator.local.scaling import Scaling
from deltastream_operator.redis_feeds import RedisFeeds


class Run:
    """The feed `a` of a local run with fake workloads. Time stands still at NOON."""

    def __init__(self, url: str, source: Source | None = None) -> None:
        self.applied: list[tuple[Component, int]] = []
        self.said: list[str] = []
        feed = a_feed(max_replicas=4)
        scaling = Scaling(
            [replace(feed, source=source or feed.source)], self._apply, self.said.append, lambda: NOON
        )
        scaling.start()
        self.feeds = Feeds(
            scaling, RedisFeeds(url), seen=lambda _: serving(1, 1), say=self.said.append, now=lambda: NOON
        )
        self.applied.clear()

    def _apply(self, _feed: Feed, component: Component, replicas: int) -> None:
        self.applied.append((component, replicas))

    def step(self) -> bool:
        """One step of the local run's loop. Returns whether a request changed a feed."""
        due = self.feeds.take_requests()
        if due:
            self.feeds.tick({"a": IDLE})
        return due


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as made:
        yield made


@pytest.fixture
def run(redis_url: str) -> Run:
    return Run(redis_url)


def ask(client: Any, **changes: Any) -> str:
    """Put a request into the list, as the gateway does. Returns its id."""
    request = {**example("feeds-request"), "feed": "a", "expires_at": int(NOON.timestamp()) + 5, **changes}
    request = {name: value for name, value in request.items() if value is not None}
    validator("feeds-request").validate(request)
    client.rpush("feeds:requests", json.dumps(request))
    return str(request["id"])


def reply(client: Any, request_id: str) -> dict[str, Any] | None:
    found = client.lpop(f"feeds:reply:{request_id}")
    if found is None:
        return None
    loaded: dict[str, Any] = json.loads(found)
    validator("feeds-reply").validate(loaded)
    return loaded


def test_every_tick_publishes_the_table_with_a_ttl(run: Run, client: Any) -> None:
    """The key and the message on the channel are the same text."""
    with client.pubsub() as listener:
        listener.subscribe("feeds:table")
        listener.get_message(timeout=5)
        run.feeds.tick({"a": load(lag=100_000)})
        sent = listener.get_message(timeout=5)
    assert sent["data"] == client.get("feeds:table")
    assert 0 < client.ttl("feeds:table") <= 30
    table = json.loads(sent["data"])
    validator("feeds-table").validate(table)
    (row,) = table["feeds"]
    assert (table["authority"], row["enricher"]["desired"]) == ("local", 4)
    assert [one["message"][:17] for one in row["decisions"] if one["component"] == "enricher"] == [
        "enricher none -> ",
        "enricher 1 -> 4: ",
    ]
    assert run.applied == [("enricher", 4)]


def test_a_request_changes_the_feed_and_its_reply_has_the_new_row(run: Run, client: Any) -> None:
    """The reply says how long the change lasts, and the new replicas are applied."""
    request_id = ask(client, mode="Manual", replicas=3)
    assert run.step()
    answer = reply(client, request_id)
    assert answer
    assert (answer["status"], answer["feed"]["mode"], answer["feed"]["enricher"]["desired"]) == (
        200,
        "Manual",
        3,
    )
    assert answer["detail"].startswith("a: mode Manual, 3 enrichers; lasts until the local run ends")
    assert run.applied == [("enricher", 3)]
    assert any("asked by account 5f5f" in line for line in run.said)
    assert not run.step(), "a request is taken once"


def test_a_paused_feed_keeps_its_replicas_until_it_resumes(run: Run, client: Any) -> None:
    """A backlog has no effect while the feed is paused."""
    request_id = ask(client, action="pause", mode=None, replicas=None)
    run.step()
    answer = reply(client, request_id)
    assert answer
    paused = next(one for one in answer["feed"]["conditions"] if one["type"] == "Paused")
    assert (paused["status"], "resume" in paused["message"]) == ("True", True)
    run.feeds.tick({"a": load(lag=100_000)})
    assert run.applied == []
    ask(client, action="resume", mode=None, replicas=None)
    run.step()
    run.feeds.tick({"a": load(lag=100_000)})
    assert run.applied == [("enricher", 4)]


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        ({"mode": "Manual", "replicas": 9}, 400, "must be within minReplicas 1 to maxReplicas 4"),
        ({"feed": "b"}, 404, "no feed 'b' in this local run"),
    ],
)
def test_a_refused_request_changes_nothing(
    run: Run, client: Any, changes: dict[str, Any], status: int, text: str
) -> None:
    """The reply names the rule."""
    request_id = ask(client, **changes)
    assert not run.step()
    answer = reply(client, request_id)
    assert answer
    assert answer["status"] == status
    assert text in answer["detail"]
    assert run.applied == []


def test_a_late_request_is_ignored(run: Run, client: Any) -> None:
    """The gateway has already told its caller that there was no reply."""
    late = int((NOON - timedelta(seconds=1)).timestamp())
    request_id = ask(client, expires_at=late)
    assert not run.step()
    assert reply(client, request_id) is None


@pytest.mark.parametrize(
    "raw", ["", "{", "[]", "{}", '{"id": 1}', json.dumps({**example("feeds-request"), "id": "../x"})]
)
def test_a_malformed_request_is_dropped_and_the_next_one_is_served(run: Run, client: Any, raw: str) -> None:
    """A wrong entry in the list must not end the local run."""
    client.rpush("feeds:requests", raw)
    request_id = ask(client, mode="Manual", replicas=2)
    assert run.step()
    assert reply(client, request_id)
    assert any("was dropped" in line for line in run.said)


def test_without_redis_the_decisions_go_on(run: Run) -> None:
    """An outage of Redis must not change the number of processes."""
    away = Run("redis://127.0.0.1:1/0")
    assert not away.feeds.take_requests()
    away.feeds.tick({"a": load(lag=100_000)})
    assert away.applied == [("enricher", 4)]


def test_an_ended_token_is_a_condition_in_the_table_and_is_said_once(redis_url: str, client: Any) -> None:
    """The generator reports it, and the row says what to do. The next tick does not repeat it."""
    run = Run(redis_url, Kite())
    ended = SourceState(connected=False, authorized=False, reason="TokenExpired", message="log in at Kite")
    for _ in range(2):
        run.feeds.tick({"a": replace(IDLE, reports={0: Report(kind="kite", state=ended)})})
    (row,) = json.loads(client.get("feeds:table"))["feeds"]
    found = {one["type"]: one for one in row["conditions"]}
    assert (row["source"], found["SourceAuthorized"]["status"]) == ("kite", "False")
    assert found["SourceAuthorized"]["message"] == "log in at Kite"
    said = [line for line in run.said if "SourceAuthorized" in line]
    assert said == ["a: SourceAuthorized False: TokenExpired: log in at Kite"]


def test_a_feed_that_is_added_runs_and_is_in_the_table(run: Run, client: Any) -> None:
    """An import adds it. A command for an earlier replay of the same name does not hold for it."""
    client.hset("feed:b:replay-command", "paused", "true")
    client.hset("feed:a:replay-command", "paused", "true")
    run.feeds.add(replace(a_feed(), name="b", products=("SPY",)))
    assert set(run.applied) == {("enricher", 1), ("generator", 1)}
    assert [client.exists(f"feed:{feed}:replay-command") for feed in "ba"] == [0, 1]
    run.feeds.tick({"a": IDLE, "b": IDLE})
    table = json.loads(client.get("feeds:table"))
    validator("feeds-table").validate(table)
    assert [row["name"] for row in table["feeds"]] == ["a", "b"]
