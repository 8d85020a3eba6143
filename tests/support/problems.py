"""Check the error responses of services."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse


def assert_problem(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Assert that the response is a problem (RFC 9457) with the request's id. Returns its body."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json", answer.content_type
    body: dict[str, Any] = answer.json
    assert set(body) >= {"type", "title", "status", "detail", "code", "request_id"}, body
    assert (body["status"], body["code"]) == (status, code), body
    assert body["request_id"] == answer.headers["X-Request-ID"], body
    return body
