"""A real Redis with the files that the chart renders: its settings, users and probes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from devcluster.waiting import wait_until

from tests.chart.chart_redis import ChartRedis

pytestmark = pytest.mark.timeout(300)  # the first run installs redis-cli
# An extra user for the tests, because none of the chart's users may read settings.
INSPECTOR = "user inspector on >inspector ~* &* +@all\n"
# Commands that Redis allows without any right.
ANYBODY = {"auth", "hello", "quit", "reset"}
READS = {"hgetall", "hmget", "info", "llen", "xlen", "xpending", "xrange"}
READS |= {"xinfo|consumers", "xinfo|groups", "xinfo|help", "xinfo|stream"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChartRedis]:
    running = ChartRedis(tmp_path_factory.mktemp("chart") / "redis")
    running.start()
    yield running
    running.stop()


def _inspected(home: Path, *options: str) -> Iterator[redis.Redis]:
    running = ChartRedis(home, *options, users=INSPECTOR)
    running.start()
    url = f"redis://inspector:inspector@127.0.0.1:{running.port}"
    try:
        with redis.Redis.from_url(url, decode_responses=True) as client:
            yield client
    finally:
        running.stop()


@pytest.fixture(params=[256, 1001])
def sized(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[int, redis.Redis]]:
    """The container's memory in MiB, and a client of that server that may read its settings."""
    for client in _inspected(tmp_path / "redis", f"--set=redis.memoryMi={request.param}"):
        yield request.param, client


@pytest.fixture(scope="module")
def inspector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    yield from _inspected(tmp_path_factory.mktemp("inspected") / "redis")


def test_a_full_server_rejects_writes_and_accepted_writes_are_on_disk(sized: tuple[int, redis.Redis]) -> None:
    mib, client = sized
    settings = client.config_get("maxmemory*", "append*", "save")
    wanted = {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "everysec", "save": ""}
    assert {key: settings[key] for key in wanted} == wanted
    most = int(str(settings["maxmemory"])) / 2**20
    assert most == mib * 3 // 4


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_it_listens_on_ipv4_and_ipv6(server: ChartRedis, address: str) -> None:
    with redis.Redis(host=address, port=server.port) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_each_url_of_the_secret_selects_its_own_database(server: ChartRedis) -> None:
    for database in range(3):
        with redis.Redis.from_url(server.url(database), decode_responses=True) as client:
            client.set("here", database)
    for database in range(3):
        with redis.Redis.from_url(server.url(database), decode_responses=True) as client:
            assert client.get("here") == str(database)


@pytest.mark.parametrize(
    "command",
    ["CONFIG GET maxmemory", "FLUSHALL", "KEYS *", "SHUTDOWN", "ACL LIST", "MONITOR", "REPLICAOF NO ONE"],
)
def test_a_service_cannot_administer_the_server(server: ChartRedis, command: str) -> None:
    with redis.Redis.from_url(server.url()) as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command.split())


def test_the_operator_can_read_every_scaling_signal(server: ChartRedis) -> None:
    with redis.Redis.from_url(server.url()) as services:
        services.xadd("feed:india", {"n": 1})
        services.xgroup_create("feed:india", "enrichers", id="0")
        services.hset("feed:india:service", "entries", 7)
    with redis.Redis.from_url(server.url(1)) as broker:
        broker.rpush("enrich.india", "task")
    with redis.Redis.from_url(server.operator_url, decode_responses=True) as operator:
        assert operator.xinfo_stream("feed:india")["length"] == operator.xlen("feed:india") == 1
        assert operator.xinfo_groups("feed:india")[0]["name"] == "enrichers"
        assert operator.xpending("feed:india", "enrichers")["pending"] == 0
        assert len(operator.xrange("feed:india", count=1)) == 1
        assert operator.hgetall("feed:india:service") == {"entries": "7"}
        with operator.pipeline() as both:
            both.execute_command("SELECT", 1)
            assert both.llen("enrich.india").execute()[-1] == 1


def _commands(client: redis.Redis) -> Iterator[tuple[str, int]]:
    """Each command of the server, a subcommand as `command|subcommand`, and the number of words it needs."""
    for each in client.execute_command("COMMAND").values():
        for name, arity, *_ in each["subcommands"] or [(each["name"], each["arity"])]:
            yield name, abs(arity)


def _may(client: redis.Redis, user: str) -> set[str]:
    """The commands that the user may run."""
    found = set()
    for name, words in _commands(client):
        command = name.split("|")
        command += ["1"] * (words - len(command))
        if "no permissions" not in str(client.execute_command("ACL DRYRUN", user, *command)):
            found.add(name)
    return found


def test_the_operator_may_run_no_other_command(inspector: redis.Redis) -> None:
    assert _may(inspector, "operator") == READS | ANYBODY | {"exec", "multi", "ping", "select"}


def test_a_client_without_a_password_is_rejected(server: ChartRedis) -> None:
    with redis.Redis(port=server.port) as anonymous:
        with pytest.raises(redis.exceptions.AuthenticationError):
            anonymous.get("here")
        with pytest.raises(redis.exceptions.AuthenticationError):
            anonymous.execute_command("AUTH", "default", "")


def test_probes_succeed_while_it_serves(server: ChartRedis) -> None:
    assert server.probes() == {"startup": 0, "liveness": 0, "readiness": 0}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[ChartRedis]:
    """A server of its own for a test that stops it."""
    running = ChartRedis(tmp_path / "redis")
    running.start()
    yield running
    running.kill()


def test_a_server_that_loads_its_data_is_alive_but_not_ready(own: ChartRedis) -> None:
    with redis.Redis.from_url(own.url()) as client, client.pipeline(transaction=False) as many:
        for number in range(14_000):
            many.set(f"key:{number}", "value")
        many.execute()
    own.stop()
    own.slow = True
    own.start()
    assert own.probes() == {"startup": 0, "liveness": 0, "readiness": 1}
    wait_until(lambda: own.probe("readinessProbe").returncode == 0, "it is ready once it has loaded its data")


def test_probes_still_succeed_after_the_password_file_changes(own: ChartRedis) -> None:
    (own.home / "operator-password").write_text("another")
    assert own.probes() == {"startup": 0, "liveness": 0, "readiness": 0}


def test_a_dead_server_fails_every_probe(own: ChartRedis) -> None:
    own.kill()
    assert own.probes() == {"startup": 1, "liveness": 1, "readiness": 1}


def test_a_hanging_server_fails_the_probes_within_their_timeout(own: ChartRedis) -> None:
    os.kill(own.pid, signal.SIGSTOP)
    try:
        output = own.probe("livenessProbe"), own.probe("readinessProbe")
    finally:
        os.kill(own.pid, signal.SIGCONT)
    assert [each.returncode for each in output] == [1, 1]
    assert "redis does not answer" in output[0].stdout
    assert "redis is not ready" in output[1].stdout
