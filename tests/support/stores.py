"""Real stores for tests: one Redis and one mongod a session, on free ports, with passwords.

A pytest plugin (see `addopts`). `redis_url` and `mongo_url` hand a test an empty store each.
Tests that kill a Redis take `own_redis`; any other store of their own is `with MongoServer(home) as server`.
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
    """URL of db 0 of an empty Redis (all databases are flushed and the statistics reset first)."""
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
    """A Redis of the test's own, which it may kill, stop and start."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture(autouse=True)
def _no_inherited_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings must not decide whether a test passes."""
    for name in ("REDIS_URL", "MONGO_URL", "JWT_SECRET", "CELERY_BROKER_URL", "ANONYMOUS_READ"):
        monkeypatch.delenv(name, raising=False)
