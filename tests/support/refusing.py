"""Make a running Redis reject every write for a while, as after a full disk or a lost replica."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import redis
from devcluster.processes.stores import RedisServer
from devcluster.waiting import wait_until


@contextmanager
def without_its_disk(server: RedisServer) -> Iterator[None]:
    """Cause MISCONF errors: a snapshot fails while stop-writes-on-bgsave-error has its default."""
    with redis.Redis.from_url(server.url(), decode_responses=True) as client:
        client.config_set("save", "3600 1000000")  # a failed snapshot blocks writes only if `save` is set
        in_its_place = server.home / "dump.rdb"  # a folder: not even root can rename a file over it
        in_its_place.unlink(missing_ok=True)
        in_its_place.mkdir()
        try:
            _snapshot(client, "err")
            yield
        finally:
            in_its_place.rmdir()
        _snapshot(client, "ok")


def _snapshot(client: redis.Redis, ends: str) -> None:
    client.bgsave()
    wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == ends, f"snapshot: {ends}")


@contextmanager
def without_its_replica(server: RedisServer) -> Iterator[None]:
    """Cause NOREPLICAS errors: Redis requires a replica and has none."""
    with redis.Redis.from_url(server.url()) as client:
        client.config_set("min-replicas-to-write", 1)
        yield
        client.config_set("min-replicas-to-write", 0)


Refusal = Callable[[RedisServer], AbstractContextManager[None]]
REFUSALS: dict[str, Refusal] = {"MISCONF": without_its_disk, "NOREPLICAS": without_its_replica}
