"""Fixtures: the real app on a real MongoDB, and an HTTP server that publishes the key of the test tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from bson.binary import Binary
from pymongo import MongoClient
from pymongo.database import Database
from tests.support.contracts import example, validator
from tests.support.tokens import access_token, key_server
from werkzeug.test import Client, TestResponse

from storage import bootstrap
from storage.config import Settings
from storage.migrate import migrate

DATES = ("timestamp", "processed_at", "start", "updated_at", "created_at", "expires_at", "received_at")
RAW = ("underlying_ticks", "option_quotes", "option_chains")


@pytest.fixture(scope="session")
def auth_url() -> Iterator[str]:
    """The URL of a server that publishes the test key at /.well-known/jwks.json."""
    with key_server() as url:
        yield url


@pytest.fixture
def settings(mongo_url: str, auth_url: str) -> Settings:
    return Settings(mongo_url=mongo_url, auth_url=auth_url)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database[dict[str, Any]]]:
    """The empty database after `migrate`."""
    with MongoClient(settings.mongo_url.get_secret_value(), tz_aware=True) as client:
        found = client.get_default_database()
        list(migrate(found, settings))
        yield found


@pytest.fixture
def make_client(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Client]]:
    """Return a function that creates a client of the real app; keyword arguments change settings."""
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
    """Send a GET with a valid token, on the migrated database."""
    client = make_client()
    headers = {"Authorization": f"Bearer {access_token('storage')}"}
    return lambda path, **query: client.get(path, query_string=query or None, headers=headers)


def bson(name: str, **changes: Any) -> dict[str, Any]:
    """Return the golden document of a collection, with changes, in BSON's types."""
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
