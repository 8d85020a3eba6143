"""Both stores with TLS as the chart configures them, on real servers, and the CA in each client's pod."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.chart.render import CHART, Refused, objects, pods, template
from tests.chart.test_mongodb import ChartMongo
from tests.chart.test_redis import ChartRedis
from tests.support import needs
from tests.support.backups import Backups
from tests.support.tls import Certificates, TlsMongo, redis_programs

pytestmark = pytest.mark.timeout(300)  # the first run fetches Debian's Redis and builds mongodump
SERVER_FILES = "/run/secrets/tls"
CLIENT_FILES = "/run/secrets/deltastream"


def _give(home: Path, store: str) -> None:
    """Write the files of the Secret that `tlsSecret` names into `home`, under their names in the pod."""
    made = Certificates(home / "made")
    for source, name in ((made.certificate, "tls.crt"), (made.key, "tls.key"), (made.ca, f"{store}-ca.crt")):
        shutil.copy(source, home / name)


def _move(file: Path, **places: str) -> None:
    text = file.read_text()
    for old, new in places.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)


class TlsChartRedis(ChartRedis):
    """The chart's Redis with redis.tlsSecret. It runs Debian's program, because the wheel's has no TLS."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, "--set=redis.tlsSecret=redis-tls")
        _give(home, "redis")
        _move(home / "redis.conf", **{SERVER_FILES: str(home)})
        self._programs, self._env = redis_programs()
        variables = " ".join(f"{name}={value}" for name, value in self._env.items())
        cli = f'#!/bin/sh\nexec env {variables} {self._programs}/redis-cli -p {self.port} "$@"\n'
        (home / "redis-cli").write_text(cli)

    def _command(self) -> list[str]:
        variables = [f"{name}={value}" for name, value in self._env.items()]
        return ["env", *variables, str(self._programs / "redis-server"), str(self.home / "redis.conf")]

    def _here(self, url: str) -> str:
        return super()._here(url).replace(CLIENT_FILES, str(self.home))


class TlsChartMongo(ChartMongo):
    """The chart's mongod with mongodb.tlsSecret."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, "--set=mongodb.tlsSecret=mongodb-tls")
        _give(home, "mongodb")
        self._places = {f"/keyfile/{name}": f"{home}/key/{name}" for name in ("tls.pem", "ca.crt")}
        _move(home / "prepare.sh", **self._places, **{SERVER_FILES: str(home)})

    def _command(self) -> list[str]:
        command = " ".join(super()._command())
        for old, new in self._places.items():
            command = command.replace(old, new)
        return command.split()

    @property
    def ca(self) -> str:
        return str(self.home / "mongodb-ca.crt")

    def client(self, user: str = "", password: str = "", database: str = "admin") -> MongoClient[Any]:
        login = {"username": user, "password": password, "authSource": database} if user else {}
        return MongoClient(
            "127.0.0.1", self.port, tls=True, tlsCAFile=self.ca, directConnection=True,
            serverSelectionTimeoutMS=5000, **login,
        )  # fmt: skip


@pytest.fixture(scope="module")
def tls_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsChartRedis]:
    with TlsChartRedis(tmp_path_factory.mktemp("tls") / "redis") as server:
        yield server


@pytest.fixture(scope="module")
def tls_mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsChartMongo]:
    mongod = TlsChartMongo(tmp_path_factory.mktemp("tls") / "mongodb")
    done = mongod.prepare()
    assert done.returncode == 0, done.stderr
    with mongod:
        mongod.init(MONGO_CA_FILE=mongod.ca)
        yield mongod


def test_each_url_of_the_generated_secret_connects_to_redis_with_tls(tls_redis: TlsChartRedis) -> None:
    """The URLs include TLS and the CA, so that clients need no other setting."""
    for database, url in enumerate([*(tls_redis.url(each) for each in range(3)), tls_redis.operator_url]):
        assert url.startswith("rediss://")
        with redis.Redis.from_url(url) as client:
            assert client.ping(), database


def test_probes_succeed_while_a_redis_serves_with_tls(tls_redis: TlsChartRedis) -> None:
    assert tls_redis.probes() == {"startup": 0, "liveness": 0, "readiness": 0}


def test_a_redis_with_tls_rejects_plain_connections(tls_redis: TlsChartRedis) -> None:
    once = Retry(NoBackoff(), 0)
    with redis.Redis(port=tls_redis.port, retry=once) as plain, pytest.raises(redis.ConnectionError):
        plain.ping()


def test_the_generated_url_connects_to_a_mongodb_with_tls(tls_mongo: TlsChartMongo) -> None:
    """The URL is the one that the services get. Only the address and the path of the CA differ."""
    url = tls_mongo.files.secret["mongo_url"].replace(CLIENT_FILES, str(tls_mongo.home))
    host = "deltastream-mongodb-0.deltastream-mongodb.trading.svc:27017"
    assert host in url
    with MongoClient[Any](url.replace(host, f"127.0.0.1:{tls_mongo.port}")) as app:
        app["deltastream"]["ticks"].insert_one({"n": 1})


def test_a_mongodb_with_tls_rejects_plain_connections(tls_mongo: TlsChartMongo) -> None:
    quick = {"serverSelectionTimeoutMS": 500}
    with MongoClient[Any]("127.0.0.1", tls_mongo.port, **quick) as plain, pytest.raises(PyMongoError):
        plain.admin.command("hello")


def test_a_backup_is_made_over_tls(tmp_path: Path) -> None:
    """mongodump reads the same URL as the services, and verifies the server with the same CA."""
    needs.go("mongodump and mongorestore")
    with TlsMongo(tmp_path / "mongod") as server:
        with MongoClient[Any](server.url) as client:
            client["deltastream"]["ticks"].insert_one({"n": 1})
        home = tmp_path / "backups"
        home.mkdir()
        code, output = Backups(home, server.url).run("backup.sh")
        assert (code, "1 documents" in output) == (0, True), output


@pytest.mark.parametrize(
    ("options", "redis_keys", "mongodb_keys"),
    [
        (["--set=redis.tlsSecret=ca,mongodb.tlsSecret=ca"], "deltastream-redis", "deltastream-mongodb"),
        ([f"--values={CHART}/ci/external-stores.yaml"], "company-redis", "company-mongodb"),
    ],
    ids=["bundled", "external"],
)
def test_each_pod_with_a_stores_url_mounts_its_ca(
    options: list[str], redis_keys: str, mongodb_keys: str
) -> None:
    """The rule holds for every pod: services, hooks, jobs, and the pods that the operator creates."""
    release = objects(template(*options, "--set=backup.enabled=true"))
    seen = set()
    for pod in pods(release):
        files = pod.secret_files
        wanted = {
            f"{store}-ca.crt"
            for store, name in (("redis", redis_keys), ("mongodb", mongodb_keys))
            if name in files
        }
        there = {path for paths in files.values() for path in paths if path.endswith("-ca.crt")}
        assert there == wanted, pod.owner
        seen |= there
    assert seen == {"redis-ca.crt", "mongodb-ca.crt"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("externalRedis.caSecret=mine", "redis.tlsSecret"),
        ("externalMongodb.caSecret=mine", "mongodb.tlsSecret"),
        (
            "redis.enabled=false,redis.tlsSecret=mine,externalRedis.existingSecret=a,externalRedis.cidr=10.0.0.1/32",
            "externalRedis.caSecret",
        ),
        (
            "mongodb.enabled=false,mongodb.tlsSecret=mine,externalMongodb.existingSecret=a,"
            "externalMongodb.cidr=10.0.0.1/32",
            "externalMongodb.caSecret",
        ),
    ],
)
def test_a_ca_in_the_wrong_place_is_refused(values: str, message: str) -> None:
    """A CA that the chart would ignore must not look like protection."""
    with pytest.raises(Refused, match=message):
        template(f"--set={values}")
