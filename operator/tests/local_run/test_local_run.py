"""Test the local run as a process: one command starts all processes, and all end with it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.request
from typing import Any

import psutil
import pytest
from devcluster.waiting import wait_until

from deltastream_operator.local.supervision.leftovers import started_at

STORES = ["redis", "mongod"]
HTTP = ["auth", "storage", "analytics", "logging-service", "socket-gateway", "api-gateway"]
FEED = ["tiny-subscriber-0", "tiny-worker-0", "tiny-generator-0", "tiny-generator-1"]


def stopped(local_run: Any) -> list[str]:
    """Return the kinds of the fake services in the order in which they were stopped."""
    lines = local_run.notes.read_text().splitlines()
    return [line.split()[1] for line in lines if line.startswith("stopped")]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_all_processes_in_order(local_run: Any, how: signal.Signals) -> None:
    """The order is generators, enrichers, HTTP services, stores. The exit code is 0."""
    local_run.start()
    assert list(local_run.pids()) == STORES + HTTP + FEED
    assert local_run.end(how) == 0
    order = stopped(local_run)
    assert order[:2] == ["generator"] * 2
    assert sorted(order[2:4]) == ["subscriber", "worker"]
    assert sorted(order[4:]) == sorted(HTTP)
    assert local_run.alive() == []
    assert local_run.output.read_text().rstrip().splitlines()[-1].startswith("stopped; data is kept in")


def test_a_second_start_uses_the_same_ports_and_secrets(local_run: Any) -> None:
    """The stores open their data of the first start, which needs the same passwords."""
    local_run.start()
    local_run.end(signal.SIGINT)
    kept = {
        name: (local_run.state / name).read_text()
        for name in ("run/ports.json", "secrets/redis_url", "secrets/mongo_url")
    }
    local_run.start()
    assert local_run.end(signal.SIGINT) == 0
    assert {name: (local_run.state / name).read_text() for name in kept} == kept


def test_each_process_is_restarted_after_kill_9(local_run: Any) -> None:
    """A restarted process has the same name. This holds for stores, services and the feed's processes."""
    local_run.start()
    for name in ("tiny-generator-1", "tiny-worker-0", "tiny-subscriber-0", "redis", "mongod", "api-gateway"):
        old = local_run.pids()[name]
        os.kill(old, signal.SIGKILL)
        wait_until(lambda name=name, old=old: local_run.restarted(name, old), f"{name} is back")
    assert local_run.end(signal.SIGINT) == 0
    assert "tiny-worker-0 was killed by SIGKILL; starting again in 0.5 s" in local_run.output.read_text()
    assert local_run.alive() == []


def test_no_process_outlives_a_local_run_killed_with_9(local_run: Any) -> None:
    """The kernel kills the children, and the next start works."""
    local_run.start()
    local_run.end(signal.SIGKILL)
    wait_until(lambda: local_run.alive() == [], "all children are gone")
    local_run.start()
    assert local_run.end(signal.SIGINT) == 0


def test_the_next_start_kills_the_processes_that_a_killed_local_run_left(local_run: Any) -> None:
    """Only on Linux does the kernel kill them. Elsewhere the next start finds them by the process record."""
    left = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        began = started_at(left.pid)
        (local_run.state / "run").mkdir(parents=True)
        (local_run.state / "run/processes.json").write_text(json.dumps({"redis": [left.pid, began]}))
        local_run.start()
        assert left.wait(10) == -signal.SIGKILL
    finally:
        left.kill()
        left.wait()
    assert "ended processes of a killed local run: redis" in local_run.output.read_text()
    local_run.end(signal.SIGINT)


def test_a_second_local_run_on_the_same_home_fails_with_one_line(local_run: Any) -> None:
    """Two local runs would use the same data. The first one keeps running."""
    local_run.start()
    second = local_run.run(*local_run.local())
    assert second.returncode == 1
    assert len(second.stderr.splitlines()) == 1
    holder = f"the local run with pid {local_run.process.pid}"
    assert f"is in use by {holder}: stop it (make stop)" in second.stderr
    assert local_run.process.poll() is None
    assert local_run.end(signal.SIGINT) == 0


@pytest.mark.parametrize("variable", ["API_GATEWAY_PORT", "LOGGING_PORT", "REDIS_PORT", "MONGO_PORT"])
def test_a_port_in_use_is_reported_before_any_process_starts(local_run: Any, variable: str) -> None:
    """The error is one line. It names the environment variable of the port."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        local_run.env[variable] = str(other.getsockname()[1])
        result = local_run.run(*local_run.local())
    assert result.returncode == 1
    assert result.stderr.startswith(f"deltastream: port {local_run.env[variable]} (")
    assert result.stderr.rstrip().endswith(f"is in use by another program: stop it or set {variable}")
    assert local_run.notes.read_text() == ""
    assert local_run.pids() == {}


def test_an_invalid_feed_is_reported_before_any_process_starts(local_run: Any) -> None:
    """The exit code is 2 and the output has the problems. `--check` has the same result."""
    local_run.feed.write_text(local_run.feed.read_text().replace("replicas", "replica"))
    for command in (local_run.local(), [*local_run.local(), "--check"]):
        result = local_run.run(*command)
        assert result.returncode == 2
        assert "spec.enricher.replica: unknown field; did you mean replicas?" in result.stderr
    assert not local_run.state.exists()


def test_check_starts_nothing_if_the_feeds_are_valid(local_run: Any) -> None:
    """The command starts no process and creates no folder."""
    result = local_run.run(*local_run.local(), "--check")
    assert (result.returncode, result.stdout) == (0, "1 feed(s) are valid: tiny\n")
    assert not local_run.state.exists()


def test_a_service_that_cannot_start_ends_the_run_with_its_last_lines(local_run: Any) -> None:
    """The output has the reason, and no process is left running."""
    rows = json.loads(local_run.table.read_text())
    rows["storage"][1] = ["sh", "-c", "echo MONGO_URL: must be set >&2; exit 1"]
    local_run.table.write_text(json.dumps(rows))
    result = local_run.run(*local_run.local())
    assert result.returncode == 1
    assert "deltastream: storage does not start; log" in result.stderr
    assert "MONGO_URL: must be set" in result.stderr
    started = [int(line.split()[-1]) for line in local_run.notes.read_text().splitlines()]
    assert not any(psutil.pid_exists(pid) for pid in started)
    assert local_run.pids() == {}


def test_a_failed_migration_ends_the_run(local_run: Any) -> None:
    """Services never run with an incomplete database schema."""
    rows = json.loads(local_run.table.read_text())
    rows["migrate"][1] = ["sh", "-c", "echo no index; exit 1"]
    local_run.table.write_text(json.dumps(rows))
    result = local_run.run(*local_run.local())
    assert result.returncode == 1
    assert "deltastream: storage migrate failed with status 1" in result.stderr
    assert local_run.notes.read_text() == ""


def test_start_returns_when_the_system_is_ready_and_stop_stops_it(local_run: Any) -> None:
    """The system runs in the background until `stop`. `start` also prints the messages about repairs."""
    (local_run.state / "run").mkdir(parents=True)
    (local_run.state / "run/ports.json").write_text("{")
    result = local_run.run(*local_run.local("start"))
    assert result.returncode == 0, result.stderr
    assert "ports.json is damaged: it is created again" in result.stdout
    assert f"http://localhost:{local_run.ports['API_GATEWAY_PORT']}/api/docs" in result.stdout
    assert "anonymous reads are on" in result.stdout
    assert local_run.pids()
    with urllib.request.urlopen(f"http://127.0.0.1:{local_run.ports['API_GATEWAY_PORT']}/readyz") as answer:
        assert answer.status == 200
    assert local_run.run(*local_run.local("start")).returncode == 1
    assert local_run.run(*local_run.command("stop")).stdout == "stopped\n"
    assert local_run.alive() == []
    assert local_run.run(*local_run.command("stop")).stdout.startswith("nothing runs in")


def test_a_failed_start_prints_the_end_of_the_log(local_run: Any) -> None:
    """The user sees the cause without searching for the log."""
    rows = json.loads(local_run.table.read_text())
    rows["migrate"][1] = ["sh", "-c", "echo no index; exit 1"]
    local_run.table.write_text(json.dumps(rows))
    result = local_run.run(*local_run.local("start"))
    assert result.returncode == 1
    assert "no index" in result.stderr


def test_no_secret_is_on_a_command_line_or_in_an_environment(local_run: Any) -> None:
    """Other users can read command lines and environments, but not files of mode 0600."""
    local_run.start()
    secrets = [
        (local_run.state / "secrets" / name).read_text()
        for name in ("redis_password", "mongo_password", "jwt_secret")
    ]
    for pid in local_run.pids().values():
        process = psutil.Process(pid)
        text = " ".join([*process.cmdline(), *process.environ().values()])
        assert not any(secret in text for secret in secrets), process.cmdline()
    assert local_run.end(signal.SIGINT) == 0
