"""The entry points of the stores' stand-ins behave like the official images' where the chart relies on it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from devcluster.images.catalogue import STANDINS


def entry(store: str, program: str, arguments: list[str], folder: Path) -> str:
    """The command that the entry point runs as a non-root user, printed by a fake program."""
    (folder / program).write_text('#!/bin/sh\necho "$(basename "$0") $*"\n')
    (folder / program).chmod(0o755)
    (folder / "id").write_text("#!/bin/sh\necho 10001\n")
    (folder / "id").chmod(0o755)
    done = subprocess.run(
        [STANDINS / store / "docker-entrypoint.sh", *arguments],
        env={"PATH": f"{folder}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("arguments", "runs"),
    [
        (["redis-server"], "redis-server --protected-mode no"),
        (["--port", "7"], "redis-server --port 7 --protected-mode no"),
        (["redis-server", "--protected-mode", "yes"], "redis-server --protected-mode yes"),
        (["redis-server", "/nowhere.conf"], "redis-server /nowhere.conf --protected-mode no"),
        (["/nowhere.conf"], "redis-server /nowhere.conf --protected-mode no"),
    ],
)
def test_redis_runs_unprotected_by_default(arguments: list[str], runs: str, tmp_path: Path) -> None:
    """The official image disables protected mode by default; Debian's package enables it."""
    assert entry("redis", "redis-server", arguments, tmp_path) == runs


def test_a_redis_file_may_enable_protected_mode(tmp_path: Path) -> None:
    """The entry point adds no argument then, because an argument would override the file."""
    (tmp_path / "redis.conf").write_text("port 7\nprotected-mode yes\n")
    file = str(tmp_path / "redis.conf")
    assert entry("redis", "redis-server", ["redis-server", file], tmp_path) == f"redis-server {file}"


@pytest.mark.parametrize(
    ("arguments", "runs"),
    [
        (["mongod"], "mongod --bind_ip_all"),
        (["--port", "7"], "mongod --port 7 --bind_ip_all"),
        (["mongod", "--bind_ip", "127.0.0.1"], "mongod --bind_ip 127.0.0.1"),
        (["mongod", "--config", "/etc/mongod.conf"], "mongod --config /etc/mongod.conf"),
    ],
)
def test_mongod_listens_on_all_addresses_by_default(arguments: list[str], runs: str, tmp_path: Path) -> None:
    """With a configuration file, the file itself must set the address, as the chart's does."""
    assert entry("mongo", "mongod", arguments, tmp_path) == runs


@pytest.mark.parametrize(("store", "program"), [("redis", "redis-server"), ("mongo", "mongod")])
def test_another_command_runs_unchanged(store: str, program: str, tmp_path: Path) -> None:
    """Probes and jobs call other programs in the same image."""
    assert entry(store, program, ["echo", "hello"], tmp_path) == "hello"
