"""`init-mongo` forms a replica set from new mongods, and is idempotent."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from devcluster.processes.stores import MongoServer
from pymongo import MongoClient
from pymongo.errors import OperationFailure

PASSWORDS = {"MONGO_ROOT_PASSWORD": "root-password-of-tests", "MONGO_APP_PASSWORD": "app-password-of-tests"}


class Member(MongoServer):
    """A mongod without a configuration, to which only clients with the key can log in."""

    key_file: Path

    def _command(self) -> list[str]:
        plain = [option for option in super()._command() if option != "--auth"]
        return [*plain, "--replSet", "deltastream", "--keyFile", str(self.key_file)]

    def _answers(self) -> bool:
        with MongoClient(
            "127.0.0.1", self.port, directConnection=True, serverSelectionTimeoutMS=200
        ) as client:
            try:
                return bool(client.admin.command("hello")["ok"])
            except Exception:
                return False


def _member(home: Path, number: int = 0) -> Member:
    """Return a member that is not started. All members below `home` share a key."""
    member = Member(home / f"member-{number}")
    member.key_file = home / "key"
    if not member.key_file.exists():
        member.key_file.write_text(secrets.token_hex(32) + "\n")
        member.key_file.chmod(0o400)
    return member


@pytest.fixture
def members(tmp_path: Path) -> Iterator[Callable[[int], list[Member]]]:
    started: list[Member] = []
    with ExitStack() as running:

        def start(count: int) -> list[Member]:
            more = [_member(tmp_path, number) for number in range(len(started), count)]
            started.extend(running.enter_context(member) for member in more)
            return started

        yield start


def _init(members: list[Member], **changes: str) -> subprocess.CompletedProcess[str]:
    env = {
        **os.environ,
        **PASSWORDS,
        "MONGO_MEMBERS": ",".join(f"127.0.0.1:{member.port}" for member in members),
        "MONGO_KEY_FILE": str(members[0].key_file),
        "PYTHONPATH": "services/storage",
        **changes,
    }
    argv = [sys.executable, "-m", "storage", "init-mongo"]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=90, check=False)


def _client(members: list[Member], user: str, database: str, password: str) -> MongoClient[dict[str, Any]]:
    hosts = [f"127.0.0.1:{member.port}" for member in members]
    login = {"username": user, "password": password, "authSource": database}
    return MongoClient(hosts, replicaSet="deltastream", **login)


def _app(members: list[Member], password: str) -> MongoClient[dict[str, Any]]:
    return _client(members, "app", "deltastream", password)


def test_a_fresh_mongod_becomes_a_replica_set_with_its_users_and_a_second_run_changes_nothing(
    members: Callable[[int], list[Member]],
) -> None:
    """The application can use its own database and no other."""
    one = members(1)
    first = _init(one)
    assert first.stdout.splitlines() == [
        "initiated the replica set deltastream, members: 1",
        "created root@admin",
        "created app@deltastream",
    ], first.stderr
    with _app(one, PASSWORDS["MONGO_APP_PASSWORD"]) as client:
        client["deltastream"]["x"].insert_one({"a": 1})
        with pytest.raises(OperationFailure):
            client["other"]["x"].insert_one({"a": 1})
    assert _init(one).stdout == "nothing to change\n"


def test_a_restored_password_is_applied(members: Callable[[int], list[Member]]) -> None:
    """The Secret was restored from a backup, but the volume has another password."""
    one = members(1)
    assert _init(one).returncode == 0
    changed = _init(one, MONGO_APP_PASSWORD="another-password-of-tests")
    assert changed.stdout == "set the password of app@deltastream\n"
    with _app(one, "another-password-of-tests") as client:
        client["deltastream"]["x"].insert_one({"a": 1})


def test_a_set_grows_to_three_and_shrinks_again(members: Callable[[int], list[Member]]) -> None:
    """Members are added and removed one at a time, as MongoDB requires."""
    assert _init(members(1)).returncode == 0
    three = members(3)
    grown = _init(three)
    assert [line.split()[0] for line in grown.stdout.splitlines()] == ["added", "added"], grown.stderr
    with _client(three, "root", "admin", PASSWORDS["MONGO_ROOT_PASSWORD"]) as client:
        config = client.admin.command("replSetGetConfig")["config"]
    assert [member["host"] for member in config["members"]] == [
        f"127.0.0.1:{member.port}" for member in three
    ]
    shrunk = _init(three[:1])
    assert [line.split()[0] for line in shrunk.stdout.splitlines()] == ["removed", "removed"], shrunk.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"MONGO_MEMBERS": "a:1,b:2"}, "MONGO_MEMBERS='a:1,b:2': must be an odd number of members"),
        ({"MONGO_MEMBERS": "here"}, "MONGO_MEMBERS='here': must be host:port"),
        ({"MONGO_ROOT_PASSWORD": "short"}, "MONGO_ROOT_PASSWORD=(secret):"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    """The command prints one line without a secret, exits with 2, and connects to no member."""
    done = _init([_member(tmp_path)], **changes)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert "short" not in done.stderr
