"""Replays: the gateway shows where one is, and hands commands to its generators, with a real Redis."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from tests.support.contracts import example, validator
from tests.support.tokens import headers_of

REPLAY = "/api/feeds/nifty/replay"
COMMAND = "feed:nifty:replay-command"


def report(store: Any, shard: int = 0, **changes: Any) -> None:
    """Report as a generator does."""
    state = {**example("feed-replay"), "shard": shard, "ts": time.time_ns(), **changes}
    validator("feed-replay").validate(state)
    store.hset("feed:nifty:replay", str(shard), json.dumps(state))


def test_the_state_is_that_of_all_generators(client: Any, user: Any, store: Any) -> None:
    """It pauses if all do; the position is the newest one. Times are RFC 3339."""
    report(store, 0, paused=True)
    report(store, 1, position_ts=1_718_868_700_123_456_789)
    store.hset("feed:nifty:replay", "2", "{")
    report(store, 3, ts=1)
    got = client.get(REPLAY, headers=user)
    assert (got.status_code, got.json) == (
        200,
        {
            "feed": "nifty",
            "paused": False,
            "ended": False,
            "speed_percent": 500,
            "position": "2024-06-20T07:31:40.123456Z",
            "first": "2024-06-20T07:00:00.000000Z",
            "last": "2024-06-20T10:10:00.000000Z",
            "pass_number": 2,
            "generators": 2,
        },
    )
    assert client.get(REPLAY).status_code == 401


def test_a_command_sets_only_what_it_names(client: Any, store: Any) -> None:
    """The hash follows its contract, and each seek is new."""
    report(store)
    for body in ({"paused": True}, {"speed_percent": 2500}, {"seek": "2024-06-20T13:00:00+05:30"}):
        got = client.post(REPLAY, json=body, headers=headers_of("operator"))
        assert (got.status_code, got.json["feed"]) == (202, "nifty"), got.text
    found = store.hgetall(COMMAND)
    validator("feed-replay-command").validate(found)
    assert (found["paused"], found["speed_percent"]) == ("true", "2500")
    assert found["seek"].startswith("1718868600000000000:")
    assert "?end=TIME" in got.json["detail"]
    client.post(REPLAY, json={"seek": "2024-06-20T07:30:00Z"}, headers=headers_of("operator"))
    assert store.hget(COMMAND, "seek") != found["seek"]


def test_the_bounds_that_an_answer_shows_can_be_sought(client: Any, store: Any, user: Any) -> None:
    """They are shown in microseconds, and the recording's times have nanoseconds."""
    last_ts = 1_718_878_200_000_000_999
    report(store, last_ts=last_ts)
    shown = client.get(REPLAY, headers=user).json
    for time_ in (shown["first"], shown["last"]):
        assert client.post(REPLAY, json={"seek": time_}, headers=headers_of("operator")).status_code == 202
    assert int(store.hget(COMMAND, "seek").partition(":")[0]) <= last_ts


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "give paused, speed_percent, seek or several of them"),
        ({"paused": "yes"}, "paused: "),
        ({"speed_percent": 0}, "speed_percent: "),
        ({"speed_percent": 100_001}, "speed_percent: "),
        ({"speed_percent": "2"}, "speed_percent: "),
        ({"seek": "2024-06-20T07:30:00"}, "seek: "),
        ({"seek": "now"}, "seek: "),
        (
            {"seek": "2024-06-20T06:59:59Z"},
            "seek: must be from 2024-06-20T07:00:00.000000Z to 2024-06-20T10:10",
        ),
        ({"seek": "2024-06-20T10:10:01Z", "paused": True}, "seek: must be from"),
        ({"seek": "0001-01-01T00:00:00+14:00"}, "seek: "),
        ({"pause": True}, "pause: is not a parameter"),
        ([], ""),
    ],
)
def test_bad_input_names_the_field_and_changes_nothing(client: Any, store: Any, body: Any, text: str) -> None:
    report(store)
    got = client.post(REPLAY, json=body, headers=headers_of("operator"))
    assert (got.status_code, got.json["code"]) == (400, "bad_input"), got.text
    assert text in got.json["detail"]
    assert not store.exists(COMMAND)


def test_a_feed_that_replays_nothing_is_named_with_its_source(client: Any, store: Any, user: Any) -> None:
    """Also an unknown feed, and a replay whose generators do not report."""
    got = client.get(REPLAY, headers=user)
    assert (got.status_code, got.json["code"]) == (409, "replay_unavailable")
    got = client.get("/api/feeds/other/replay", headers=user)
    assert (got.status_code, got.json["code"]) == (404, "unknown_feed")
    table = example("feeds-table")
    table["feeds"][0]["source"] = "deribit"
    store.set("feeds:table", json.dumps(table))
    for got in (
        client.get(REPLAY, headers=user),
        client.post(REPLAY, json={"paused": True}, headers=headers_of("operator")),
    ):
        assert (got.status_code, got.json["code"]) == (409, "feed_not_replay")
        assert "has the source deribit" in got.json["detail"]


def test_only_an_operator_may_steer(client: Any, store: Any, user: Any) -> None:
    report(store)
    assert client.post(REPLAY, json={"paused": True}).status_code == 401
    got = client.post(REPLAY, json={"paused": True}, headers=user)
    assert (got.status_code, got.json["code"]) == (403, "operator_role_needed")
    assert not store.exists(COMMAND)


@pytest.mark.parametrize(
    ("body", "command"),
    [
        (
            {"speed_percent": 500, "seek": "2024-06-20T07:30:00Z"},
            "patch dsf nifty --type=merge --patch"
            """ '{"spec":{"source":{"replay":{"speedPercent":500,"from":"2024-06-20T07:30:00+00:00"}}}}'""",
        ),
        ({"paused": True}, "edit dsf nifty"),
    ],
)
def test_in_a_cluster_the_answer_is_the_command(
    client: Any, store: Any, user: Any, body: Any, command: str
) -> None:
    """The DeltaStreamFeed decides there."""
    store.set("feeds:table", json.dumps(example("feeds-table", 2)))
    got = client.post(REPLAY, json=body, headers=user)
    assert (got.status_code, got.json["code"]) == (409, "cluster_is_authority")
    assert got.json["command"] == f"kubectl --namespace market {command}"
    assert not store.exists(COMMAND)
