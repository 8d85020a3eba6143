"""What is taken, what is refused, and what is stored of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.contracts import example, shown, validator
from tests.support.problems import assert_problem

LINE = {"service": "worker-enricher", "level": "info", "message": "started"}


def test_a_line_is_stored_by_the_contract(service: Any, db: Any) -> None:
    """With a time of arrival, and the sender's or the same as its time."""
    assert service.add(LINE).json == {"accepted": 1}
    golden = {k: v for k, v in example("document-logs").items() if k not in ("_id", "received_at")}
    got = service.add(golden)
    assert (got.status_code, got.json) == (202, {"accepted": 1})
    first, second = db["logs"].find()
    for stored in (first, second):
        validator("document-logs").validate(shown(stored))
    assert first["timestamp"] == first["received_at"]
    assert second["timestamp"] == datetime(2026, 11, 24, 19, 20, tzinfo=UTC)


def test_a_list_is_stored_whole(service: Any, db: Any) -> None:
    """Up to 100 lines in a request."""
    assert service.add([LINE] * 100).json == {"accepted": 100}
    assert db["logs"].count_documents({}) == 100


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("service", "Has Spaces"),
        ("service", "line\n"),
        ("level", "fatal"),
        ("message", "x" * 4097),
        ("message", 5),
        ("context", {str(n): n for n in range(33)}),
        ("context", {"long": "x" * 8192}),
        ("context", {"big": 2**63}),
        ("context", [1]),
        ("context", {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}),
        ("context", {"nul\0": 1}),
        ("request_id", "x" * 65),
        ("timestamp", "yesterday"),
        ("timestamp", 5),
        ("other", "unknown member"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_stored(service: Any, db: Any, field: str, value: object) -> None:
    """400 names index and field; the good line before it is not stored either."""
    got = service.add([LINE, {**LINE, field: value}])
    assert (got.status_code, got.json["code"]) == (400, "bad_input")
    assert {one["field"] for one in got.json["errors"]} == {f"1.{field}"}
    assert db["logs"].count_documents({}) == 0


@pytest.mark.parametrize("body", [[], [LINE] * 101, "text", 5])
def test_a_body_is_a_line_or_a_list(service: Any, body: Any) -> None:
    """Nothing else, and no more than 100."""
    got = service.add(body)
    assert (got.status_code, got.json["code"]) == (400, "bad_input")


@pytest.mark.parametrize(
    ("data", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "bad_input"),
        (b"[" * 200_000, "application/json", 400, "bad_input"),
        (b'{"message": "\xff"}', "application/json", 400, "bad_input"),
        (b"x" * (256 << 10) + b"x", "application/json", 413, "body_too_large"),
        (b"x", "text/plain", 415, "unsupported_media_type"),
    ],
)
def test_a_body_that_is_none_is_a_problem(
    service: Any, data: bytes, kind: str, status: int, code: str
) -> None:
    """Bounded before it is read, and never a 500."""
    got = service.client.post("/logs", data=data, content_type=kind, headers=service.bearer)
    assert_problem(got, status, code)


def test_obvious_secrets_are_redacted(service: Any, db: Any) -> None:
    """By the key's name, at any depth, before they are stored."""
    hidden = ("password", "Token", "access_token", "Authorization", "client_secret", "api_key", "apiKey")
    context = {name: f"hush-{name}" for name in hidden} | {"user": {"list": [{"passwd": "hush"}]}, "n": 1}
    assert service.add({**LINE, "context": context}).status_code == 202
    stored = db["logs"].find_one()["context"]
    assert "hush" not in str(stored)
    assert stored["password"] == "[redacted]"
    assert stored["n"] == 1


def test_keys_that_mongo_reads_otherwise_are_only_keys(service: Any) -> None:
    """A dollar or a dot in a context's key is text."""
    context = {"$where": "1", "a.b": {"$gt": ""}}
    assert service.add({**LINE, "context": context}).status_code == 202
    assert service.find().json["logs"][0]["context"] == context


def test_control_characters_leave_escaped(service: Any) -> None:
    """No line can forge another, or move a terminal's cursor."""
    service.add({**LINE, "message": "a\n\x1b[2Jb"})
    got = service.find()
    assert b"a\\n\\u001b[2Jb" in got.data
    assert got.json["logs"][0]["message"] == "a\n\x1b[2Jb"


@pytest.mark.parametrize("state", ["missing", "not capped"])
def test_without_a_capped_collection_nothing_is_written(service: Any, db: Any, state: str) -> None:
    """Readiness fails and intake says 503, rather than to grow a collection without bound."""
    db["logs"].drop()
    if state == "not capped":
        db.create_collection("logs")
    got = service.add(LINE)
    assert (got.status_code, got.json["code"], got.headers["Retry-After"]) == (503, "store_unavailable", "1")
    assert service.client.get("/readyz").status_code == 503
    assert db["logs"].count_documents({}) == 0


def test_with_the_collection_it_is_ready(service: Any) -> None:
    """The probe needs no token."""
    assert service.client.get("/readyz").json["checks"] == {"mongo": "ok"}
