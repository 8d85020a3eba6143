"""A process that runs and does not answer is started again. Real processes, a clock moved by hand."""

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
    """Processes that are asked, under a supervisor whose time stands still unless moved."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.said = folder, Clock(), list[str]()
        self.supervisor = Supervisor(self.clock, self.said.append)

    def serve(self, *names: str, grace_s: float = 20) -> None:
        """Start small services and wait for their first answers."""
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
        """Each of these is asked once more, and answers."""
        since = self.clock.now

        def all_did() -> bool:
            self.supervisor.tick()
            probes = [self.supervisor.processes[name].probe for name in names]
            if not all(probe and probe.life.answered_at for probe in probes):
                self.clock.now += 0.2  # the start's questions come each second
            return all(probe and (probe.life.answered_at or 0) >= since for probe in probes)

        wait_until(all_did, f"{names} answer")

    def ask_in_vain(self, *silent: str) -> None:
        """The next question to each of these, and the end of waiting for it; the others answer."""
        others = [name for name in self.supervisor.processes if name not in silent]
        self.clock.now += 15  # the longest period
        self.supervisor.tick()
        if others:
            self.until_answered(*others)
        self.clock.now += 5  # the longest time for an answer
        self.supervisor.tick()

    def until_ended(self, name: str, pid: int) -> None:
        wait_until(lambda: self.supervisor.tick() is None and self.pid(name) != pid, f"{name} ended")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.supervisor.kill_all()
    wait_until(lambda: bench.supervisor.tick() is None and not bench.supervisor.processes, "everything ended")


def test_a_stopped_process_is_killed_after_its_grace_and_comes_back(bench: Bench) -> None:
    """It cannot hear SIGTERM. One line says what was asked, how often, and what is done."""
    bench.serve("worker", "other")
    pid, other = bench.pid("worker"), bench.pid("other")
    os.kill(pid, signal.SIGSTOP)
    bench.ask_in_vain("worker")
    bench.ask_in_vain("worker")
    assert bench.said == []
    bench.ask_in_vain("worker")
    log = bench.folder / "worker.log"
    assert bench.said == [
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
    assert len(bench.said) == 1
    assert bench.pid("other") == other


def test_a_hang_that_hears_sigterm_ends_at_once(bench: Bench) -> None:
    """A server that takes connections and says nothing: its grace is an offer to end in order."""
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
        bench.ask_in_vain("mute")
    bench.until_ended("mute", pid)
    assert len(bench.said) == 1


def test_a_process_that_goes_on_in_time_is_left_alone(bench: Bench) -> None:
    """Two questions in vain, then an answer."""
    bench.serve("worker", "other")
    pid = bench.pid("worker")
    os.kill(pid, signal.SIGSTOP)
    bench.ask_in_vain("worker")
    bench.ask_in_vain("worker")
    os.kill(pid, signal.SIGCONT)
    bench.clock.now += 10
    bench.until_answered("worker")
    bench.ask_in_vain()
    assert (bench.said, bench.pid("worker")) == ([], pid)


def test_answers_that_came_while_nobody_looked_count(bench: Bench) -> None:
    """The local run was stopped (Ctrl-Z) or the lid closed: what waits in the socket is read first."""
    bench.serve("worker", "other")
    pids = bench.pid("worker"), bench.pid("other")
    for _ in range(5):
        bench.clock.now += 15
        bench.supervisor.tick()  # asked
        probes = [process.probe for process in bench.supervisor.processes.values()]
        wait_until(lambda probes=probes: all(_has_reply(probe) for probe in probes), "both replied")
        bench.clock.now += 3600
        bench.supervisor.tick()
    assert (bench.said, (bench.pid("worker"), bench.pid("other"))) == ([], pids)


def _has_reply(probe: Any) -> bool:
    asked = probe._pending
    if asked is None:
        return True
    asked.answer()
    return bool(asked.shows_life())


def test_while_nobody_answers_nobody_is_started_again(bench: Bench) -> None:
    """It is the machine then. Said once; the first that answers is the witness against those that do not."""
    bench.serve("a", "b", "c")
    pids = {name: bench.pid(name) for name in "abc"}
    for pid in pids.values():
        os.kill(pid, signal.SIGSTOP)
    for _ in range(5):
        bench.ask_in_vain("a", "b", "c")
    assert bench.said == [
        "no process answers: the machine seems overloaded; no process is restarted until one answers"
    ]
    assert {name: bench.pid(name) for name in "abc"} == pids
    os.kill(pids["c"], signal.SIGCONT)
    bench.ask_in_vain("a", "b")
    assert bench.said[1].startswith("a hangs: no good answer to GET /livez")
    for name in "ab":
        os.kill(pids[name], signal.SIGCONT)


def test_of_several_that_hang_one_is_started_again_at_a_time(bench: Bench) -> None:
    """The next when the one before answers: restarts load a machine that is short of everything."""
    bench.serve("a", "b", "c")
    pids = {name: bench.pid(name) for name in "abc"}
    for name in "ab":
        os.kill(pids[name], signal.SIGSTOP)
    for _ in range(3):
        bench.ask_in_vain("a", "b")
    assert [line.split()[0] for line in bench.said] == ["a"]
    bench.ask_in_vain("a", "b")
    assert len(bench.said) == 1
    bench.until_ended("a", pids["a"])
    bench.clock.now += 0.5
    bench.until_answered("a")
    wait_until(lambda: bench.supervisor.tick() is None and len(bench.said) == 2, "b is ended too")
    assert bench.said[1].startswith("b hangs")
    assert bench.pid("c") == pids["c"]


def test_a_stop_in_progress_asks_nobody(bench: Bench) -> None:
    """A process that ends in order answers no probes."""
    bench.serve("a", "b", grace_s=30)
    pid = bench.pid("a")
    os.kill(pid, signal.SIGSTOP)
    bench.supervisor.processes["a"].stop()
    for _ in range(5):
        bench.clock.now += 5
        bench.supervisor.tick()
    assert (bench.said, bench.pid("a")) == ([], pid)
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: bench.supervisor.tick() is None and "a" not in bench.supervisor.processes, "a ended")


def test_a_process_that_is_stopped_while_its_hang_is_ended_stays_stopped(bench: Bench) -> None:
    """Ctrl-C comes at any time."""
    bench.serve("a", "b")
    os.kill(bench.pid("a"), signal.SIGSTOP)
    for _ in range(3):
        bench.ask_in_vain("a")

    def pause() -> None:
        time.sleep(0.01)
        bench.clock.now += 1

    bench.supervisor.stop(["a"], pause)
    assert list(bench.supervisor.processes) == ["b"]


@pytest.mark.parametrize("store", ["redis", "mongod"])
def test_a_store_that_hangs_is_started_again(store: str, bench: Bench) -> None:
    """Neither has a /livez: they are asked PING and hello. The kernel goes on accepting for a stopped one."""
    bench.serve("other")
    home = Home(bench.folder / "home")
    home.create()
    make = stores.redis if store == "redis" else stores.mongo
    bench.start(make(home, free_port(), base_env()))
    pid = bench.pid(store)
    os.kill(pid, signal.SIGSTOP)
    for _ in range(4):
        assert bench.said == []
        bench.ask_in_vain(store)
    what = "PING" if store == "redis" else "hello"
    assert bench.said[0].startswith(f"{store} hangs: no good answer to {what} within 4 s, 4 times in a row")
    bench.clock.now += 30
    bench.until_ended(store, pid)
    bench.clock.now += 0.5
    bench.until_answered(store)
    assert len(bench.said) == 1


def reply(answer: bytes, ask: Callable[[int], Any], *, close: bool = False) -> bool | None:
    """What a server that says `answer` is taken for."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        asked = PendingRequest(ask(server.getsockname()[1]))
        try:
            assert asked.answer() is None
            peer = server.accept()[0]
            with peer:
                peer.sendall(answer)
                if close:
                    peer.shutdown(socket.SHUT_WR)
                    wait_until(lambda: asked.answer() is not None, "the reply is read")
                elif answer:
                    wait_until(lambda: asked.answer() or asked._reply == answer, "the reply is read")
                return asked.answer()
        finally:
            asked.close()


def test_what_shows_life_and_what_does_not() -> None:
    """A 503 is a hang (its loop stands still); Redis lives while it loads, or knows no password."""
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
    wait_until(lambda: refused.answer() is False, "nobody listens")
    refused.close()


def test_every_process_of_a_local_run_is_asked(tmp_path: Path) -> None:
    """Services, generators, subscribers and workers at their PORT; a step that ends by itself is not."""
    services = Services(root=tmp_path, home=Home(tmp_path), settings=load({}, {}))
    for kind in TABLE:
        command = services.command(kind, port=0 if kind in ("migrate", "check") else 8123)
        assert (command.livez.port if command.livez else None) == (
            None if kind in ("migrate", "check") else 8123
        )
