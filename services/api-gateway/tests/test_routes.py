"""Routes: each forwards exactly the caller's input to its upstream, and refuses invalid input."""

from __future__ import annotations

import json
from typing import Any

import pytest

ROUTES = [
    ("/api/data/products", "storage", "/products"),
    ("/api/data/underlying/NIFTY", "storage", "/underlying/NIFTY"),
    ("/api/data/chain/NIFTY", "storage", "/option/chain/NIFTY"),
    ("/api/data/expiries/NIFTY", "storage", "/expiries/NIFTY"),
    ("/api/data/quote/NIFTY20240627C23500", "storage", "/option/quote/NIFTY20240627C23500"),
    ("/api/analytics/pcr/NIFTY", "analytics", "/pcr/NIFTY"),
    ("/api/analytics/volatility-surface/NIFTY", "analytics", "/volatility-surface/NIFTY"),
    ("/api/analytics/max-pain/NIFTY?expiry=2024-06-27", "analytics", "/max-pain/NIFTY?expiry=2024-06-27"),
    ("/api/analytics/oi-buildup/NIFTY?expiry=2024-06-27", "analytics", "/oi-buildup/NIFTY?expiry=2024-06-27"),
    ("/api/analytics/ohlc/NIFTY?window=15", "analytics", "/ohlc/NIFTY?window=15"),
]


@pytest.mark.parametrize(("path", "service", "target"), ROUTES)
def test_a_read_returns_the_upstreams_body_unchanged(
    gateway: Any, client: Any, user: Any, path: str, service: str, target: str
) -> None:
    """A read returns the upstream's body unchanged, byte for byte."""
    stub = getattr(gateway, service)
    got = client.get(path, headers=user)
    assert got.status_code == 200, got.text
    assert got.data == stub.answers[target.partition("?")[0]][2]
    assert [one.target for one in stub.seen] == [target]


@pytest.mark.parametrize(
    ("query", "passed"),
    [
        ("underlying/NIFTY?limit=5", "limit=5"),
        ("underlying/NIFTY?limit=5000", "limit=5000"),  # storage clamps it
        ("underlying/NIFTY?start=2024-06-21T09:15:00", "start=2024-06-21T09%3A15%3A00Z"),
        ("underlying/NIFTY?end=2024-06-21T14:45:00%2B05:30", "end=2024-06-21T09%3A15%3A00Z"),
        ("chain/NIFTY?expiry=2024-06-27&limit=1", "expiry=2024-06-27&limit=1"),
        ("chain/NIFTY?expiry=&limit=1", "limit=1"),
        ("quote/NIFTY20240627C23500?limit=2", "limit=2"),
    ],
)
def test_query_parameters_are_forwarded(
    gateway: Any, client: Any, user: Any, query: str, passed: str
) -> None:
    """Query parameters are forwarded in canonical form (the original drops them); absent ones stay absent."""
    assert client.get(f"/api/data/{query}", headers=user).status_code == 200
    assert gateway.storage.seen[0].target.partition("?")[2] == passed


def test_a_boolean_is_accepted_in_any_case(gateway: Any, client: Any, user: Any) -> None:
    """A boolean is accepted in any case: `history=True` means true."""
    client.get("/api/analytics/pcr/NIFTY?history=True&expiry=2024-06-27", headers=user)
    assert gateway.analytics.seen[0].target == "/pcr/NIFTY?expiry=2024-06-27&history=true"


def test_a_path_value_is_percent_encoded_for_the_upstream(gateway: Any, client: Any, user: Any) -> None:
    """A path value is encoded for the upstream: `&` in symbols such as M&M must not become a delimiter."""
    assert client.get("/api/data/underlying/M%26M", headers=user).json["product"] == "M&M"
    assert gateway.storage.seen[0].target == "/underlying/M%26M"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/data/underlying/nifty", "product"),
        ("/api/data/underlying/NIFTY%0A", "product"),
        ("/api/data/underlying/..%3Fx", "product"),
        ("/api/data/underlying/NIFTY?limit=ten", "limit"),
        ("/api/data/underlying/NIFTY?start=yesterday", "start"),
        ("/api/data/underlying/NIFTY?start=0001-01-01T00:00:00%2B10:00", "start"),
        ("/api/data/underlying/NIFTY?limt=5", "limt"),
        ("/api/data/underlying/NIFTY?limit=5&limit=1000", "limit"),
        ("/api/analytics/ohlc/NIFTY?window=&window=15", "window"),
        ("/api/data/quote/NIFTY", "symbol"),
        ("/api/data/chain/NIFTY?expiry=2024-02-30", "expiry"),
        ("/api/data/chain/NIFTY?expiry=27-06-2024", "expiry"),
        ("/api/analytics/max-pain/NIFTY", "expiry"),
        ("/api/analytics/pcr/NIFTY?history=perhaps", "history"),
        ("/api/analytics/ohlc/NIFTY?window=7", "window"),
    ],
)
def test_invalid_input_is_refused_with_the_name_of_the_parameter(
    gateway: Any, client: Any, user: Any, path: str, field: str
) -> None:
    """Invalid input gets 400 with the name of the parameter, and no upstream is called."""
    got = client.get(path, headers=user)
    assert (got.status_code, got.content_type) == (400, "application/problem+json")
    assert got.json["code"] == "bad_input"
    assert [one["field"] for one in got.json["errors"]] == [field]
    assert not gateway.storage.seen
    assert not gateway.analytics.seen


@pytest.mark.parametrize("action", ["register", "login", "refresh", "logout", "verify"])
def test_an_account_call_reaches_auth(gateway: Any, client: Any, user: Any, action: str) -> None:
    """Body and bearer token are forwarded to auth, the only service that may receive them."""
    body = {"email": "test@example.com", "password": "test123", "refresh_token": "r1"}
    got = client.post(f"/api/auth/{action}", json=body, headers=user)
    assert got.status_code == (201 if action == "register" else 200)
    assert got.data == gateway.auth.answers[f"/{action}"][2]
    assert got.headers["Cache-Control"] == "no-store"
    (seen,) = gateway.auth.seen
    assert (seen.method, seen.target) == ("POST", f"/{action}")
    assert seen.headers["Authorization"] == user["Authorization"]
    assert seen.headers["X-Forwarded-For"] == "127.0.0.1"
    expected = {"refresh": {"refresh_token"}, "logout": {"refresh_token"}, "verify": set()}
    assert set(json.loads(seen.body or b"{}")) == expected.get(action, {"email", "password"})


@pytest.mark.parametrize("action", ["refresh", "logout"])
def test_the_original_refresh_without_a_body_reaches_auth(gateway: Any, client: Any, action: str) -> None:
    """Clients of the original send only a bearer token; the gateway forwards this and auth decides."""
    assert client.post(f"/api/auth/{action}").status_code == 200
    assert gateway.auth.seen[0].body == b"{}"


@pytest.mark.parametrize(
    ("body", "kind", "status", "field"),
    [
        (b'{"email": "a@b.c"}', "application/json", 400, "password"),
        (b'{"email": 1, "password": "x"}', "application/json", 400, "email"),
        (b"", "application/json", 400, "body"),
        (b"[1]", "application/json", 400, "body"),
        (b"{", "application/json", 400, None),
        (b"[" * 60000, "application/json", 400, None),
        (b'{"email": NaN}', "application/json", 400, None),
        (b"email=x", "application/x-www-form-urlencoded", 415, None),
        (b"x" * 65537, "application/json", 413, None),
    ],
)
def test_an_invalid_body_is_refused(
    gateway: Any, client: Any, body: bytes, kind: str, status: int, field: str | None
) -> None:
    """An invalid body gets a 4xx problem and is not forwarded to auth."""
    got = client.post("/api/auth/login", data=body, content_type=kind)
    assert (got.status_code, got.json["status"]) == (status, status)
    assert field is None or [one["field"] for one in got.json["errors"]] == [field]
    assert not gateway.auth.seen


def test_a_long_query_is_refused(client: Any, user: Any) -> None:
    """A query string over 2 KiB gets 414: no route needs more."""
    got = client.get("/api/data/products?x=" + "y" * 2048, headers=user)
    assert (got.status_code, got.json["code"]) == (414, "query_too_long")


def test_an_unknown_path_or_method_gets_a_problem(client: Any) -> None:
    """404 and 405 are problems like every other error."""
    assert client.get("/nothing").json["code"] == "not_found"
    got = client.get("/api/auth/login")
    assert (got.status_code, got.json["code"]) == (405, "method_not_allowed")
    assert "POST" in got.headers["Allow"]
