"""Start the whole system as a user does: the local run in its own process, on free ports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import redis
from devcluster.ports import free_port
from devcluster.waiting import wait_until
from pymongo import MongoClient
from pymongo.database import Database

ROOT = Path(__file__).resolve().parents[2]
_RUN = ROOT / ".venv-run/bin/python"  # used by `make run`; absent in a handmade environment
PYTHON = str(_RUN) if _RUN.exists() else sys.executable
PORTS = ("API_GATEWAY", "AUTH", "SOCKET_GATEWAY", "STORAGE", "ANALYTICS", "LOGGING")
FREE_CALLS, PACE_S = 100, 0.25
"""After this number of calls in a minute, each further call waits for this time. The gateway allows
an address 600 reads a minute, and the page that a test has open needs some of them."""
DEFAULT_FEEDS = "k8s/samples/nifty-replay.yaml,k8s/samples/synthetic.yaml"


class LocalSystem:
    """One running system. The local run names its processes: `redis`, `nifty-replay-generator-0`, …"""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ports = {name: free_port() for name in PORTS}
        self._called: deque[float] = deque(maxlen=FREE_CALLS)

    def env(self) -> dict[str, str]:
        """Return the environment for starting a local run in this home."""
        return {
            **os.environ,
            **{f"{name}_PORT": str(port) for name, port in self.ports.items()},
            "DELTASTREAM_HOME": str(self.home),
            "PYTHONPATH": "operator",
        }

    def url(self, path: str, service: str = "API_GATEWAY") -> str:
        return f"http://127.0.0.1:{self.ports[service]}{path}"

    def call(self, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        """Send a GET request to the API gateway, or a POST request if there is a body.

        Returns status and decoded JSON; (0, None) if the gateway does not respond.
        """
        self._pace()
        request = urllib.request.Request(
            self.url(path),
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {}),
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())
        except OSError:
            return 0, None

    def _pace(self) -> None:
        """Let a test that polls for long stay below the limit of reads."""
        if len(self._called) == FREE_CALLS and time.monotonic() - self._called[0] < 60:
            time.sleep(PACE_S)
        self._called.append(time.monotonic())

    def get(self, path: str) -> Any:
        """Send a GET request and return the JSON. Fails the test if the status is not 200."""
        status, answer = self.call(path)
        assert status == 200, (path, status, answer)
        return answer

    def pids(self) -> dict[str, int]:
        """Return the ids of the running processes by name."""
        try:
            recorded = json.loads((self.home / "run/processes.json").read_text())
        except (OSError, ValueError):
            return {}
        return {name: int(pid) for name, (pid, _) in recorded.items()}

    def kill(self, name: str) -> None:
        """Kill one process with SIGKILL, and wait until the local run has restarted it."""
        old = self.pids()[name]
        psutil.Process(old).kill()
        wait_until(
            lambda: self.pids().get(name, old) != old and psutil.pid_exists(self.pids()[name]),
            f"{name} runs again",
        )

    def secret(self, name: str) -> str:
        return (self.home / "secrets" / name).read_text().strip()

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.secret("redis_url"), protocol=2, decode_responses=True)

    @contextmanager
    def database(self) -> Iterator[Database[dict[str, Any]]]:
        with MongoClient[dict[str, Any]](self.secret("mongo_url"), tz_aware=True) as client:
            yield client.get_default_database()


@contextmanager
def running(home: Path, feeds: str = DEFAULT_FEEDS) -> Iterator[LocalSystem]:
    """Start a system, yield it and stop it. Fails the test if the local run does not end cleanly."""
    system = LocalSystem(home)
    home.mkdir(parents=True, exist_ok=True)
    command = [PYTHON, "-m", "deltastream_operator", "local", "--feeds", feeds]
    with open(home / "local.out", "ab") as out:
        local_run = subprocess.Popen(command, cwd=ROOT, env=system.env(), stdout=out, stderr=out)
    output = home / "local.out"
    try:
        wait_until(
            lambda: (home / "run/ready").exists() or local_run.poll() is not None, "the system is ready", 110
        )
        assert local_run.poll() is None, output.read_text()
        yield system
        left = system.pids()
        local_run.terminate()
        assert local_run.wait(timeout=90) == 0, output.read_text()
        assert not [name for name, pid in left.items() if psutil.pid_exists(pid)]
    finally:
        if local_run.poll() is None:
            local_run.terminate()
            try:
                local_run.wait(timeout=60)
            except subprocess.TimeoutExpired:
                local_run.kill()
