"""Only services with a token of auth for this one come in."""

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
    """The real auth service made them, for somebody else."""
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


def test_the_real_auths_token_opens(service: Any) -> None:
    """End to end: client credentials, published keys, and the copy of bearer.py that verifies."""
    assert service.add(LINE).status_code == 202
    assert service.messages() == ["x"]


def test_without_auths_keys_it_is_503(mongo_url: str, bearer: Any) -> None:
    """An outage of auth is no refusal."""
    client = Client(create_app(Settings(mongo_url=mongo_url, auth_url="http://127.0.0.1:9")))
    got = client.get("/logs", headers=bearer)
    assert (got.status_code, got.json["code"]) == (503, "upstream_unavailable")


def test_without_the_store_it_is_503(auth: Any, bearer: Any) -> None:
    """The store's address stays inside."""
    client = Client(create_app(Settings(mongo_url="mongodb://127.0.0.1:9/x", auth_url=auth.url)))
    got = client.post("/logs", json=LINE, headers=bearer)
    assert (got.status_code, got.json["code"]) == (503, "store_unavailable")
    assert "127.0.0.1" not in got.text


def test_what_is_sent_does_not_reach_our_own_logs(service: Any, capsys: Any) -> None:
    """Nor does the token."""
    service.add({**LINE, "message": "very private"})
    service.find(q="very private")
    said = capsys.readouterr().err
    assert "very private" not in said
    assert service.bearer["Authorization"][7:] not in said
