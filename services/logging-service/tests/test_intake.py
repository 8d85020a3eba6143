"""Intake: which lines are accepted, refused and stored, and what is redacted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.contracts import example, shown, validator
from tests.support.problems import assert_problem

LINE = {"service": "worker-enricher", "level": "info", "message": "started"}


def test_a_stored_line_matches_the_contract(service: Any, db: Any) -> None:
    """A line is stored with its time of arrival, which is also its timestamp if the sender gave none."""
    assert service.add(LINE).json == {"accepted": 1}
    golden = {k: v for k, v in example("document-logs").items() if k not in ("_id", "received_at")}
    got = service.add(golden)
    assert (got.status_code, got.json) == (202, {"accepted": 1})
    first, second = db["logs"].find()
    for stored in (first, second):
        validator("document-logs").validate(shown(stored))
    assert first["timestamp"] == first["received_at"]
    assert second["timestamp"] == datetime(2026, 11, 24, 19, 20, tzinfo=UTC)


def test_all_lines_of_a_list_are_stored(service: Any, db: Any) -> None:
    """A request may contain 100 lines, and all are stored."""
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
def test_an_invalid_line_is_named_and_nothing_is_stored(
    service: Any, db: Any, field: str, value: object
) -> None:
    """400 names index and field of the invalid line, and no line of the request is stored."""
    got = service.add([LINE, {**LINE, field: value}])
    assert (got.status_code, got.json["code"]) == (400, "bad_input")
    assert {one["field"] for one in got.json["errors"]} == {f"1.{field}"}
    assert db["logs"].count_documents({}) == 0


@pytest.mark.parametrize("body", [[], [LINE] * 101, "text", 5])
def test_a_body_is_a_line_or_a_list(service: Any, body: Any) -> None:
    """A body that is not one line or a list of 1 to 100 lines gets 400."""
    got = service.add(body)
    assert (got.status_code, got.json["code"]) == (400, "bad_input")


@pytest.mark.parametrize(
    ("data", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "bad_input"),
        (b"[" * 200_000, "application/json", 400, "bad_input"),
        (b"[" * 1000 + b"]" * 1000, "application/json", 400, "bad_input"),
        (
            b'{"service": "a", "level": "info", "level": "error", "message": "m"}',
            "application/json",
            400,
            "bad_input",
        ),
        (b'{"message": "\xff"}', "application/json", 400, "bad_input"),
        (b"x" * (256 << 10) + b"x", "application/json", 413, "body_too_large"),
        (b"x", "text/plain", 415, "unsupported_media_type"),
    ],
)
def test_an_unreadable_body_gets_a_problem(
    service: Any, data: bytes, kind: str, status: int, code: str
) -> None:
    """A body that is too large, not JSON or of another type gets a 4xx problem."""
    got = service.client.post("/logs", data=data, content_type=kind, headers=service.bearer)
    assert_problem(got, status, code)


def test_obvious_secrets_are_redacted(service: Any, db: Any) -> None:
    """Values under secret-looking keys are redacted before storage, at any depth."""
    hidden = ("password", "Token", "access_token", "Authorization", "client_secret", "api_key", "apiKey")
    context = {name: f"hush-{name}" for name in hidden} | {"user": {"list": [{"passwd": "hush"}]}, "n": 1}
    assert service.add({**LINE, "context": context}).status_code == 202
    stored = db["logs"].find_one()["context"]
    assert "hush" not in str(stored)
    assert stored["password"] == "[redacted]"
    assert stored["n"] == 1


def test_dollars_and_dots_in_keys_are_stored_as_text(service: Any) -> None:
    """Dollars and dots in a context's keys are stored as plain text, not as operators or paths."""
    context = {"$where": "1", "a.b": {"$gt": ""}}
    assert service.add({**LINE, "context": context}).status_code == 202
    assert service.find().json["logs"][0]["context"] == context


def test_control_characters_are_escaped_in_responses(service: Any) -> None:
    """Control characters are escaped in responses, so no line can imitate another or move a cursor."""
    service.add({**LINE, "message": "a\n\x1b[2Jb"})
    got = service.find()
    assert b"a\\n\\u001b[2Jb" in got.data
    assert got.json["logs"][0]["message"] == "a\n\x1b[2Jb"


@pytest.mark.parametrize("state", ["missing", "not capped"])
def test_without_a_capped_collection_nothing_is_written(service: Any, db: Any, state: str) -> None:
    """Without a capped collection the service is not ready, and POST gets 503 and stores nothing."""
    db["logs"].drop()
    if state == "not capped":
        db.create_collection("logs")
    got = service.add(LINE)
    assert (got.status_code, got.json["code"], got.headers["Retry-After"]) == (503, "store_unavailable", "1")
    assert service.client.get("/readyz").status_code == 503
    assert db["logs"].count_documents({}) == 0


def test_with_the_collection_it_is_ready(service: Any) -> None:
    """The service is ready if the collection exists. The probe needs no token."""
    assert service.client.get("/readyz").json["checks"] == {"mongo": "ok"}
