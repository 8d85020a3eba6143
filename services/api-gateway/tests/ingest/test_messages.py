"""POST /api/ingest/{feed}: each message of a body is appended to the stream, or refused with the rule."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.contracts import validator
from tests.support.pushes import NDJSON, PATH, bodies, chain, lines, now_ns, push, quote, results, tick
from tests.support.tokens import headers_of

from api_gateway import ingest
from api_gateway.ingest_lines import MAX_LINES


def test_a_line_becomes_an_entry_of_the_stream_unchanged(writer: Any, store: Any) -> None:
    """The enrichers read the same bytes as the program wrote, with kind and trace context beside them."""
    messages = [tick(1), chain(2), quote(3)]
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


REFUSED: list[tuple[Callable[[], Any], str, str | None]] = [
    (lambda: tick(3, price="x"), "schema", "price"),
    (lambda: tick(3, price=0), "schema", "price"),
    (lambda: tick(3, colour="red"), "schema", "colour"),
    (lambda: {name: value for name, value in tick(3).items() if name != "ts"}, "schema", "ts"),
    (lambda: tick(3, truth={"volatility": "x"}), "schema", "truth.volatility"),
    (lambda: tick(3, kind="weather"), "schema", "kind"),
    (lambda: tick(3, mid="0:1"), "schema", "mid"),
    (lambda: tick(3, feed="nifty"), "inconsistent", "feed"),
    (lambda: tick(3, product="NIFTY"), "inconsistent", "product"),
    (lambda: tick(3, ts=now_ns() - 3600 * 10**9), "clock_skew", "ts"),
    (lambda: tick(3, ts=now_ns() + 3600 * 10**9), "clock_skew", "ts"),
    (lambda: tick(3, sent_ts=now_ns() + 3600 * 10**9), "inconsistent", "sent_ts"),
    (lambda: tick(3, replay=1), "inconsistent", "replay"),
    (lambda: lines(tick(3))[:-1] + b', "price": 2}', "inconsistent", "price"),
    (lambda: lines(tick(3)).replace(b"51234.55", b"NaN"), "not_finite", None),
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
