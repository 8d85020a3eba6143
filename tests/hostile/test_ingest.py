"""Hostile writers at POST /api/ingest/{feed}: no answer is a 500, and memory is bounded."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from devcluster.processes.http_process import HttpProcess
from devcluster.processes.http_services import http_services
from devcluster.processes.stores import MongoServer, RedisServer
from devcluster.waiting import wait_until
from pymongo import MongoClient

from tests.hostile.http_attacks import answer, chunked, held, json_bodies, post, witness
from tests.support.contracts import example

PATH = "/api/ingest/mine"
MIB = 1 << 20
ACCOUNT = {"email": "writer@example.com", "password": "correct horse 7 staple"}


@dataclass(frozen=True)
class Writer:
    """A gateway with the external feed `mine`, and the header of an account that may push."""

    gateway: HttpProcess
    bearer: str
    store: Any


@pytest.fixture(scope="module")
def writer(
    tmp_path_factory: pytest.TempPathFactory, _redis_server: RedisServer, _mongo_server: MongoServer
) -> Iterator[Writer]:
    with MongoClient[dict[str, Any]](_mongo_server.url) as mongo:
        mongo.drop_database("deltastream")  # earlier tests may have left data
        mongo["deltastream"]["users"].create_index("email", unique=True)
    home = tmp_path_factory.mktemp("ingest")
    url = _redis_server.url()
    with (
        redis.Redis.from_url(url) as store,
        http_services(home, url, _mongo_server.url, FIRST_ACCOUNT_IS_OPERATOR="true") as services,
    ):
        table = example("feeds-table")
        row = {**table["feeds"][0], "name": "mine", "source": "external", "products": ["SPY"]}
        store.set("feeds:table", json.dumps({**table, "feeds": [row]}))
        store.hset("feeds:external", "mine", json.dumps({"products": row["products"]}))
        gateway = services["api-gateway"]
        body = json.dumps(ACCOUNT).encode()
        made = answer(gateway.port, post("/api/auth/register", f"Content-Length: {len(body)}", body=body))
        yield Writer(gateway, f"Authorization: Bearer {json.loads(made.body)['token']}", store)


def tick(seq: int) -> bytes:
    now = time.time_ns()
    message = {**example("market-underlying", 2), "feed": "mine", "product": "SPY", "mid": f"7:{seq}"}
    return json.dumps({**message, "ts": now, "sent_ts": now}).encode()


def push(writer: Writer, body: bytes, kind: str = "application/x-ndjson", source: str | None = None) -> Any:
    head = post(PATH, writer.bearer, f"Content-Length: {len(body)}", body=body)
    return answer(writer.gateway.port, head.replace(b"application/json", kind.encode(), 1), source=source)


def test_a_body_over_1_mib_is_refused_before_it_is_read(writer: Writer) -> None:
    """With a length and in chunks, with a token and without."""
    for bearer in (writer.bearer, "X: y"):
        for data in (
            post(PATH, bearer, f"Content-Length: {MIB + 1}"),
            post(PATH, bearer, "Expect: 100-continue", "Content-Length: 99999999"),
            chunked(PATH, b"200000\r\n" + b"x" * (MIB + 1)),
        ):
            got = answer(writer.gateway.port, data)
            assert got.status == 413
            assert f"longer than {MIB} bytes" in json.loads(got.body)["detail"]


def test_half_bodies_take_bounded_memory_and_others_are_served(writer: Writer) -> None:
    """All connections together may hold 64 MiB. The server closes the largest to make room.

    The allocator may keep what it was given once, so a second attack must find the same bound.
    """
    port = writer.gateway.port
    (worker,) = psutil.Process(writer.gateway.process.pid).children()
    before, files = worker.memory_full_info().uss, worker.num_fds()
    for _ in range(2):
        with held(port, post(PATH, f"Content-Length: {MIB}", body=b" " * (MIB - 1)), 120):
            assert witness(port, "/livez") > 0
            assert worker.memory_full_info().uss < before + 2 * (64 * MIB)
        wait_until(lambda: worker.num_fds() <= files + 2, "the connections are closed")


def test_slow_bodies_of_one_client_leave_room_for_the_push_of_another(writer: Writer) -> None:
    """They take almost all of the 64 MiB. The client that has most makes room, not the largest body."""
    slow = post(PATH, writer.bearer, f"Content-Length: {MIB}", body=b" " * (MIB // 2))
    with held(writer.gateway.port, slow, 127):
        for seq in range(50, 55):
            got = push(writer, tick(seq) + b" " * (MIB - 1000), source="127.0.0.2")
            assert (got.status, json.loads(got.body)["accepted"]) == (200, 1)
    writer.store.delete("feed:mine")  # the next test counts its messages


def test_bodies_that_may_break_a_parser_are_refused_line_by_line(writer: Writer) -> None:
    """Deep nesting, repeated members, other encodings: the valid message beside them is appended."""
    made = {**json_bodies(), "repeated member": tick(1)[:-1] + b',"price":1}', "all brackets": b"[" * MIB}
    del made["empty"], made["UTF-16"]  # a body of one empty line; a text with newlines of its own
    for seq, (kind, body) in enumerate(made.items(), start=100):
        room = body[: MIB - 1000]
        got = push(writer, tick(seq) + b"\n" + room)
        assert got.status == 200, (kind, got)
        assert [line["result"] for line in json.loads(got.body)["lines"]] == ["accepted", "refused"], kind
        got = push(writer, b"[" + tick(seq) + b"," + room + b"]", "application/json")
        assert got.status in (200, 400), (kind, got)
    entries = [json.loads(fields[b"body"])["mid"] for _, fields in writer.store.xrange("feed:mine")]
    assert entries == [f"7:{seq}" for seq in range(100, 100 + len(made))]


def test_the_answer_to_many_wrong_lines_is_bounded(writer: Writer) -> None:
    """An answer has a line for each message, so the number of lines is limited."""
    got = push(writer, b"{}\n" * 10_000)
    assert (got.status, json.loads(got.body)["refused"]) == (200, 10_000)
    assert len(got.body) < 4 * MIB
    assert push(writer, b"{}\n" * 10_001).status == 400
    assert push(writer, b"\n" * (MIB - 1)).status == 400


def test_no_log_holds_what_was_pushed(writer: Writer) -> None:
    """Messages belong to the feed's owner, and the token to the account."""
    push(writer, tick(1)[:-1] + b',"s3cret-of-the-feed":1}')
    push(writer, b"s3cret-of-the-feed")
    log = Path(writer.gateway.log).read_text()
    assert "s3cret-of-the-feed" not in log
    assert writer.bearer.split()[-1] not in log
    assert "Traceback" not in log
