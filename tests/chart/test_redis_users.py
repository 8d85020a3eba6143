"""The chart's Redis users have every right that the pipeline needs, and no right to administer the server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
from devcluster.waiting import wait_until
from redis.exceptions import NoPermissionError

from deltastream_operator.redis_feeds import RedisFeeds
from tests.chart.chart_redis import ChartRedis
from tests.support.only_appends import refused
from tests.support.pipelines import Pipelines, open_entries
from tests.support.redis7 import Redis7

_SCRIPTS = Path(__file__).parents[2] / "services/api-gateway/api_gateway/lua"
NEWEST_LETTERS, APPEND_NEW = _SCRIPTS / "newest_letters.lua", _SCRIPTS / "append_new.lua"
pytestmark = pytest.mark.timeout(300)  # the first run installs redis-cli


class ChartRedis7(Redis7, ChartRedis):
    """The same server, run by Debian's Redis 7 instead of the wheel's Valkey."""


@pytest.fixture(scope="module", params=[ChartRedis, ChartRedis7])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChartRedis]:
    home = tmp_path_factory.mktemp("chart") / "redis"
    with request.param(home, "--set=redis.writers={mine}") as running:
        yield running


def test_generator_subscriber_and_worker_have_every_right_they_need(
    server: ChartRedis, tmp_path: Path, mongo_url: str
) -> None:
    """Messages are stored, an invalid one becomes a dead letter, and no process logs a missing right."""
    urls = {"redis_url": server.url(), "broker_url": server.url(1), "mongo_url": mongo_url}
    with (
        redis.Redis.from_url(server.url()) as services,
        redis.Redis.from_url(server.operator_url, decode_responses=True) as operator,
        closing(Pipelines(tmp_path, {"a": "NIFTY"}, **urls)) as feed,
    ):
        feed.start_generators(200)
        feed.start_enrichers()
        services.xadd("feed:a", {"body": "{"})
        wait_until(lambda: feed.stored("a") > 500, "messages are stored")
        feed.stop_generators()
        wait_until(lambda: open_entries(operator, "a") == 0, "drained")
        assert services.eval(NEWEST_LETTERS.read_text(), 1, "dlq:a", 10)[0] == 1, "the gateway may read it"
        feed.check_accounts("a")
        assert feed.last_metric("a", "feed_redis_memory_ratio")[""] > 0, (
            "the generator may read Redis' memory use"
        )
        assert feed.ended == []
        log = feed.log("a")
        assert [line for line in log.splitlines() if "NOPERM" in line or "NoPermission" in line] == []


def test_the_operator_may_publish_the_feeds_table_and_the_services_may_read_it(server: ChartRedis) -> None:
    """The table with its channel and the external feeds are all that the operator writes."""
    with redis.Redis.from_url(server.url()) as services, services.pubsub() as listener:
        listener.subscribe("feeds:table")
        assert listener.get_message(timeout=5)
        RedisFeeds(server.operator_url).publish(b"{}", {"mine": "{}"})
        assert (listener.get_message(timeout=5) or {})["data"] == services.get("feeds:table") == b"{}"
        assert services.hgetall("feeds:external") == {b"mine": b"{}"}
        RedisFeeds(server.operator_url).publish(b"{}", {}, ["mine", "new"])
        assert services.hgetall("feeds:external") == {b"mine": b"{}"}


def test_the_gateway_may_append_what_is_pushed(server: ChartRedis) -> None:
    """The script of POST /api/ingest/{feed} needs no right that the services lack."""
    keys = ["feed:b", "feed:b:pushed", "feed:b:pushed:older"]
    with redis.Redis.from_url(server.url()) as services:
        for full, appended in ((1, 1), (10, 0)):
            message = ["7:1", "0", "underlying", "{}"]
            assert services.eval(APPEND_NEW.read_text(), 3, *keys, full, 60, "", *message) == [appended]


def test_the_writer_of_an_external_feed_may_only_append_to_its_stream(server: ChartRedis) -> None:
    """Redis refuses every other command, and every other key."""
    with redis.Redis.from_url(server.url()) as services:
        assert refused(server.writer_url("mine"), "mine", services) > 300


@pytest.mark.parametrize("fields", [1, 100])
def test_an_entry_takes_a_bounded_part_of_the_memory(server: ChartRedis, fields: int) -> None:
    """Redis reads a command as a whole before it refuses it, and by default up to 512 MiB for each field."""
    piece = b"x" * ((16 << 20) + 1 if fields == 1 else 4 << 20)
    command = [b"*%d\r\n" % (2 * fields + 3)]
    for word in (b"XADD", b"feed:mine", b"*", *[b"f", piece] * fields):
        command += [b"$%d\r\n" % len(word), word, b"\r\n"]
    with redis.Redis.from_url(server.url()) as services:
        limit, entries = services.info("memory")["maxmemory"], services.xlen("feed:mine")
        writer = redis.Redis.from_url(server.writer_url("mine")).connection_pool.get_connection()
        try:
            with pytest.raises(redis.ConnectionError):
                _answer(writer, command)
        finally:
            writer.disconnect()
        assert services.info("memory")["used_memory_peak"] < limit
        assert services.xlen("feed:mine") == entries


def _answer(connection: Any, command: list[bytes]) -> Any:
    connection.send_packed_command(command)
    return connection.read_response()


FORBIDDEN = {
    "app": (
        "ACL LIST",
        "BGSAVE",
        "CLIENT KILL TYPE normal",
        "CONFIG SET maxmemory 0",
        "FLUSHDB",
        "KEYS *",
        "MIGRATE 127.0.0.1 1 key 0 1",
        "MODULE LIST",
        "REPLICAOF 127.0.0.1 1",
        "SHUTDOWN NOSAVE",
        "SWAPDB 0 1",
    ),
    "operator": (
        "CONFIG GET *",
        "DEL feed:a",
        "EVAL return 1 0",
        "FLUSHALL",
        "GET latest:underlying:NIFTY",
        "PUBLISH market:underlying x",
        "SET feed:a x",
        "SET feeds:external x",
        "HSET feeds:table x x",
        "SET latest:underlying:NIFTY x",
        "SUBSCRIBE feeds:table",
        "SUBSCRIBE market:underlying",
        "XACK feed:a enricher 1-1",
        "XADD feed:a * body x",
        "XGROUP DESTROY feed:a enricher",
        "XTRIM feed:a MAXLEN 0",
    ),
}


@pytest.mark.parametrize(
    ("user", "command"), [(user, each) for user in FORBIDDEN for each in FORBIDDEN[user]]
)
def test_a_user_may_not_run_a_command_outside_its_role(server: ChartRedis, user: str, command: str) -> None:
    """Redis refuses the command because of the missing right, not because of its arguments."""
    url = server.url() if user == "app" else server.operator_url
    with redis.Redis.from_url(url) as client, pytest.raises(NoPermissionError):
        client.execute_command(*command.split())
