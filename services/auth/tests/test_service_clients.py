"""Service clients: each token has one audience."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from tests.support.contracts import validator

from auth.config import load

SECRET = "secret-of-the-gateway-1"
JWT_SECRET = "w7Xo2c9Qz4Lr8Vt1Bn6Hk3Md5Fg0Js-unit"


@pytest.fixture
def service(auth: Any) -> Any:
    """An app with the service client api-gateway, which may call only storage."""
    return auth.client(
        service_clients=json.dumps({"api-gateway": {"secret": SECRET, "audiences": ["storage"]}})
    )


def ask(client: Any, **changes: str) -> Any:
    form = {
        "grant_type": "client_credentials",
        "client_id": "api-gateway",
        "client_secret": SECRET,
        "audience": "storage",
    }
    return client.post("/token", json={**form, **changes})


def test_a_client_gets_a_token_of_its_audience(service: Any) -> None:
    """A service client gets a signed token for its audience; the subject names the client."""
    got = ask(service)
    assert (got.status_code, got.json["token_type"], got.json["expires_in"]) == (200, "Bearer", 600)
    (jwk,) = service.get("/.well-known/jwks.json").json["keys"]
    claims = jwt.decode(got.json["access_token"], jwt.PyJWK(jwk).key, ["EdDSA"], audience="storage")
    validator("token-claims").validate(claims)
    assert claims["sub"] == "service:api-gateway"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"audience": "logging"}, 403, "audience_refused"),
        ({"audience": "deltastream-api"}, 400, "bad_input"),
        ({"grant_type": "password"}, 400, "bad_input"),
    ],
)
def test_a_token_for_users_or_for_another_service_is_refused(
    service: Any, changes: dict[str, str], status: int, code: str
) -> None:
    """A service client gets no token for users or for a service that it may not call."""
    got = ask(service, **changes)
    assert (got.status_code, got.json["code"]) == (status, code)


def test_an_unknown_client_looks_like_a_wrong_secret(service: Any) -> None:
    """An unknown client gets the same response as a wrong secret."""
    first, second = ask(service, client_secret="wrong").json, ask(service, client_id="nobody").json
    assert {**first, "request_id": ""} == {**second, "request_id": ""}


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{",
        '{"a": {"secret": "tiny-one", "audiences": ["storage"]}}',
        '{"a": {"secret": "long-enough-secret-x", "audiences": ["deltastream-api"]}}',
        '{"a": {"secret": "long-enough-secret-x", "audiences": []}}',
        '{"A!": {"secret": "long-enough-secret-x", "audiences": ["storage"]}}',
    ],
)
def test_an_invalid_clients_file_stops_the_start(
    tmp_path: Path, content: str, monkeypatch: Any, capsys: Any
) -> None:
    """An invalid file stops the start with one line per invalid variable, without secrets."""
    path = tmp_path / "clients.json"
    path.write_text(content)
    monkeypatch.setenv("JWT_SECRET", JWT_SECRET)
    monkeypatch.setenv("SERVICE_CLIENTS_FILE", str(path))
    monkeypatch.setenv("PORT", "x")
    with pytest.raises(SystemExit) as stopped:
        load()
    port, output = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 2
    assert port.startswith("PORT=")
    assert output.startswith("SERVICE_CLIENTS_FILE=(secret): ")
    assert "tiny-one" not in output
    assert "long-enough-secret-x" not in output


def test_a_missing_clients_file_stops_the_start(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    """A missing file stops the start: a service without clients would refuse all of them."""
    monkeypatch.setenv("JWT_SECRET", JWT_SECRET)
    monkeypatch.setenv("SERVICE_CLIENTS_FILE", str(tmp_path / "none.json"))
    with pytest.raises(SystemExit):
        load()
    assert capsys.readouterr().err.startswith("SERVICE_CLIENTS_FILE: must name a file that can be read")
