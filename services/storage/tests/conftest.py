"""The real app on a real MongoDB; tokens signed by a key that a small real HTTP server publishes."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from bson.binary import Binary
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pymongo import MongoClient
from pymongo.database import Database
from tests.support.contracts import example, validator
from werkzeug.test import Client, TestResponse

from storage import bootstrap
from storage.config import Settings
from storage.migrate import migrate

KEY = Ed25519PrivateKey.generate()
DATES = ("timestamp", "processed_at", "start", "updated_at", "created_at", "expires_at", "received_at")
RAW = ("underlying_ticks", "option_quotes", "option_chains")


def signed(audience: str = "storage", *, lifetime_s: int = 600) -> str:
    """An access token as auth makes it for a service."""
    now = int(time.time())
    claims = {
        "iss": "deltastream-auth",
        "aud": audience,
        "sub": "service:analytics",
        "jti": uuid.uuid4().hex,
        "iat": now,
        "exp": now + lifetime_s,
    }
    validator("token-claims").validate(claims)
    return jwt.encode(claims, KEY, algorithm="EdDSA", headers={"kid": "k1"})


@pytest.fixture(scope="session")
def auth_url() -> Iterator[str]:
    """A server that publishes the test key at /.well-known/jwks.json."""
    jwk = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(KEY.public_key()))
    body = json.dumps({"keys": [{**jwk, "kid": "k1", "use": "sig", "alg": "EdDSA"}]}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/.well-known/jwks.json" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def settings(mongo_url: str, auth_url: str) -> Settings:
    return Settings(mongo_url=mongo_url, auth_url=auth_url)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database[dict[str, Any]]]:
    """The migrated, empty database."""
    with MongoClient(settings.mongo_url.get_secret_value(), tz_aware=True) as client:
        found = client.get_default_database()
        list(migrate(found, settings))
        yield found


@pytest.fixture
def make_token() -> Callable[..., str]:
    return signed


@pytest.fixture
def make_client(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Client]]:
    """The real app; keyword arguments change its settings. Its database clients are closed afterwards."""
    opened: list[MongoClient[dict[str, Any]]] = []
    connect = bootstrap.connect

    def remembering(*args: Any, **kwargs: Any) -> MongoClient[dict[str, Any]]:
        opened.append(connect(*args, **kwargs))
        return opened[-1]

    monkeypatch.setattr(bootstrap, "connect", remembering)
    yield lambda **changes: Client(bootstrap.create_app(settings.model_copy(update=changes)))
    for client in opened:
        client.close()


@pytest.fixture
def get(
    make_client: Callable[..., Client], database: Database[dict[str, Any]]
) -> Callable[..., TestResponse]:
    """GET with a good token on the migrated database."""
    client = make_client()

    def call(path: str, **query: Any) -> TestResponse:
        return client.get(path, query_string=query or None, headers={"Authorization": f"Bearer {signed()}"})

    return call


def bson(name: str, **changes: Any) -> dict[str, Any]:
    """The golden document of a collection, changed, in BSON's types."""
    document = example(f"document-{name}") | changes
    validator(f"document-{name}").validate(document)
    for field in DATES:
        if field in document:
            document[field] = datetime.fromisoformat(document[field])
    if name in RAW:
        document["_id"] = Binary(bytes.fromhex(document["_id"]))
    return document


@pytest.fixture
def make_document() -> Callable[..., dict[str, Any]]:
    return bson
