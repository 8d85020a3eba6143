"""Start processes, watch them, restart them and stop them within their grace period.

One thread drives everything through `tick()`. More threads would be wrong: PR_SET_PDEATHSIG takes effect when
the *thread* that forked ends, not its process.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deltastream_operator.local.supervision.logs import tail
from deltastream_operator.local.supervision.probes import Probe, Request
from deltastream_operator.ports import Clock

FIRST_BACKOFF_S, MAX_BACKOFF_S, HEALTHY_S = 0.5, 10.0, 30.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, kw_only=True)
class Command:
    """How to run a process and how to check that it serves."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    ready: Callable[[], bool] = field(default=lambda: True, compare=False)
    livez: Request | None = field(default=None, compare=False)  # None: only its end is detected
    grace_s: float = 10.0


class Process:
    """One command that is restarted until `stop()`."""

    def __init__(self, command: Command, clock: Clock, say: Callable[[str], None]) -> None:
        self.command, self._clock, self._say = command, clock, say
        self._child: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._start_at: float | None = clock.monotonic()
        self._kill_at: float | None = None
        self._log_from = 0
        self._backoff_s = FIRST_BACKOFF_S
        self.probe: Probe | None = None
        self.failures = 0  # in a row
        self.stopping = False
        self.recovering = False  # restarting after a hang, until it answers or ends on its own

    @property
    def pid(self) -> int | None:
        """Return its process id, which is also its process group, or None while it does not run."""
        return self._child.pid if self._child else None

    def tick(self) -> None:
        """Detect an end, start the process when due, and kill it after its grace period."""
        now = self._clock.monotonic()
        if self._child and (status := _ended(self._child)) is not None:
            self._child = None
            self._end_probe()
            if not self.stopping:
                ended_by_us, self._kill_at = self._kill_at is not None, None
                self.recovering = ended_by_us
                self._schedule_restart(now, _exit_text(status), self.last_lines(3), reported=ended_by_us)
        if self._child and self._kill_at is not None and now >= self._kill_at:
            _signal_group(self._child.pid, signal.SIGKILL)
        if self.probe and self._kill_at is None:
            self.probe.poll(now)
            if self.probe.life.answered_at or now - self._started_at >= HEALTHY_S:
                self.recovering = False
        if not self._child and not self.stopping and self._start_at is not None and now >= self._start_at:
            self._start(now)

    def _start(self, now: float) -> None:
        command = self.command
        self._started_at, self._start_at = now, None
        try:
            self._spawn(command)
        except OSError as error:  # no log, no program, no memory
            self._schedule_restart(
                now, f"cannot be started: {error.filename or command.argv[0]}: {error.strerror}", []
            )

    def _end_probe(self) -> None:
        if self.probe:
            self.probe.close()
            self.probe = None

    def end_hang(self) -> None:
        """End a process that does not answer. `tick()` restarts it."""
        command, request = self.command, self.command.livez
        if self._child and request and self.probe:
            rule, silence = request.rule, f"in {request.rule.start_s:g} s"
            if self.probe.life.answered_at:
                silence = f"within {rule.timeout_s:g} s, {rule.failures} times in a row"
            self._say(
                f"{command.name} hangs: no good answer to {request.what} {silence}; it is ended "
                f"(SIGTERM, SIGKILL after {command.grace_s:g} s) and started again; log {command.log}"
            )
            self.recovering = True
            self._kill_at = self._clock.monotonic() + command.grace_s
            _signal_group(self._child.pid, signal.SIGTERM, whole=False)

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
                start_new_session=True,  # Ctrl-C reaches only this process, which stops all in order
                preexec_fn=die_with(os.getpid()),
            )
        if command.livez:
            self.probe = Probe(command.livez, self._started_at)

    def _schedule_restart(
        self, now: float, why: str, last_lines: list[str], *, reported: bool = False
    ) -> None:
        if now - self._started_at >= HEALTHY_S:
            self._backoff_s, self.failures = FIRST_BACKOFF_S, 0
        self.failures += 1
        self._start_at = now + self._backoff_s
        lines = "".join(f"\n    {line}" for line in last_lines)
        log = f"log {self.command.log}:{lines}"
        if not reported:
            self._say(f"{self.command.name} {why}; starting again in {self._backoff_s:g} s; {log}")
        self._backoff_s = min(self._backoff_s * 2, MAX_BACKOFF_S)

    def last_lines(self, lines: int) -> list[str]:
        """Return the last lines of its log since its last start."""
        return tail(self.command.log, lines, self._log_from)

    def stop(self) -> None:
        """Send SIGTERM. `tick()` kills the process group after the grace period."""
        self.stopping = True
        self._end_probe()
        if self._child and self._kill_at is None:
            self._kill_at = self._clock.monotonic() + self.command.grace_s
            _signal_group(self._child.pid, signal.SIGTERM, whole=False)

    def kill(self) -> None:
        """Let the next `tick()` kill the whole process group."""
        self.stopping, self._kill_at = True, self._clock.monotonic()
        self._end_probe()

    def ready(self) -> bool:
        """Return whether it runs and serves."""
        return self._child is not None and self.command.ready()


class Supervisor:
    """All processes by name. A name has at most one process."""

    def __init__(self, clock: Clock, say: Callable[[str], None]) -> None:
        self._clock, self._say = clock, say
        self.processes: dict[str, Process] = {}
        self._all_silent = False

    def start(self, command: Command) -> None:
        """Keep this command running. Starting the same command again has no effect.

        Raises ValueError if another command runs under the name.
        """
        known = self.processes.get(command.name)
        if known and not known.stopping:
            if known.command == command:
                return
            raise ValueError(f"{command.name} runs with another command: stop it first")
        self.processes[command.name] = Process(command, self._clock, self._say)
        self.processes[command.name].tick()

    def tick(self) -> None:
        """Check every process once."""
        for name, process in list(self.processes.items()):
            process.tick()
            if process.stopping and process.pid is None:
                del self.processes[name]
        self._end_a_hang()

    def _end_a_hang(self) -> None:
        """End one process that hangs. The next one is ended only after this one answers again.

        On an overloaded machine many processes seem to hang, and restarts would increase the load. So another
        process must have answered since this one stopped answering, and only one restarts at a time.
        """
        lives = {name: process.probe.life for name, process in self.processes.items() if process.probe}
        hung = {name: life for name, life in lives.items() if life.hung}
        if not hung:
            self._all_silent = False
        if not hung or any(process.recovering for process in self.processes.values()):
            return
        since = min(life.silent_since or 0 for life in hung.values())
        if len(lives) == 1 or any((life.answered_at or 0) > since for life in lives.values()):
            self.processes[next(iter(hung))].end_hang()
        elif not self._all_silent:
            self._all_silent = True
            self._say(
                "no process answers: the machine seems overloaded; no process is restarted until one answers"
            )

    def stop(self, names: Iterable[str], pause: Callable[[], object]) -> None:
        """Stop these processes in parallel and return when none runs. `pause()` waits between two checks."""
        names = [name for name in names if name in self.processes]
        for name in names:
            self.processes[name].stop()
        self.tick()
        while any(name in self.processes for name in names):
            pause()
            self.tick()

    def kill_all(self) -> None:
        """End the grace period of all processes."""
        for process in self.processes.values():
            process.kill()


def _exit_text(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    return f"was killed by {signal.Signals(-status).name}"


def _ended(child: subprocess.Popen[bytes]) -> int | None:
    # Kill the group while its dead leader is still a zombie, because the kernel could reuse the number after
    # the leader is reaped.
    with contextlib.suppress(ChildProcessError):
        if not os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return None
    _signal_group(child.pid, signal.SIGKILL)
    return child.wait()


def _signal_group(pid: int, how: signal.Signals, *, whole: bool = True) -> None:
    # SIGTERM goes only to the leader: gunicorn and Celery stop their own children in order.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, how) if whole else os.kill(pid, how)


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with(parent: int) -> Callable[[], None]:
    """Return a function for the child to call before exec: the kernel then kills it when `parent` dies."""

    def arrange() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # the parent died before prctl
                os._exit(1)

    return arrange
