"""A real mongod with the files that the chart renders."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from devcluster.processes.stores import MongoServer
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from tests.chart.store_files import StoreFiles

POD = {
    "POD_NAME": "deltastream-mongodb-0",
    "POD_IP": "10.1.2.3",
    "SUBDOMAIN": "deltastream-mongodb.trading.svc",
}
# A fake getent. The first two lookups return the previous pod's address, as a stale DNS record would. For a
# pod with two addresses, `hosts` returns only the IPv6 one, as the C library's getent does.
GETENT = f"""#!/bin/sh
echo "$2" >> "$0.asked"
test "$1" = hosts && echo "fd00::3 $2" && exit
test "$(wc -l < "$0.asked")" -lt 3 && echo "10.1.2.33 $2" && exit
echo "fd00::3 STREAM $2"
echo "{POD["POD_IP"]} STREAM"
"""


class ChartMongo(MongoServer):
    """A mongod that starts with the rendered files. Only paths and the port differ."""

    def __init__(self, home: Path, *options: str) -> None:
        super().__init__(home)
        self.files = StoreFiles("mongodb", "--set=mongodb.cacheMi=300", *options)
        moved = {"/run/secrets/deltastream": str(home), "/keyfile/keyfile": f"{home}/key/keyfile"}
        self.files.write(home, moved | {"/data/db": f"{home}/db", "port: 27017": f"port: {self.port}"})
        for folder in ("key", "db"):
            (home / folder).mkdir()
        (home / "getent").write_text(GETENT)
        (home / "getent").chmod(0o755)

    def prepare(self) -> subprocess.CompletedProcess[str]:
        """Run the init container's script."""
        env = POD | {"PATH": f"{self.home}:{os.environ['PATH']}"}
        command = ["sh", str(self.home / "prepare.sh")]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

    def _command(self) -> list[str]:
        (container,) = self.files.stateful_set["spec"]["template"]["spec"]["containers"]
        program, config, *rest = container["command"]
        assert (program, config) == ("mongod", "--config=/etc/deltastream/mongod.conf")
        return [super()._command()[0], f"--config={self.home}/mongod.conf", *rest]

    def _answers(self) -> bool:
        try:
            with self.client() as anonymous:
                return bool(anonymous.admin.command("hello")["ok"])
        except PyMongoError:
            return False

    def init(self, **env: str) -> None:
        """Initiate the replica set and create its users, as the chart's Job does."""
        secret = self.files.secret
        env |= {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": "services/storage",
            "MONGO_MEMBERS": f"127.0.0.1:{self.port}",
            "MONGO_KEY": secret["keyfile"],
            "MONGO_ROOT_PASSWORD": secret["root-password"],
            "MONGO_APP_PASSWORD": secret["app-password"],
        }
        command = [sys.executable, "-m", "storage", "init-mongo"]
        made = subprocess.run(command, env=env, capture_output=True, text=True, timeout=100, check=False)
        assert made.returncode == 0, made.stderr

    def client(
        self, user: str = "", password: str = "", database: str = "admin"
    ) -> MongoClient[dict[str, int]]:
        """A client that logs in as `user`, or an unauthenticated client if `user` is empty."""
        login = f"{user}:{password}@" if user else ""
        url = f"mongodb://{login}127.0.0.1:{self.port}/?authSource={database}"
        return MongoClient(url, directConnection=True, serverSelectionTimeoutMS=5000)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> ChartMongo:
    mongod = ChartMongo(tmp_path_factory.mktemp("chart") / "mongodb")
    done = mongod.prepare()
    assert done.returncode == 0, done.stderr
    return mongod


@pytest.fixture(scope="module")
def member(prepared: ChartMongo) -> Iterator[ChartMongo]:
    """A mongod after the chart's Job: a replica set with one member and the two users of the Secret."""
    try:
        prepared.start()
        prepared.init()
        yield prepared
    finally:
        prepared.stop()


def test_it_waits_until_its_name_resolves_to_its_own_address(prepared: ChartMongo) -> None:
    asked = (prepared.home / "getent.asked").read_text().splitlines()
    assert asked == [f"{POD['POD_NAME']}.{POD['SUBDOMAIN']}"] * 3


def test_only_mongod_can_read_the_key(prepared: ChartMongo) -> None:
    """mongod does not start with a key that the group can read."""
    key = prepared.home / "key/keyfile"
    assert key.stat().st_mode & 0o077 == 0
    assert key.read_text() == prepared.files.secret["keyfile"]


def test_it_is_a_member_with_the_configured_cache_size(member: ChartMongo) -> None:
    with member.client("root", member.files.secret["root-password"]) as root:
        assert root.admin.command("hello")["setName"] == "deltastream"
        cache = root.admin.command("serverStatus")["wiredTiger"]["cache"]["maximum bytes configured"]
        assert cache == 300 * 2**20


def test_an_unauthenticated_client_reads_nothing(member: ChartMongo) -> None:
    with member.client() as anonymous, pytest.raises(OperationFailure, match="requires authentication"):
        anonymous.list_database_names()


def test_the_services_password_opens_their_database_and_no_other(member: ChartMongo) -> None:
    with member.client("app", member.files.secret["app-password"], "deltastream") as app:
        app["deltastream"]["ticks"].insert_one({"n": 1})
        with pytest.raises(OperationFailure, match="not authorized"):
            app["other"]["ticks"].insert_one({"n": 1})


@pytest.mark.parametrize("address", ["", "::"])
def test_it_listens_on_ipv6_if_configured(tmp_path: Path, address: str) -> None:
    """mongod listens on IPv4 in both cases: an empty listenAddress means IPv4 only."""
    mongod = ChartMongo(tmp_path / "mongodb", f"--set-string=listenAddress={address}")
    assert mongod.prepare().returncode == 0
    with mongod:
        socket.create_connection(("127.0.0.1", mongod.port)).close()
        with pytest.raises(OSError, match="refused") if not address else contextlib.nullcontext():
            socket.create_connection(("::1", mongod.port)).close()
