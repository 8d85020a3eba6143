"""Test that a process that runs but does not answer is restarted. Only the test advances the clock."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from devcluster.ports import free_port
from devcluster.waiting import wait_until
from tests.support.clock import Clock

from deltastream_operator.local.services import TABLE, Services, base_env
from deltastream_operator.local.settings import load
from deltastream_operator.local.state import stores
from deltastream_operator.local.state.home import Home
from deltastream_operator.local.supervision.probes import PendingRequest, livez, mongod_hello, redis_ping
from deltastream_operator.local.supervision.processes import Command, Supervisor

SERVER = Path(__file__).with_name("fake_service.py")


class Bench:
    """A supervisor of real processes with probes. `messages` are its messages."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.messages = folder, Clock(), list[str]()
        self.supervisor = Supervisor(self.clock, self.messages.append)

    def serve(self, *names: str, grace_s: float = 20) -> None:
        """Start fake services with these names and wait for their first answers."""
        for name in names:
            port = free_port()
            notes = str(self.folder / "notes")
            self.start(
                Command(
                    name=name,
                    argv=(sys.executable, str(SERVER), name, notes),
                    env={"PATH": os.environ["PATH"], "PORT": str(port)},
                    cwd=self.folder,
                    log=self.folder / f"{name}.log",
                    livez=livez(port),
                    grace_s=grace_s,
                )
            )

    def start(self, command: Command) -> None:
        self.supervisor.start(command)
        self.until_answered(command.name)

    def pid(self, name: str) -> int:
        return self.supervisor.processes[name].pid or 0

    def until_answered(self, *names: str) -> None:
        """Wait until each of these processes has answered a new probe."""
        since = self.clock.now

        def all_did() -> bool:
            self.supervisor.tick()
            probes = [self.supervisor.processes[name].probe for name in names]
            if not all(probe and probe.life.answered_at for probe in probes):
                self.clock.now += 0.2  # a starting process is probed every second
            return all(probe and (probe.life.answered_at or 0) >= since for probe in probes)

        wait_until(all_did, f"{names} answer")

    def miss_a_probe(self, *silent: str) -> None:
        """Advance by one probe, which times out for these processes. All others answer it."""
        others = [name for name in self.supervisor.processes if name not in silent]
        self.clock.now += 15  # the longest period
        self.supervisor.tick()
        if others:
            self.until_answered(*others)
        self.clock.now += 5  # the longest timeout
        self.supervisor.tick()

    def until_ended(self, name: str, pid: int) -> None:
        wait_until(lambda: self.supervisor.tick() is None and self.pid(name) != pid, f"{name} ended")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.supervisor.kill_all()
    wait_until(lambda: bench.supervisor.tick() is None and not bench.supervisor.processes, "everything ended")


def test_a_frozen_process_is_killed_after_its_grace_period_and_restarted(bench: Bench) -> None:
    """It cannot react to SIGTERM. One line names the probe, the number of failures and the action."""
    bench.serve("worker", "other")
    pid, other = bench.pid("worker"), bench.pid("other")
    os.kill(pid, signal.SIGSTOP)
    bench.miss_a_probe("worker")
    bench.miss_a_probe("worker")
    assert bench.messages == []
    bench.miss_a_probe("worker")
    log = bench.folder / "worker.log"
    assert bench.messages == [
        "worker hangs: no good answer to GET /livez within 5 s, 3 times in a row; it is ended "
        f"(SIGTERM, SIGKILL after 20 s) and started again; log {log}"
    ]
    assert bench.pid("worker") == pid
    bench.clock.now += 20
    bench.until_ended("worker", pid)
    bench.clock.now += 0.5
    bench.supervisor.tick()
    assert bench.pid("worker") not in (0, pid)
    bench.until_answered("worker")
    assert len(bench.messages) == 1
    assert bench.pid("other") == other


def test_a_hanging_process_that_reacts_to_sigterm_ends_at_once(bench: Bench) -> None:
    """This server accepts connections and does not answer. It ends before its grace period is over."""
    bench.serve("other")
    port = free_port()
    code = (
        "import socket, sys, time; server = socket.create_server(('127.0.0.1', int(sys.argv[1])));"
        "server.accept()[0].sendall(b'HTTP/1.1 200 OK\\r\\n\\r\\nok'); time.sleep(600)"
    )
    bench.start(
        Command(
            name="mute",
            argv=(sys.executable, "-c", code, str(port)),
            env={"PATH": os.environ["PATH"]},
            cwd=bench.folder,
            log=bench.folder / "mute.log",
            livez=livez(port),
        )
    )
    pid = bench.pid("mute")
    for _ in range(3):
        bench.miss_a_probe("mute")
    bench.until_ended("mute", pid)
    assert len(bench.messages) == 1


def test_a_process_that_answers_again_in_time_is_not_restarted(bench: Bench) -> None:
    """It misses two probes and answers the third."""
    bench.serve("worker", "other")
    pid = bench.pid("worker")
    os.kill(pid, signal.SIGSTOP)
    bench.miss_a_probe("worker")
    bench.miss_a_probe("worker")
    os.kill(pid, signal.SIGCONT)
    bench.clock.now += 10
    bench.until_answered("worker")
    bench.miss_a_probe()
    assert (bench.messages, bench.pid("worker")) == ([], pid)


def test_replies_that_arrived_during_a_pause_of_the_local_run_count(bench: Bench) -> None:
    """After Ctrl-Z or a suspend the local run reads the replies in the sockets before it checks the time."""
    bench.serve("worker", "other")
    pids = bench.pid("worker"), bench.pid("other")
    for _ in range(5):
        bench.clock.now += 15
        bench.supervisor.tick()  # sends the probes
        probes = [process.probe for process in bench.supervisor.processes.values()]
        wait_until(lambda probes=probes: all(_has_reply(probe) for probe in probes), "both replied")
        bench.clock.now += 3600
        bench.supervisor.tick()
    assert (bench.messages, (bench.pid("worker"), bench.pid("other"))) == ([], pids)


def _has_reply(probe: Any) -> bool:
    pending = probe._pending
    if pending is None:
        return True
    pending.answer()
    return bool(pending.shows_life())


def test_no_process_is_restarted_while_none_answers(bench: Bench) -> None:
    """One message reports an overloaded machine. As soon as one process answers, hung ones are restarted."""
    bench.serve("a", "b", "c")
    pids = {name: bench.pid(name) for name in "abc"}
    for pid in pids.values():
        os.kill(pid, signal.SIGSTOP)
    for _ in range(5):
        bench.miss_a_probe("a", "b", "c")
    assert bench.messages == [
        "no process answers: the machine seems overloaded; no process is restarted until one answers"
    ]
    assert {name: bench.pid(name) for name in "abc"} == pids
    os.kill(pids["c"], signal.SIGCONT)
    bench.miss_a_probe("a", "b")
    assert bench.messages[1].startswith("a hangs: no good answer to GET /livez")
    for name in "ab":
        os.kill(pids[name], signal.SIGCONT)


def test_hung_processes_are_restarted_one_at_a_time(bench: Bench) -> None:
    """The next restart waits until the last one answers, because restarts load a machine that is slow."""
    bench.serve("a", "b", "c")
    pids = {name: bench.pid(name) for name in "abc"}
    for name in "ab":
        os.kill(pids[name], signal.SIGSTOP)
    for _ in range(3):
        bench.miss_a_probe("a", "b")
    assert [line.split()[0] for line in bench.messages] == ["a"]
    bench.miss_a_probe("a", "b")
    assert len(bench.messages) == 1
    bench.until_ended("a", pids["a"])
    bench.clock.now += 0.5
    bench.until_answered("a")
    wait_until(lambda: bench.supervisor.tick() is None and len(bench.messages) == 2, "b is also ended")
    assert bench.messages[1].startswith("b hangs")
    assert bench.pid("c") == pids["c"]


def test_a_process_that_is_being_stopped_is_not_probed(bench: Bench) -> None:
    """A process that shuts down may not answer probes any more."""
    bench.serve("a", "b", grace_s=30)
    pid = bench.pid("a")
    os.kill(pid, signal.SIGSTOP)
    bench.supervisor.processes["a"].stop()
    for _ in range(5):
        bench.clock.now += 5
        bench.supervisor.tick()
    assert (bench.messages, bench.pid("a")) == ([], pid)
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: bench.supervisor.tick() is None and "a" not in bench.supervisor.processes, "a ended")


def test_a_stop_during_the_restart_of_a_hung_process_is_final(bench: Bench) -> None:
    """The user can press Ctrl-C at any time."""
    bench.serve("a", "b")
    os.kill(bench.pid("a"), signal.SIGSTOP)
    for _ in range(3):
        bench.miss_a_probe("a")

    def pause() -> None:
        time.sleep(0.01)
        bench.clock.now += 1

    bench.supervisor.stop(["a"], pause)
    assert list(bench.supervisor.processes) == ["b"]


@pytest.mark.parametrize("store", ["redis", "mongod"])
def test_a_store_that_hangs_is_restarted(store: str, bench: Bench) -> None:
    """The stores have no /livez. The probes send PING to Redis and hello to mongod.

    Connecting is no test: the kernel also accepts connections for a frozen process.
    """
    bench.serve("other")
    home = Home(bench.folder / "home")
    home.create()
    make = stores.redis if store == "redis" else stores.mongo
    bench.start(make(home, free_port(), base_env()))
    pid = bench.pid(store)
    os.kill(pid, signal.SIGSTOP)
    for _ in range(4):
        assert bench.messages == []
        bench.miss_a_probe(store)
    what = "PING" if store == "redis" else "hello"
    (message,) = bench.messages
    assert message.startswith(f"{store} hangs: no good answer to {what} within 4 s, 4 times in a row")
    bench.clock.now += 30
    bench.until_ended(store, pid)
    bench.clock.now += 0.5
    bench.until_answered(store)
    assert len(bench.messages) == 1


def reply(answer: bytes, ask: Callable[[int], Any], *, close: bool = False) -> bool | None:
    """Probe a server that replies with `answer`. Returns whether the reply shows life, None if undecided."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        pending = PendingRequest(ask(server.getsockname()[1]))
        try:
            assert pending.answer() is None
            peer = server.accept()[0]
            with peer:
                peer.sendall(answer)
                if close:
                    peer.shutdown(socket.SHUT_WR)
                    wait_until(lambda: pending.answer() is not None, "the reply is read")
                elif answer:
                    wait_until(lambda: pending.answer() or pending._reply == answer, "the reply is read")
                return pending.answer()
        finally:
            pending.close()


def test_which_replies_show_life() -> None:
    """A service replies 503 if its loop hangs. Redis lives while it loads, or if it requires a password."""
    assert reply(b"HTTP/1.1 200 OK\r\n\r\nok", livez, close=True) is True
    assert reply(b"HTTP/1.0 302 Found\r\n\r\n", livez, close=True) is True
    assert reply(b"HTTP/1.1 503 Service Unavailable\r\n\r\n", livez, close=True) is False
    assert reply(b"rubbish", livez, close=True) is False
    assert reply(b"", livez, close=True) is False
    assert reply(b"HTTP/1.1 2", livez) is None
    for word in (b"+PONG\r\n", b"-NOAUTH Authentication required.\r\n", b"-LOADING x\r\n", b"-BUSY x\r\n"):
        assert reply(word, redis_ping) is True
    assert reply(b"", redis_ping, close=True) is False
    assert reply(b"\x2a\0\0\0", mongod_hello) is None
    refused = PendingRequest(livez(free_port()))
    wait_until(lambda: refused.answer() is False, "the connection is refused")
    refused.close()


def test_all_long_running_processes_of_a_local_run_are_probed(tmp_path: Path) -> None:
    """Services, generators, subscribers and workers are probed at their PORT, unlike steps that end."""
    services = Services(root=tmp_path, home=Home(tmp_path), settings=load({}, {}))
    for kind in TABLE:
        command = services.command(kind, port=0 if kind in ("migrate", "check") else 8123)
        assert (command.livez.port if command.livez else None) == (
            None if kind in ("migrate", "check") else 8123
        )
