"""Fixtures: auth's app with real stores and a clock that the test controls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from argon2 import PasswordHasher
from pymongo import MongoClient
from werkzeug.test import Client

from auth.bootstrap import create_app
from auth.config import Settings

SECRET = "w7Xo2c9Qz4Lr8Vt1Bn6Hk3Md5Fg0Js-unit"
EMAIL, PASSWORD = "trader@example.com", "correct horse 7 staple"


class Clock:
    """A clock in epoch seconds that the test sets. It starts at the real time, which token verifiers use."""

    def __init__(self) -> None:
        self.at = time.time()

    def __call__(self) -> float:
        return self.at


class Counting(PasswordHasher):
    """Argon2id with the smallest parameters; counts the verifications."""

    def __init__(self, **changes: Any) -> None:
        super().__init__(**{"time_cost": 1, "memory_cost": 8, "parallelism": 1, **changes})
        self.verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Any:
        self.verified += 1
        return super().verify(hash, password)


class Auth:
    """Creates apps on one MongoDB and one Redis."""

    def __init__(self, mongo_url: str, redis_url: str) -> None:
        self.mongo_url, self.redis_url = mongo_url, redis_url
        self.clock, self.hasher = Clock(), Counting()
        self.mongo: MongoClient[dict[str, Any]] = MongoClient(mongo_url, tz_aware=True)
        self.db = self.mongo["deltastream"]

    def client(self, **settings: Any) -> Client:
        hasher = settings.pop("hasher", self.hasher)
        defaults = {"mongo_url": self.mongo_url, "redis_url": self.redis_url, "jwt_secret": SECRET}
        app = create_app(Settings(**{**defaults, **settings}), clock=self.clock, hasher=hasher)

        def with_address(environ: dict[str, Any], start_response: Any) -> Any:
            environ.setdefault("REMOTE_ADDR", "127.0.0.1")  # as a real server does
            return app(environ, start_response)

        return Client(with_address)


@pytest.fixture
def auth(mongo_url: str, redis_url: str) -> Iterator[Auth]:
    made = Auth(mongo_url, redis_url)
    made.db["users"].create_index("email", unique=True)  # as storage's migrate does
    yield made
    made.mongo.close()


@pytest.fixture
def client(auth: Auth) -> Client:
    return auth.client()


@pytest.fixture
def account() -> dict[str, str]:
    return {"email": EMAIL, "password": PASSWORD}


@pytest.fixture
def session(client: Client, account: dict[str, str]) -> dict[str, Any]:
    """The response of /register for `account`."""
    got = client.post("/register", json=account)
    assert got.status_code == 201, got.text
    answer: dict[str, Any] = got.json
    return answer


@pytest.fixture
def counting() -> Callable[..., Counting]:
    return Counting
