"""Test that the supervisor restarts processes and stops whole process groups."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from devcluster.waiting import wait_until
from tests.support.clock import Clock

from deltastream_operator.local.supervision import logs
from deltastream_operator.local.supervision.leftovers import kill_leftovers, started_at
from deltastream_operator.local.supervision.processes import Command, Supervisor


class Bench:
    """A supervisor with a clock that only the test advances. `messages` are its messages."""

    def __init__(self, home: Path) -> None:
        self.clock, self.messages, self.home = Clock(), list[str](), home
        self.supervisor = Supervisor(self.clock, self.messages.append)

    def start(self, code: str, name: str = "a", grace_s: float = 5) -> None:
        argv = (sys.executable, "-c", code)
        env = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"}
        self.supervisor.start(
            Command(
                name=name, argv=argv, env=env, cwd=self.home, log=self.home / f"{name}.log", grace_s=grace_s
            )
        )

    def pid(self, name: str = "a") -> int | None:
        process = self.supervisor.processes.get(name)
        return process.pid if process else None

    def tick(self) -> bool:
        self.supervisor.tick()
        return True

    def until_ended(self, name: str = "a") -> None:
        wait_until(lambda: self.tick() and self.pid(name) is None, f"{name} ended")

    def log(self, name: str = "a") -> str:
        return (self.home / f"{name}.log").read_text()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.supervisor.kill_all()
    wait_until(lambda: bench.tick() and not bench.supervisor.processes, "everything ended")


SLEEP = "import time; print('up'); time.sleep(600)"
# Starts a child in the same process group, as gunicorn and Celery do, and prints its pid.
FAMILY = (
    "import subprocess, sys, time; child = [sys.executable, '-c', 'import time; time.sleep(600)'];"
    "print(subprocess.Popen(child).pid); time.sleep(600)"
)


def test_a_killed_process_comes_back_after_the_backoff(bench: Bench) -> None:
    """Without the backoff a crash loop would use the whole machine."""
    bench.start(SLEEP)
    first = bench.pid()
    assert first
    os.kill(first, signal.SIGKILL)
    bench.until_ended()
    bench.clock.now += 0.4
    bench.tick()
    assert bench.pid() is None
    bench.clock.now += 0.2
    bench.tick()
    assert bench.pid() not in (None, first)
    assert "a was killed by SIGKILL; starting again in 0.5 s" in bench.messages[0]


def test_the_backoff_doubles_up_to_ten_seconds(bench: Bench) -> None:
    """The waits are 0.5, 1, 2, 4, 8, 10, 10 s. Each message has the last lines of the log."""
    bench.start("print('why it failed'); raise SystemExit(3)")
    for wait in (0.5, 1, 2, 4, 8, 10, 10):
        bench.until_ended()
        assert f"a ended with status 3; starting again in {wait:g} s" in bench.messages[-1]
        assert "why it failed" in bench.messages[-1]
        bench.clock.now += wait
        bench.tick()
    assert bench.supervisor.processes["a"].failures == 7


def test_thirty_seconds_of_running_reset_the_backoff(bench: Bench) -> None:
    """A process that fails once a day restarts after the shortest wait each time."""
    bench.start(SLEEP)
    for _ in range(3):
        os.kill(bench.pid() or 0, signal.SIGKILL)
        bench.until_ended()
        bench.clock.now += 10
        bench.tick()
    bench.clock.now += 31
    os.kill(bench.pid() or 0, signal.SIGKILL)
    bench.until_ended()
    assert "starting again in 0.5 s" in bench.messages[-1]


def test_the_children_of_a_dead_process_are_killed_before_it_comes_back(
    bench: Bench, gone: Callable[[int], bool]
) -> None:
    """Old and new children together would do all work twice."""
    bench.start(FAMILY)
    wait_until(lambda: bench.log().strip().isdigit(), "the child runs")
    child = int(bench.log())
    os.kill(bench.pid() or 0, signal.SIGKILL)
    bench.until_ended()
    wait_until(lambda: gone(child), "the child is gone")


def test_a_process_that_ignores_sigterm_is_killed_with_its_group_after_its_grace_period(
    bench: Bench, gone: Callable[[int], bool]
) -> None:
    """A process cannot prolong its grace period."""
    bench.start(f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {FAMILY}", grace_s=5)
    wait_until(lambda: bench.log().strip().isdigit(), "the child runs")
    pid, child = bench.pid() or 0, int(bench.log())

    def pause() -> None:
        time.sleep(0.01)
        assert bench.clock.now < 105 or gone(pid) or bench.supervisor.processes["a"].stopping
        bench.clock.now += 0.5

    bench.supervisor.stop(["a"], pause)
    assert bench.clock.now >= 105
    assert gone(pid)
    wait_until(lambda: gone(child), "the child is gone")


def test_a_stopped_process_stays_stopped(bench: Bench) -> None:
    """This includes a process that waits for its restart."""
    bench.start("raise SystemExit(1)")
    bench.until_ended()
    bench.supervisor.stop(["a"], lambda: None)
    bench.clock.now += 100
    bench.tick()
    assert bench.supervisor.processes == {}


def test_a_child_gets_only_the_environment_of_its_command(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The developer's environment variables must not reach a service."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    bench.start("import os; print(sorted(os.environ)); import time; time.sleep(600)")
    wait_until(lambda: bench.log().endswith("]\n"), "it printed its environment")
    assert "AWS" not in bench.log()


def test_leftovers_are_killed_only_if_pid_and_start_time_match() -> None:
    """Another process may have the pid now."""
    with subprocess.Popen(
        [sys.executable, "-c", SLEEP], start_new_session=True, stdout=subprocess.DEVNULL
    ) as child:
        began = started_at(child.pid)
        assert began
        assert kill_leftovers({"x": (child.pid, "another time")}) == []
        assert child.poll() is None
        assert kill_leftovers({"x": (child.pid, began), "y": (2**22 + 1, began)}) == ["x"]
        assert child.wait() == -signal.SIGKILL


def test_logs_are_bounded_while_a_process_writes_to_them(tmp_path: Path) -> None:
    """Log and rotated copy are bounded, and no new line is lost."""
    log = tmp_path / "a.log"
    with open(log, "ab", buffering=0) as writer:
        writer.write(b"old\n" * 100)
        logs.bound(tmp_path, max_bytes=300)
        writer.write(b"new\n")
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "a.log.1").read_bytes() == b"old\n" * 100
    assert logs.tail(log, 3) == ["new"]
