"""Access: only a token from auth with the audience `logging` is accepted."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from werkzeug.test import Client

from logging_service.bootstrap import create_app
from logging_service.config import Settings

LINE = {"service": "storage", "level": "info", "message": "x"}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("kind", ["none", "garbage", "another service's", "a person's"])
def test_other_tokens_are_refused(service: Any, auth: Any, db: Any, kind: str, method: str) -> None:
    """Missing, malformed and valid tokens with another audience get 401, and no line is stored."""
    if kind == "a person's":
        email = f"{secrets.token_hex(8)}@example.com"
        token = auth.post("/register", email=email, password="a long password")["token"]
    else:
        token = auth.token("storage") if kind == "another service's" else "x.y.z"
    headers = {} if kind == "none" else {"Authorization": f"Bearer {token}"}
    body = {"json": LINE} if method == "POST" else {}
    got = service.client.open("/logs", method=method, headers=headers, **body)
    assert (got.status_code, got.json["code"]) == (401, "unauthorized")
    assert got.headers["WWW-Authenticate"] == "Bearer"
    assert db["logs"].count_documents({}) == 0


def test_a_token_from_the_real_auth_is_accepted(service: Any) -> None:
    """End to end: a token from auth for client credentials is verified with auth's published keys."""
    assert service.add(LINE).status_code == 202
    assert service.messages() == ["x"]


def test_without_auths_keys_a_request_gets_503(mongo_url: str, bearer: Any) -> None:
    """Without auth's keys a request gets 503, not 401."""
    client = Client(create_app(Settings(mongo_url=mongo_url, auth_url="http://127.0.0.1:9")))
    got = client.get("/logs", headers=bearer)
    assert (got.status_code, got.json["code"]) == (503, "upstream_unavailable")


def test_without_mongodb_a_request_gets_503(auth: Any, bearer: Any) -> None:
    """Without MongoDB a request gets 503, and the response does not contain its address."""
    client = Client(create_app(Settings(mongo_url="mongodb://127.0.0.1:9/x", auth_url=auth.url)))
    got = client.post("/logs", json=LINE, headers=bearer)
    assert (got.status_code, got.json["code"]) == (503, "store_unavailable")
    assert "127.0.0.1" not in got.text


def test_received_messages_and_tokens_do_not_reach_the_services_own_log(service: Any, capsys: Any) -> None:
    """Neither received messages nor tokens appear in the service's own log."""
    service.add({**LINE, "message": "very private"})
    service.find(q="very private")
    output = capsys.readouterr().err
    assert "very private" not in output
    assert service.bearer["Authorization"][7:] not in output
