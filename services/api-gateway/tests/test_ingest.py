"""POST /api/ingest/{feed}: messages of another program reach the stream of an external feed."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Semaphore
from typing import Any

import pytest
import redis
from devcluster.processes.stores import RedisServer
from tests.support.contracts import example, validator
from tests.support.tokens import headers_of

from api_gateway import ingest
from api_gateway.ingest_lines import MAX_LINES

PATH = "/api/ingest/mine"
NDJSON = {"Content-Type": "application/x-ndjson"}


def now_ns() -> int:
    return time.time_ns()


def tick(seq: int = 1, **changes: Any) -> dict[str, Any]:
    """A valid tick of now."""
    now = now_ns()
    return {
        **example("market-underlying", 2),
        "feed": "mine",
        "product": "SPY",
        "mid": f"7:{seq}",
        "ts": now,
        "sent_ts": now,
        "truth": None,
        **changes,
    }


def lines(*messages: Any) -> bytes:
    return b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in messages)


def publish(store: Any) -> None:
    """Write what the operator writes of the external feed `mine` of SPY, and of the replay `nifty`."""
    table = example("feeds-table")
    mine = {**table["feeds"][0], "name": "mine", "source": "external", "products": ["SPY"]}
    store.set("feeds:table", json.dumps({**table, "feeds": [table["feeds"][0], mine]}))
    store.hset("feeds:external", "mine", json.dumps({"products": ["SPY"]}))


@pytest.fixture
def store(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_url) as made:
        publish(made)
        yield made


@pytest.fixture
def writer(gateway: Any, store: Any) -> Any:
    return gateway.client()


def push(client: Any, *messages: Any, path: str = PATH, **headers: str) -> Any:
    return client.post(path, data=lines(*messages), headers={**headers_of("ingest"), **NDJSON, **headers})


def results(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [line["result"] for line in answer.json["lines"]]


def bodies(store: Any) -> list[bytes]:
    return [fields[b"body"] for _, fields in store.xrange("feed:mine")]


def test_a_line_becomes_an_entry_of_the_stream_unchanged(writer: Any, store: Any) -> None:
    """The enrichers read the same bytes as the program wrote, with kind and trace context beside them."""
    quote = example("market-option_quote")
    chain = example("market-option_chain")
    messages = [{**one, "feed": "mine", "product": "SPY"} for one in (tick(), chain)]
    symbol = quote["symbol"].replace("NIFTY", "SPY")
    messages.append({**quote, "feed": "mine", "product": "SPY", "symbol": symbol})
    for seq, message in enumerate(messages, start=1):
        message |= {"mid": f"7:{seq}", "replay": 0, "ts": now_ns(), "sent_ts": now_ns()}
    given = [b"  " + lines(messages[0]) + b"\r", *(lines(one) for one in messages[1:])]
    answer = push(writer, *given)
    assert results(answer) == ["accepted"] * 3
    assert {name: answer.json[name] for name in ("feed", "accepted", "repeated", "refused")} == {
        "feed": "mine", "accepted": 3, "repeated": 0, "refused": 0,
    }  # fmt: skip
    assert bodies(store) == [one.strip() for one in given]
    for (_, fields), message in zip(store.xrange("feed:mine"), messages, strict=True):
        entry = {name.decode(): value.decode() for name, value in fields.items()}
        validator("stream-entry").validate(entry)
        assert entry["kind"] == message["kind"]


def test_an_array_is_taken_like_lines(writer: Any, store: Any) -> None:
    """A program that has JSON and not NDJSON needs no conversion. A line is then a place in the array."""
    answer = writer.post(PATH, json=[tick(1), tick(2, price=-1), tick(3)], headers=headers_of("ingest"))
    assert results(answer) == ["accepted", "refused", "accepted"]
    assert [json.loads(body)["mid"] for body in bodies(store)] == ["7:1", "7:3"]


def test_a_message_is_accepted_once_however_often_it_is_sent(writer: Any, store: Any) -> None:
    """Also when the enrichers have stored it and deleted it from the stream, and within one request."""
    first, second = tick(1), tick(2)
    assert results(push(writer, first, second, first)) == ["accepted", "accepted", "repeated"]
    store.xtrim("feed:mine", maxlen=0)
    assert results(push(writer, first, second, tick(3))) == ["repeated", "repeated", "accepted"]
    assert [json.loads(body)["mid"] for body in bodies(store)] == ["7:3"]


def test_another_message_with_a_known_mid_is_refused(writer: Any, store: Any) -> None:
    """Answered as `repeated` it would be lost unnoticed. A retry may have a new sent_ts."""
    first = tick(1, price=600.0)
    other = {**first, "price": 601.0}
    answer = push(writer, first, other, {**first, "sent_ts": first["sent_ts"] + 1})
    assert results(answer) == ["accepted", "refused", "repeated"]
    line = answer.json["lines"][1]
    assert (line["mid"], line["reason"], line["field"]) == ("7:1", "inconsistent", "mid")
    assert answer.json["refused"] == 1
    assert results(push(writer, other)) == ["refused"]
    assert len(bodies(store)) == 1


def test_each_feed_has_mids_of_its_own(writer: Any, store: Any) -> None:
    """Two programs of different feeds may use the same numbers."""
    store.hset("feeds:external", "second", json.dumps({"products": ["SPY"]}))
    assert results(push(writer, tick(1))) == ["accepted"]
    assert results(push(writer, tick(1, feed="second"), path="/api/ingest/second")) == ["accepted"]


def test_a_message_that_redis_cannot_append_is_not_remembered(writer: Any, store: Any) -> None:
    """A program beside Redis may give an entry the last id of all. A retry is then no repetition."""
    store.xadd("feed:mine", {"body": "{}"}, id="18446744073709551615-18446744073709551615")
    for _ in range(2):
        got = push(writer, tick(1))
        assert (got.status_code, got.json["code"]) == (503, "stream_unavailable")
        assert "last id" in got.json["detail"]
    store.delete("feed:mine")
    assert results(push(writer, tick(1))) == ["accepted"]


def test_of_many_simultaneous_pushes_some_are_sent_away(
    writer: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise one program with many connections would keep every thread of the gateway busy."""
    read, reading, free = ingest.checked, Semaphore(0), Event()

    def slowly(*given: Any, **named: Any) -> Any:
        reading.release()
        assert free.wait(30)
        return read(*given, **named)

    monkeypatch.setattr(ingest, "checked", slowly)
    with ThreadPoolExecutor(ingest.AT_A_TIME) as pool:
        served = [pool.submit(push, writer, tick(seq)) for seq in range(1, ingest.AT_A_TIME + 1)]
        try:
            for _ in served:
                assert reading.acquire(timeout=30)
            got = push(writer, tick(99))
            assert (got.status_code, got.json["code"], got.headers["Retry-After"]) == (
                429,
                "back_pressure",
                "1",
            )
        finally:
            free.set()
        assert [results(one.result()) for one in served] == [["accepted"]] * ingest.AT_A_TIME
    assert results(push(writer, tick(99))) == ["accepted"]


def test_of_simultaneous_retries_one_appends(gateway: Any, store: Any) -> None:
    """A call that timed out may be sent again, to another gateway, while the first is still being served."""
    batch = [tick(seq) for seq in range(1, 601)]
    gateways = [gateway.client(), gateway.client()]
    with ThreadPoolExecutor(ingest.AT_A_TIME) as pool:
        answers = list(
            pool.map(lambda number: push(gateways[number % 2], *batch).json, range(ingest.AT_A_TIME))
        )
    assert sum(answer["accepted"] for answer in answers) == 600
    assert sum(answer["repeated"] for answer in answers) == (ingest.AT_A_TIME - 1) * 600
    assert sorted(json.loads(body)["mid"] for body in bodies(store)) == sorted(one["mid"] for one in batch)


def test_the_remembered_mids_are_bounded_and_the_newest_are_known(writer: Any, store: Any) -> None:
    """At least as many of the newest mids as a full set has are known, and at most twice as many are kept."""
    append = store.register_script((Path(ingest.__file__).with_name("lua") / "append_new.lua").read_text())
    keys = ["feed:mine", "feed:mine:pushed", "feed:mine:pushed:older"]
    for seq in range(1, 36):
        assert append(keys, [10, 60, "", f"7:{seq}", "0", "underlying", b"{}"]) == [1]
    kept = store.hlen(keys[1]) + store.hlen(keys[2])
    assert 10 <= kept < 20
    newest = [part for seq in range(26, 36) for part in (f"7:{seq}", "0", "underlying", b"{}")]
    assert append(keys, [10, 60, "", *newest]) == [0] * 10
    assert 0 < store.ttl(keys[1]) <= 60
    assert 0 < store.ttl(keys[2]) <= 60


REFUSED: list[tuple[Callable[[], Any], str, str | None]] = [
    (lambda: tick(price="x"), "schema", "price"),
    (lambda: tick(price=0), "schema", "price"),
    (lambda: tick(colour="red"), "schema", "colour"),
    (lambda: {name: value for name, value in tick().items() if name != "ts"}, "schema", "ts"),
    (lambda: tick(truth={"volatility": "x"}), "schema", "truth.volatility"),
    (lambda: tick(kind="weather"), "schema", "kind"),
    (lambda: tick(mid="0:1"), "schema", "mid"),
    (lambda: tick(feed="nifty"), "inconsistent", "feed"),
    (lambda: tick(product="NIFTY"), "inconsistent", "product"),
    (lambda: tick(ts=now_ns() - 3600 * 10**9), "clock_skew", "ts"),
    (lambda: tick(replay=1), "inconsistent", "replay"),
    (lambda: lines(tick())[:-1] + b', "price": 2}', "inconsistent", "price"),
    (lambda: lines(tick()).replace(b"51234.55", b"NaN"), "not_finite", None),
    (lambda: b"{", "not_json", None),
    (lambda: b"\xff", "not_json", None),
    (lambda: b"[" * 100_000, "schema", None),
    (lambda: b'{"kind":"underlying","truth":' + b'{"a":' * 50_000, "schema", "truth.a"),
    (lambda: b"1", "schema", None),
]


@pytest.mark.parametrize(("message", "reason", "field"), REFUSED, ids=range(len(REFUSED)))
def test_a_message_that_breaks_a_rule_is_refused_alone(
    writer: Any, store: Any, message: Callable[[], Any], reason: str, field: str | None
) -> None:
    """The line names field, rule and fix. The others of the request are appended."""
    answer = push(writer, tick(1), b"", message(), tick(2))
    assert results(answer) == ["accepted", "refused", "accepted"]
    line = answer.json["lines"][1]
    assert (line["line"], line["reason"], line["field"]) == (3, reason, field)
    assert line["detail"]
    assert line["fix"]
    assert answer.json["refused"] == 1
    assert len(bodies(store)) == 2


def test_a_refusal_repeats_nothing_of_the_message_but_its_mid(writer: Any) -> None:
    """A message may contain what must not be in a log."""
    answer = push(writer, tick(17, price="hunter2"))
    assert answer.json["lines"][0]["mid"] == "7:17"
    assert "hunter2" not in answer.text


def test_a_feed_is_looked_up_by_its_name(writer: Any, store: Any) -> None:
    """The limits of the feeds table, 200 feeds and 100 products of each, do not apply to pushes."""
    table = example("feeds-table")
    store.set("feeds:table", json.dumps({**table, "omitted": 1}))
    products = [f"P{number}" for number in range(101)]
    store.hset("feeds:external", "the-201st", json.dumps({"products": products}))
    tick_of = [tick(seq, feed="the-201st", product=name) for seq, name in enumerate(("P100", "P101"), 1)]
    answer = push(writer, *tick_of, path="/api/ingest/the-201st")
    assert results(answer) == ["accepted", "refused"]
    assert answer.json["lines"][1]["field"] == "product"


def test_a_feed_that_the_operator_may_not_write_is_503(writer: Any, store: Any) -> None:
    """An operator with an older ACL publishes the table only."""
    store.delete("feeds:external")
    got = push(writer, tick())
    assert (got.status_code, got.json["code"]) == (503, "feeds_unavailable")
    assert "feeds:external" in got.json["detail"]


@pytest.mark.parametrize("anonymous", [False, True])
def test_only_the_role_ingest_may_push(gateway: Any, store: Any, user: Any, anonymous: bool) -> None:
    """Neither anonymous reads nor another role include it."""
    client = gateway.client(anonymous_read=anonymous)
    assert client.post(PATH, data=lines(tick()), headers=NDJSON).status_code == 401
    for headers in (user, headers_of("operator")):
        got = client.post(PATH, data=lines(tick()), headers={**NDJSON, **headers})
        assert (got.status_code, got.json["code"]) == (403, "ingest_role_needed")
    assert store.exists("feed:mine") == 0


@pytest.mark.parametrize(
    ("feed", "status", "code"),
    [("other", 404, "unknown_feed"), ("nifty", 409, "feed_not_external"), ("Mine", 400, "bad_input")],
)
def test_a_feed_that_takes_no_messages_is_named(
    writer: Any, store: Any, feed: str, status: int, code: str
) -> None:
    """A replay's or a synthetic market's own messages are not mixed with others."""
    got = push(writer, tick(feed=feed), path=f"/api/ingest/{feed}")
    assert (got.status_code, got.json["code"]) == (status, code)
    assert store.exists(f"feed:{feed}") == 0


def test_an_operator_that_is_away_does_not_stop_the_market(gateway: Any, store: Any) -> None:
    """The external feeds have no TTL. A push to any other feed is 503, because nothing is known of it."""
    store.delete("feeds:table")
    assert results(push(gateway.client(), tick(1))) == ["accepted"]
    got = push(gateway.client(), tick(1, feed="other"), path="/api/ingest/other")
    assert (got.status_code, got.json["code"]) == (503, "feeds_unavailable")


def test_a_backlog_at_the_high_water_mark_is_429_until_it_is_processed(gateway: Any, store: Any) -> None:
    """Unread and unacknowledged entries count. Nothing is appended, so that a retry loses nothing."""
    client = gateway.client(ingest_high_water=3)
    assert results(push(client, tick(1), tick(2), tick(3))) == ["accepted"] * 3
    got = push(client, tick(4))
    assert (got.status_code, got.json["code"], got.headers["Retry-After"]) == (429, "back_pressure", "2")
    store.xgroup_create("feed:mine", "enricher", id="0")
    ((_, entries),) = store.xreadgroup("enricher", "w", {"feed:mine": ">"}, count=2)
    assert push(client, tick(4)).status_code == 429
    store.xack("feed:mine", "enricher", entries[0][0])
    assert results(push(client, tick(4))) == ["accepted"]


@pytest.mark.parametrize("share", [0.85, 2.0])
def test_a_redis_that_is_nearly_or_quite_full_is_429(gateway: Any, tmp_path: Path, share: float) -> None:
    """All feeds share the memory. With `noeviction` a full Redis refuses the script as a whole."""
    with RedisServer(tmp_path / "redis") as own, redis.Redis.from_url(own.url()) as store:
        publish(store)
        client = gateway.client(redis_url=own.url())
        first = tick(1)
        assert results(push(client, first)) == ["accepted"]
        used = store.info("memory")["used_memory"]
        store.config_set("maxmemory-policy", "noeviction")
        store.config_set("maxmemory", int(used / share))
        got = push(client, tick(2))
        assert (got.status_code, got.json["code"]) == (429, "back_pressure")
        assert int(got.headers["Retry-After"]) > 0
        store.config_set("maxmemory", 0)
        assert results(push(client, first, tick(2))) == ["repeated", "accepted"]


def test_a_redis_that_is_gone_is_503_and_a_retry_is_harmless(gateway: Any, tmp_path: Path) -> None:
    """The answer says so, because some messages may have been appended."""
    with RedisServer(tmp_path / "redis") as own, redis.Redis.from_url(own.url()) as store:
        publish(store)
        client = gateway.client(redis_url=own.url())
        assert results(push(client, tick(1))) == ["accepted"]
        own.kill()
        got = push(client, tick(2))
        assert (got.status_code, got.json["code"]) == (503, "stream_unavailable")
        assert "repeated" in got.json["detail"]
        assert got.headers["Retry-After"]


def test_a_body_has_at_most_1_mib_and_only_on_this_route(writer: Any, user: Any, store: Any) -> None:
    """Other routes keep their limit of 64 KiB."""
    room = ingest.MAX_BODY_BYTES - len(lines(tick()))
    assert results(push(writer, lines(tick()) + b" " * room)) == ["accepted"]
    got = push(writer, lines(tick(2)) + b" " * (room + 1))
    assert (got.status_code, got.json["code"]) == (413, "body_too_large")
    large = {"email": "x" * (64 << 10)}
    assert writer.post("/api/auth/login", json=large).status_code == 413


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", {}, 400, "bad_input"),
        (b"\n \n", {}, 400, "bad_input"),
        (b"{}\n" * (MAX_LINES + 1), {}, 400, "bad_input"),
        (b"\n" * MAX_LINES + b"{}", {}, 400, "bad_input"),
        (b"[]", {"Content-Type": "application/json"}, 400, "bad_input"),
        (b"{}", {"Content-Type": "application/json"}, 400, "bad_input"),
        (b"[{}", {"Content-Type": "application/json"}, 400, "bad_input"),
        (b"[" * 500_000, {"Content-Type": "application/json"}, 400, "bad_input"),
        (b"[1" + b",1" * MAX_LINES + b"]", {"Content-Type": "application/json"}, 400, "bad_input"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        (b"{}", {"Content-Type": ""}, 415, "unsupported_media_type"),
        (gzip.compress(b"{}", mtime=0), {"Content-Encoding": "gzip"}, 415, "unsupported_media_type"),
    ],
)
def test_a_body_that_is_no_list_of_messages_is_refused_as_a_whole(
    writer: Any, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    """The detail says what to send."""
    got = writer.post(PATH, data=body, headers={**headers_of("ingest"), **NDJSON, **headers})
    assert (got.status_code, got.json["code"]) == (status, code)
    assert got.json["detail"]


@pytest.mark.parametrize("path", ["/api/ingest", "/api/ingest/", f"{PATH}/"])
def test_a_wrong_path_is_404_and_not_a_wrong_type(writer: Any, path: str) -> None:
    """The type is right, so an answer about the type would mislead."""
    assert push(writer, tick(1), path=path).status_code == 404


def test_pushes_have_a_limit_of_their_own(gateway: Any, store: Any, user: Any) -> None:
    """They do not use up the reads of the account."""
    client = gateway.client(rate_limit_per_minute=1, ingest_rate_limit_per_minute=2)
    answers = [push(client, tick(seq)).status_code for seq in (1, 2, 3)]
    assert answers == [200, 200, 429]
    assert client.get("/api/feeds", headers=headers_of("ingest")).status_code == 200
