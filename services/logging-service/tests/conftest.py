"""Fixtures: the logging service's app with a real MongoDB and a real auth service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from devcluster.processes.http_process import HttpProcess, gunicorn
from devcluster.waiting import wait_until
from pymongo import MongoClient
from werkzeug.test import Client

from logging_service.bootstrap import create_app
from logging_service.config import Settings

AUTH = Path(__file__).parents[2] / "auth"
CLIENT = {"secret": "secret-of-the-gateway-1", "audiences": ["logging", "storage"]}


class AuthService:
    """auth as a process, with methods to get tokens."""

    def __init__(self, process: HttpProcess) -> None:
        self._process, self.url = process, process.url

    def post(self, path: str, **body: str) -> Any:
        status, answer = self._process.post(path, body)
        assert status in (200, 201), answer
        return json.loads(answer)

    def token(self, audience: str) -> str:
        grant = {"grant_type": "client_credentials", "client_id": "api-gateway", "audience": audience}
        answer = self.post("/token", client_secret=str(CLIENT["secret"]), **grant)
        return str(answer["access_token"])


@pytest.fixture(scope="module")
def auth(tmp_path_factory: Any, _mongo_server: Any, _redis_server: Any) -> Iterator[AuthService]:
    home = tmp_path_factory.mktemp("auth")
    (home / "clients.json").write_text(json.dumps({"api-gateway": CLIENT}))
    settings = {
        "MONGO_URL": _mongo_server.url,
        "REDIS_URL": _redis_server.url(),
        "JWT_SECRET": "w7Xo2c9Qz4Lr8Vt1Bn6Hk3Md5Fg0Js-unit",
        "SERVICE_CLIENTS_FILE": str(home / "clients.json"),
    }
    with gunicorn(AUTH, home / "auth.log", **settings) as process:
        wait_until(lambda: process.get("/livez")[0] == 200, "auth answers")
        yield AuthService(process)


@pytest.fixture(scope="module")
def bearer(auth: AuthService) -> dict[str, str]:
    """The Authorization header of a client that may call the logging service."""
    return {"Authorization": f"Bearer {auth.token('logging')}"}


@pytest.fixture
def db(mongo_url: str) -> Iterator[Any]:
    """The database with the capped collection that storage's migrate creates."""
    with MongoClient(mongo_url, tz_aware=True) as mongo:
        mongo["deltastream"].create_collection("logs", capped=True, size=1 << 20)
        yield mongo["deltastream"]


class Service:
    """The app, called with the token of a service client."""

    def __init__(self, client: Client, bearer: dict[str, str]) -> None:
        self.client, self.bearer = client, bearer

    def add(self, body: Any) -> Any:
        return self.client.post("/logs", json=body, headers=self.bearer)

    def find(self, **query: object) -> Any:
        return self.client.get("/logs", query_string=query, headers=self.bearer)

    def messages(self, **query: object) -> list[str]:
        got = self.find(**query)
        assert got.status_code == 200, got.text
        return [line["message"] for line in got.json["logs"]]


@pytest.fixture
def service(auth: AuthService, bearer: dict[str, str], db: Any, mongo_url: str) -> Service:
    return Service(Client(create_app(Settings(mongo_url=mongo_url, auth_url=auth.url))), bearer)
