"""Feeds: the gateway shows the operator's table, and hands changes to a local run, with a real Redis."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from devcluster.processes.stores import RedisServer
from tests.support.contracts import example, validator
from tests.support.tokens import USER, headers_of

SCALE = "/api/feeds/nifty/scale"


@pytest.fixture
def store(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as made:
        yield made


@pytest.fixture
def table(store: Any) -> str:
    """The table of a local run, in Redis."""
    text = json.dumps(example("feeds-table"))
    store.set("feeds:table", text)
    return text


class LocalRun:
    """Replies to one request, as the operator of a local run does."""

    def __init__(self, url: str, answer: dict[str, Any]) -> None:
        self.request: dict[str, Any] = {}
        self._url, self._answer = url, answer
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> LocalRun:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _serve(self) -> None:
        with redis.Redis.from_url(self._url) as client:
            found: Any = client.blpop(["feeds:requests"], timeout=20)
            self.request = json.loads(found[1])
            client.rpush(f"feeds:reply:{self.request['id']}", json.dumps(self._answer))


@pytest.fixture
def local_run(redis_url: str) -> Callable[..., LocalRun]:
    return lambda answer: LocalRun(redis_url, answer)


def test_the_table_is_served_as_the_operator_wrote_it(client: Any, user: Any, table: str) -> None:
    """A read like every other: any account may read."""
    got = client.get("/api/feeds", headers=user)
    assert (got.status_code, got.text) == (200, table)
    assert client.get("/api/feeds").status_code == 401
    assert client.get("/api/feeds?x=1", headers=user).status_code == 400


def test_reading_the_feeds_counts_as_a_read(gateway: Any, user: Any, table: str) -> None:
    """One limit covers all reads of an account."""
    client = gateway.client(rate_limit_per_minute=2)
    paths = ("/api/data/products", "/api/feeds", "/api/feeds")
    assert [client.get(path, headers=user).status_code for path in paths] == [200, 200, 429]


def test_without_a_table_the_answer_says_what_to_do(client: Any, user: Any) -> None:
    """No table means that no operator has written for 30 s. That is not an empty list."""
    got = client.get("/api/feeds", headers=user)
    assert (got.status_code, got.json["code"]) == (503, "feeds_unavailable")
    assert "is it running" in got.json["detail"]


def test_without_redis_the_feeds_are_unavailable(gateway: Any, user: Any) -> None:
    """The gateway answers at once."""
    client = gateway.client(redis_url="redis://127.0.0.1:1/0")
    got = client.get("/api/feeds", headers=user)
    assert (got.status_code, got.json["code"]) == (503, "feeds_unavailable")


def test_an_operator_s_change_reaches_the_local_run_and_its_reply_comes_back(
    client: Any, table: str, local_run: Any
) -> None:
    """The request follows its contract; the answer has the feed's new row and how long the change lasts."""
    reply = example("feeds-reply")
    with local_run(reply) as run:
        got = client.post(SCALE, json={"replicas": 3, "mode": "Manual"}, headers=headers_of("operator"))
    assert (got.status_code, got.json) == (200, {"feed": reply["feed"], "detail": reply["detail"]})
    validator("feeds-request").validate(run.request)
    asked = {name: run.request[name] for name in ("feed", "action", "replicas", "mode", "account")}
    assert asked == {"feed": "nifty", "action": "scale", "replicas": 3, "mode": "Manual", "account": USER}


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_pause_and_resume_need_no_body(client: Any, table: str, local_run: Any, action: str) -> None:
    """The request has neither mode nor replicas."""
    with local_run(example("feeds-reply")) as run:
        got = client.post(f"/api/feeds/nifty/{action}", headers=headers_of("operator"))
    assert got.status_code == 200, got.text
    validator("feeds-request").validate(run.request)
    assert run.request["action"] == action
    assert not {"replicas", "mode"} & run.request.keys()


@pytest.mark.parametrize(("status", "code"), [(400, "bad_input"), (404, "unknown_feed")])
def test_a_refusal_of_the_local_run_is_passed_on(
    client: Any, table: str, local_run: Any, status: int, code: str
) -> None:
    """The local run's text is the detail."""
    reply = {**example("feeds-reply", 2), "status": status}
    with local_run(reply):
        got = client.post(SCALE, json={"replicas": 30}, headers=headers_of("operator"))
    assert (got.status_code, got.json["code"], got.json["detail"]) == (status, code, reply["detail"])


@pytest.mark.parametrize("anonymous", [False, True])
def test_only_an_operator_may_change_a_feed(gateway: Any, user: Any, table: str, anonymous: bool) -> None:
    """Anonymous reads include no changes. Nothing reaches the local run."""
    client = gateway.client(anonymous_read=anonymous)
    assert client.post("/api/feeds/nifty/pause").status_code == 401
    got = client.post("/api/feeds/nifty/pause", headers=user)
    assert (got.status_code, got.json["code"]) == (403, "operator_role_needed")


@pytest.mark.parametrize(
    ("action", "body", "command"),
    [
        ("pause", None, "annotate dsf nifty deltastream.dev/paused=true --overwrite"),
        ("resume", None, "annotate dsf nifty deltastream.dev/paused- deltastream.dev/paused-until-"),
        ("scale", {"replicas": 3}, "scale dsf nifty --replicas=3"),
        (
            "scale",
            {"mode": "Automatic"},
            """patch dsf nifty --type=merge --patch '{"spec":{"mode":"Automatic"}}'""",
        ),
        (
            "scale",
            {"mode": "Manual", "replicas": 2},
            """patch dsf nifty --type=merge --patch '{"spec":{"mode":"Manual","enricher":{"replicas":2}}}'""",
        ),
    ],
)
def test_in_a_cluster_the_answer_is_the_command(
    client: Any, user: Any, store: Any, action: str, body: Any, command: str
) -> None:
    """The cluster is the authority. Any account gets the command, because in a cluster none has the role."""
    store.set("feeds:table", json.dumps(example("feeds-table", 2)))
    got = client.post(f"/api/feeds/nifty/{action}", json=body, headers=user)
    assert (got.status_code, got.json["code"]) == (409, "cluster_is_authority")
    assert got.json["command"] == f"kubectl --namespace market {command}"
    assert got.json["command"] in got.json["detail"]
    assert store.llen("feeds:requests") == 0


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"replicas": None}, {"replicas": -1}, {"replicas": 1001}, {"replicas": "2"}),
        *({"replicas": True}, {"mode": "manual"}, {"mode": "Manual", "replica": 2}, [], "x"),
    ],
)
def test_bad_input_is_refused_with_one_message(client: Any, table: str, store: Any, body: Any) -> None:
    """Nothing reaches the local run."""
    got = client.post(SCALE, json=body, headers=headers_of("operator"))
    assert (got.status_code, got.json["code"]) == (400, "bad_input")
    assert got.json["detail"]
    assert store.llen("feeds:requests") == 0


@pytest.mark.parametrize("name", ["Nifty", "-a", "a" * 41, "a%2Fb", "a%0A"])
def test_a_name_that_no_feed_can_have_is_refused(client: Any, table: str, store: Any, name: str) -> None:
    """The name goes into a command to copy, so it must be a DNS label."""
    got = client.post(f"/api/feeds/{name}/pause", headers=headers_of("operator"))
    assert got.status_code in (400, 404)
    assert store.llen("feeds:requests") == 0


def test_a_local_run_that_does_not_reply_is_a_timeout(client: Any, table: str, store: Any) -> None:
    """The request expires, so that a local run that continues later ignores it. The list is bounded."""
    for _ in range(25):
        store.rpush("feeds:requests", "{}")
    got = client.post(SCALE, json={"replicas": 2}, headers=headers_of("operator"))
    assert (got.status_code, got.json["code"]) == (504, "operator_timeout")
    assert store.llen("feeds:requests") == 20
    assert 0 < store.ttl("feeds:requests") <= 30


def test_redis_that_ends_during_a_change_is_an_answer(gateway: Any, tmp_path: Any) -> None:
    """A change whose Redis is gone is unavailable, not an internal error."""
    with RedisServer(tmp_path / "redis") as own:
        client = gateway.client(redis_url=own.url())
        with redis.Redis.from_url(own.url()) as store:
            store.set("feeds:table", json.dumps(example("feeds-table")))
            answers: list[Any] = []
            asked = threading.Thread(
                target=lambda: answers.append(
                    client.post(SCALE, json={"replicas": 2}, headers=headers_of("operator"))
                )
            )
            asked.start()
            assert store.blpop(["feeds:requests"], timeout=20)
        own.kill()
        asked.join()
    assert (answers[0].status_code, answers[0].json["code"]) == (503, "feeds_unavailable")
