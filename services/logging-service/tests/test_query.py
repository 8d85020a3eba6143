"""Queries: the results of GET /logs."""

from __future__ import annotations

from typing import Any

import pytest

TIMES = ("2026-11-24T10:00:00Z", "2026-11-24T11:00:00Z", "2026-11-24T12:00:00Z")


@pytest.fixture
def filled(service: Any) -> Any:
    """The service with three stored lines; the last one is the newest."""
    rows = (("storage", "debug", "a.b"), ("storage", "error", "axb"), ("auth", "warning", "(c"))
    assert service.add(
        [
            {"service": name, "level": level, "message": text, "timestamp": at, "request_id": f"r{text[0]}"}
            for (name, level, text), at in zip(rows, TIMES, strict=True)
        ]
    ).json == {"accepted": 3}
    return service


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["(c", "axb", "a.b"]),
        ({"service": "storage"}, ["axb", "a.b"]),
        ({"level": "warning"}, ["(c", "axb"]),
        ({"level": "critical"}, []),
        ({"since": TIMES[1]}, ["(c", "axb"]),
        ({"until": "2026-11-24T12:00:00+01:00"}, ["axb", "a.b"]),
        ({"since": TIMES[1], "until": "2026-11-24T11:00:00"}, ["axb"]),
        ({"request_id": "ra"}, ["axb", "a.b"]),
        ({"q": "a.b"}, ["a.b"]),
        ({"q": "("}, ["(c"]),
        ({"limit": 1}, ["(c"]),
        ({"limit": 0}, ["(c"]),
        ({"limit": 99999}, ["(c", "axb", "a.b"]),
        ({"service": ""}, ["(c", "axb", "a.b"]),
    ],
)
def test_a_filter_gives_the_newest_first(filled: Any, query: dict[str, Any], expected: list[str]) -> None:
    """`level` is the minimum severity, `q` a literal substring, and `limit` is clamped to 1..1000."""
    assert filled.messages(**query) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("service", "A B"),
        ("level", "loud"),
        ("since", "yesterday"),
        ("until", "0001-01-01T00:00:00+14:00"),
        ("q", "x" * 201),
        ("request_id", "x" * 65),
        ("limit", "many"),
        ("sevrice", "auth"),
        ("level[$ne]", "info"),
    ],
)
def test_a_bad_parameter_is_named(service: Any, name: str, value: str) -> None:
    """400 names an invalid or unknown parameter: a wrong result of an ignored filter would look right."""
    got = service.find(**{name: value})
    assert (got.status_code, got.json["code"], got.json["errors"][0]["field"]) == (400, "bad_input", name)


def test_a_parameter_given_twice_is_refused(service: Any) -> None:
    """A reader could expect either value."""
    got = service.find(level=["error", "debug"])
    assert (got.status_code, got.json["errors"][0]) == (
        400,
        {"field": "level", "rule": "must be given once"},
    )


def test_times_and_ids_are_text_in_a_response(filled: Any) -> None:
    """Times are RFC 3339 and ids hex in a response."""
    line = filled.find(limit=1).json["logs"][0]
    assert line["timestamp"] == TIMES[2]
    assert len(line["_id"]) == 24
