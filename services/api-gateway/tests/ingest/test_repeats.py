"""A message that a program pushes again is appended once: the newest mids of each feed are remembered."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.support.pushes import bodies, push, results, tick

from api_gateway import ingest


class Clock:
    """The gateway's clock, for pushes only: tokens keep the real time."""

    ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made, connect = Clock(), ingest.connect

    def with_clock(*given: Any) -> ingest.Ingest:
        taken = connect(*given)
        taken.clock = made
        return taken

    monkeypatch.setattr(ingest, "connect", with_clock)
    return made


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


def test_a_message_that_is_sent_again_after_an_outage_is_repeated(
    clock: Clock, writer: Any, store: Any
) -> None:
    """Its event is too old by then. Only a mid that is not remembered is compared with the clock."""
    sent = [tick(seq) for seq in range(1, 4)]
    assert results(push(writer, *sent[:2])) == ["accepted"] * 2
    clock.ahead_s = 301
    answer = push(writer, *sent, {**sent[1], "price": 601.0}, sent[2])
    assert results(answer) == ["repeated", "repeated", "refused", "refused", "refused"]
    assert [(line["reason"], line["field"]) for line in answer.json["lines"][2:]] == [
        ("clock_skew", "ts"),
        ("inconsistent", "mid"),
        ("clock_skew", "ts"),
    ]
    assert (answer.json["repeated"], answer.json["refused"]) == (2, 3)
    assert [json.loads(body)["mid"] for body in bodies(store)] == ["7:1", "7:2"]


def test_a_late_message_is_repeated_only_while_its_mid_is_remembered(
    clock: Clock, writer: Any, store: Any
) -> None:
    """An hour after the last push into the feed the mids expire."""
    sent = tick(1)
    assert results(push(writer, sent)) == ["accepted"]
    assert 3590 < store.ttl("feed:mine:pushed") <= 3600
    clock.ahead_s = 301
    assert results(push(writer, sent)) == ["repeated"]
    store.delete("feed:mine:pushed")
    for _ in range(2):  # a refusal does not remember the mid
        assert results(push(writer, sent)) == ["refused"]


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


def test_of_simultaneous_retries_one_appends(gateway: Any, store: Any) -> None:
    """A call that timed out may be sent again, to another gateway, while the first is still being served."""
    batch = [tick(seq) for seq in range(1, 601)]
    gateways = [gateway.client() for _ in range(4)]
    with ThreadPoolExecutor(len(gateways)) as pool:
        answers = list(pool.map(lambda client: push(client, *batch).json, gateways))
    assert sum(answer["accepted"] for answer in answers) == 600
    assert sum(answer["repeated"] for answer in answers) == (len(gateways) - 1) * 600
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
