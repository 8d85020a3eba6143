"""Processes as workloads: started, watched, started again, stopped within their grace.

One thread drives everything through `tick()`. Threads would be a trap: PR_SET_PDEATHSIG fires when
the *thread* that forked ends, not its process.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deltastream_operator.adapters.logs import tail
from deltastream_operator.ports import Clock

FIRST_BACKOFF_S, MAX_BACKOFF_S, HEALTHY_S = 0.5, 10.0, 30.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, kw_only=True)
class Command:
    """How a process is run, and how one knows that it serves."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    ready: Callable[[], bool] = field(default=lambda: True, compare=False)
    grace_s: float = 10.0


class Process:
    """One command kept running until `stop()`."""

    def __init__(self, command: Command, clock: Clock, say: Callable[[str], None]) -> None:
        self.command, self._clock, self._say = command, clock, say
        self._child: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._start_at: float | None = clock.monotonic()
        self._kill_at: float | None = None
        self._log_from = 0
        self._backoff_s = FIRST_BACKOFF_S
        self.failures = 0  # in a row
        self.stopping = False

    @property
    def pid(self) -> int | None:
        """Its process id (and process group), or None while it does not run."""
        return self._child.pid if self._child else None

    def tick(self) -> None:
        """Notice an end, start when it is time, kill what outstays its grace."""
        now = self._clock.monotonic()
        if self._child and (status := _ended(self._child)) is not None:
            self._child = None
            if not self.stopping:
                self._again(now, _how(status), self.last_words(3))
        if self._child and self._kill_at is not None and now >= self._kill_at:
            _signal_group(self._child.pid, signal.SIGKILL)
        if not self._child and not self.stopping and self._start_at is not None and now >= self._start_at:
            self._start(now)

    def _start(self, now: float) -> None:
        command = self.command
        self._started_at, self._start_at = now, None
        try:
            self._spawn(command)
        except OSError as error:  # no log, no program, no memory
            self._again(now, f"cannot be started: {error.filename or command.argv[0]}: {error.strerror}", [])

    def _spawn(self, command: Command) -> None:
        command.log.parent.mkdir(parents=True, exist_ok=True)
        with open(command.log, "ab") as log:
            self._log_from = log.tell()
            self._child = subprocess.Popen(  # noqa: S603  # the argv comes from our own tables
                command.argv,
                env=dict(command.env),
                cwd=command.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # the terminal's Ctrl-C is ours alone: we stop in order
                preexec_fn=die_with(os.getpid()),
            )

    def _again(self, now: float, why: str, last_words: list[str]) -> None:
        if now - self._started_at >= HEALTHY_S:
            self._backoff_s, self.failures = FIRST_BACKOFF_S, 0
        self.failures += 1
        self._start_at = now + self._backoff_s
        lines = "".join(f"\n    {line}" for line in last_words)
        log = f"log {self.command.log}:{lines}"
        self._say(f"{self.command.name} {why}; starting again in {self._backoff_s:g} s; {log}")
        self._backoff_s = min(self._backoff_s * 2, MAX_BACKOFF_S)

    def last_words(self, lines: int) -> list[str]:
        """The end of its log since it was last started."""
        return tail(self.command.log, lines, self._log_from)

    def stop(self) -> None:
        """Ask it to end; `tick()` kills its group once the grace has passed."""
        self.stopping = True
        if self._child and self._kill_at is None:
            self._kill_at = self._clock.monotonic() + self.command.grace_s
            _signal_group(self._child.pid, signal.SIGTERM, whole=False)

    def kill(self) -> None:
        """End it now, with everything it started."""
        self.stopping, self._kill_at = True, self._clock.monotonic()

    def ready(self) -> bool:
        """Whether it runs and serves."""
        return self._child is not None and self.command.ready()


class Supervisor:
    """All processes, by name."""

    def __init__(self, clock: Clock, say: Callable[[str], None]) -> None:
        self._clock, self._say = clock, say
        self.processes: dict[str, Process] = {}

    def start(self, command: Command) -> None:
        """Want this command running. The same command twice is one process."""
        known = self.processes.get(command.name)
        if known and not known.stopping:
            if known.command == command:
                return
            raise ValueError(f"{command.name} runs with another command: stop it first")
        self.processes[command.name] = Process(command, self._clock, self._say)
        self.processes[command.name].tick()

    def tick(self) -> None:
        """One look at every process."""
        for name, process in list(self.processes.items()):
            process.tick()
            if process.stopping and process.pid is None:
                del self.processes[name]

    def stop(self, names: Iterable[str], pause: Callable[[], object]) -> None:
        """Stop these side by side and return when none runs; `pause()` waits a little."""
        names = [name for name in names if name in self.processes]
        for name in names:
            self.processes[name].stop()
        self.tick()
        while any(name in self.processes for name in names):
            pause()
            self.tick()

    def kill_all(self) -> None:
        """Grace is over for everything."""
        for process in self.processes.values():
            process.kill()


def _how(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    return f"was killed by {signal.Signals(-status).name}"


def _ended(child: subprocess.Popen[bytes]) -> int | None:
    # NB: the group is killed while its dead leader is still a zombie, so that its number cannot belong
    # to anyone else yet; only then it is reaped.
    with contextlib.suppress(ChildProcessError):
        if not os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return None
    _signal_group(child.pid, signal.SIGKILL)
    return child.wait()


def _signal_group(pid: int, how: signal.Signals, *, whole: bool = True) -> None:
    # TERM goes to the leader only: gunicorn and Celery tell their children themselves, in order.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, how) if whole else os.kill(pid, how)


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with(parent: int) -> Callable[[], None]:
    """For the child, before exec: be killed when `parent` dies (the kernel sees to it, even on kill -9)."""

    def arrange() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it died before the line above
                os._exit(1)

    return arrange


def started_at(pid: int) -> str | None:
    """When the process began, as text that tells two owners of one pid apart; None if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return None if fields[0] in "ZX" else f"{boot} {fields[19]}"


def recorded(record: Mapping[str, object]) -> dict[str, tuple[int, str]]:
    """The leaders of process groups that a record names; anything else in it is no record of ours."""
    found = {}
    for name, entry in record.items():
        match entry:
            case [int(pid), str(began)] if 1 < pid < 2**31 and _leads(pid):
                found[name] = pid, began
    return found


def _leads(pid: int) -> bool:
    # We start each process as the leader of a group of its own; never our own group.
    with contextlib.suppress(OSError):
        return os.getpgid(pid) == pid != os.getpgrp()
    return False


def kill_leftovers(recorded: Mapping[str, tuple[int, str]], within_s: float = 10) -> list[str]:
    """Kill the groups of a planner that is no more, if they still are who they were; names of those found."""
    found = {name: pid for name, (pid, began) in recorded.items() if started_at(pid) == began}
    for pid in found.values():
        with contextlib.suppress(PermissionError):  # another user's by now
            _signal_group(pid, signal.SIGKILL)
    deadline = time.monotonic() + within_s
    while any(started_at(pid) for pid in found.values()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return sorted(found)
