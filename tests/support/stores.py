"""Pytest plugin (see `addopts`) with real stores: one Redis and one mongod per session, with passwords.

The fixtures `redis_url` and `mongo_url` give a test an empty store. A test that stops or kills Redis uses
`own_redis`. A test that needs another store of its own uses `with MongoServer(home) as server`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from devcluster.processes.stores import MongoServer, RedisServer
from pymongo import MongoClient


@pytest.fixture(scope="session")
def _stores_home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="deltastream-stores-", ignore_cleanup_errors=True) as home:
        yield Path(home)


@pytest.fixture(scope="session")
def _redis_server(_stores_home: Path) -> Iterator[RedisServer]:
    with RedisServer(_stores_home / "redis") as server:
        yield server


@pytest.fixture(scope="session")
def _mongo_server(_stores_home: Path) -> Iterator[MongoServer]:
    with MongoServer(_stores_home / "mongo") as server:
        yield server


@pytest.fixture
def redis_url(_redis_server: RedisServer) -> str:
    """URL of database 0 of an empty Redis: all databases are flushed and the statistics are reset."""
    with redis.Redis.from_url(_redis_server.url()) as client:
        client.flushall()
        client.config_resetstat()
    return _redis_server.url()


@pytest.fixture
def mongo_url(_mongo_server: MongoServer) -> str:
    """URL of an empty database `deltastream`."""
    with MongoClient(_mongo_server.url) as client:
        client.drop_database("deltastream")
    return _mongo_server.url


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis for one test, which may kill, stop and start it."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture(autouse=True)
def _no_inherited_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the developer's own settings, so that they do not affect a test."""
    for name in ("REDIS_URL", "MONGO_URL", "JWT_SECRET", "CELERY_BROKER_URL", "ANONYMOUS_READ"):
        monkeypatch.delenv(name, raising=False)
