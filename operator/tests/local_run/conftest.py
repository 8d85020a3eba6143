"""Fixtures that start a local run as a child process, with fake services, real stores and its own home."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from devcluster.ports import free_port
from devcluster.waiting import wait_until

from deltastream_operator.local.services import TABLE
from deltastream_operator.local.settings import HTTP_PORTS

REPO = Path(__file__).resolve().parents[3]
FAKE = Path(__file__).with_name("fake_service.py")
FEED = """
apiVersion: deltastream.dev/v1alpha1
kind: DeltaStreamFeed
metadata: {name: tiny}
spec:
  products: [NIFTY, SPY]
  source: {synthetic: {seed: 1}}
  generator: {minReplicas: 2, maxReplicas: 2}
  enricher: {replicas: 1}
"""


def _gone(pid: int) -> bool:
    """Return whether the process has ended. It may also end during the check."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def gone() -> Callable[[int], bool]:
    """Return the function that tells whether the process with a pid has ended."""
    return _gone


class LocalRun:
    """Runs `python -m deltastream_operator local` and remembers the pids of all its processes."""

    def __init__(self, home: Path, **env: str) -> None:
        self.home, self.state, self.notes = home, home / "state", home / "notes"
        self.feed = home / "tiny.yaml"
        self.feed.write_text(FEED)
        self.notes.touch()
        self.ports = {variable: str(free_port()) for variable, _ in HTTP_PORTS.values()}
        self.env = {
            **os.environ,
            **self.ports,
            "DELTASTREAM_HOME": str(self.state),
            "PYTHONPATH": str(REPO / "operator"),
            **env,
        }
        rows = {kind: [".", [sys.executable, str(FAKE), kind, str(self.notes)], 5] for kind in TABLE}
        self.table = home / "table.json"
        self.table.write_text(json.dumps(rows))
        self.seen: set[int] = set()
        self.process: subprocess.Popen[str] | None = None

    def command(self, *words: str) -> list[str]:
        """Return a command line of the operator with these arguments."""
        return [sys.executable, "-m", "deltastream_operator", *words]

    def local(self, command: str = "local") -> list[str]:
        """Return the command line of `local` or `start` for this home, with its feed and fake services."""
        return self.command(command, "--feeds", str(self.feed), "--services", str(self.table))

    def start(self) -> None:
        """Start the local run and wait until it reports that all processes are ready."""
        self.output = self.home / "output"
        (self.state / "run/ready").unlink(missing_ok=True)  # a killed local run leaves this file
        with open(self.output, "a") as out:
            self.process = subprocess.Popen(
                self.local(), env=self.env, cwd=self.home, stdout=out, stderr=out, text=True
            )
        wait_until(lambda: self.ready() or self.process.poll() is not None, "the local run is ready")  # type: ignore[union-attr]
        assert self.ready(), self.output.read_text()
        self.pids()

    def ready(self) -> bool:
        return (self.state / "run/ready").exists()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the environment of this home and return its result."""
        return subprocess.run(
            list(words), env=self.env, cwd=self.home, capture_output=True, text=True, timeout=100, check=False
        )

    def pids(self) -> dict[str, int]:
        """Return the running processes: pid by name. All pids are remembered for `alive`."""
        try:
            recorded = json.loads((self.state / "run/processes.json").read_text())
        except (OSError, ValueError):
            return {}
        found = {name: int(pid) for name, (pid, _) in recorded.items()}
        self.seen |= set(found.values())
        return found

    def restarted(self, name: str, old: int) -> bool:
        """Return whether `name` runs as another process than the one with pid `old`."""
        now = self.pids().get(name, old)
        return now != old and psutil.pid_exists(now)

    def alive(self) -> list[int]:
        """Return the remembered pids whose processes still run."""
        return [pid for pid in self.seen if not _gone(pid)]

    def end(self, how: signal.Signals) -> int:
        """Send the local run a signal and return its exit status."""
        assert self.process
        self.pids()
        self.process.send_signal(how)
        return self.process.wait(timeout=60)

    def clean_up(self) -> None:
        """Stop the local run and its processes if a failed test left them running."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
        deadline = time.monotonic() + 10
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.05)


@pytest.fixture
def local_run(tmp_path: Path) -> Iterator[LocalRun]:
    """Return a local run that is not started yet."""
    local_run = LocalRun(tmp_path)
    yield local_run
    local_run.clean_up()
