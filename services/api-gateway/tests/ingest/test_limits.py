"""The gateway refuses pushes while it, the enrichers or Redis cannot take more. A retry loses nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Semaphore
from typing import Any

import pytest
import redis
from devcluster.processes.stores import RedisServer
from tests.support.pushes import publish, push, results, tick
from tests.support.tokens import headers_of

from api_gateway import ingest


def test_of_many_simultaneous_pushes_some_are_sent_away(
    writer: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise one program with many connections would keep every thread of the gateway busy."""
    read, reading, free = ingest.checked, Semaphore(0), Event()

    def slowly(*given: Any, **named: Any) -> Any:
        reading.release()
        assert free.wait(30)
        return read(*given, **named)

    monkeypatch.setattr(ingest, "checked", slowly)
    with ThreadPoolExecutor(ingest.AT_A_TIME) as pool:
        served = [pool.submit(push, writer, tick(seq)) for seq in range(1, ingest.AT_A_TIME + 1)]
        try:
            for _ in served:
                assert reading.acquire(timeout=30)
            got = push(writer, tick(99))
            assert (got.status_code, got.json["code"], got.headers["Retry-After"]) == (
                429,
                "back_pressure",
                "1",
            )
        finally:
            free.set()
        assert [results(one.result()) for one in served] == [["accepted"]] * ingest.AT_A_TIME
    assert results(push(writer, tick(99))) == ["accepted"]


def test_a_backlog_at_the_high_water_mark_is_429_until_it_is_processed(gateway: Any, store: Any) -> None:
    """Unread and unacknowledged entries count. Nothing is appended, so that a retry loses nothing."""
    client = gateway.client(ingest_high_water=3)
    assert results(push(client, tick(1), tick(2), tick(3))) == ["accepted"] * 3
    got = push(client, tick(4))
    assert (got.status_code, got.json["code"], got.headers["Retry-After"]) == (429, "back_pressure", "2")
    store.xgroup_create("feed:mine", "enricher", id="0")
    ((_, entries),) = store.xreadgroup("enricher", "w", {"feed:mine": ">"}, count=2)
    assert push(client, tick(4)).status_code == 429
    store.xack("feed:mine", "enricher", entries[0][0])
    assert results(push(client, tick(4))) == ["accepted"]


@pytest.mark.parametrize("share", [0.85, 2.0])
def test_a_redis_that_is_nearly_or_quite_full_is_429(gateway: Any, tmp_path: Path, share: float) -> None:
    """All feeds share the memory. With `noeviction` a full Redis refuses the script as a whole."""
    with RedisServer(tmp_path / "redis") as own, redis.Redis.from_url(own.url()) as store:
        publish(store)
        client = gateway.client(redis_url=own.url())
        first = tick(1)
        assert results(push(client, first)) == ["accepted"]
        used = store.info("memory")["used_memory"]
        store.config_set("maxmemory-policy", "noeviction")
        store.config_set("maxmemory", int(used / share))
        got = push(client, tick(2))
        assert (got.status_code, got.json["code"]) == (429, "back_pressure")
        assert int(got.headers["Retry-After"]) > 0
        store.config_set("maxmemory", 0)
        assert results(push(client, first, tick(2))) == ["repeated", "accepted"]


def test_a_redis_that_is_gone_is_503_and_a_retry_is_harmless(gateway: Any, tmp_path: Path) -> None:
    """The answer says so, because some messages may have been appended."""
    with RedisServer(tmp_path / "redis") as own, redis.Redis.from_url(own.url()) as store:
        publish(store)
        client = gateway.client(redis_url=own.url())
        assert results(push(client, tick(1))) == ["accepted"]
        own.kill()
        got = push(client, tick(2))
        assert (got.status_code, got.json["code"]) == (503, "stream_unavailable")
        assert "repeated" in got.json["detail"]
        assert got.headers["Retry-After"]


def test_pushes_have_a_limit_of_their_own(gateway: Any, store: Any, user: Any) -> None:
    """They do not use up the reads of the account."""
    client = gateway.client(rate_limit_per_minute=1, ingest_rate_limit_per_minute=2)
    answers = [push(client, tick(seq)).status_code for seq in (1, 2, 3)]
    assert answers == [200, 200, 429]
    assert client.get("/api/feeds", headers=headers_of("ingest")).status_code == 200
