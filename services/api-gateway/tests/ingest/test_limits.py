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

from api_gateway import ingest, ingest_turns


class Held:
    """Pushes that the gateway has begun to process and does not finish before `free` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._reading, self.free = Semaphore(0), Event()
        read = ingest.checked

        def slowly(*given: Any, **named: Any) -> Any:
            self._reading.release()
            assert self.free.wait(30)
            return read(*given, **named)

        monkeypatch.setattr(ingest, "checked", slowly)

    def begun(self, count: int) -> None:
        """Wait until so many more pushes are being processed."""
        for _ in range(count):
            assert self._reading.acquire(timeout=30)


def sent_away(answer: Any) -> bool:
    """Return whether a push was refused because others are being processed."""
    if answer.status_code == 200:
        return False
    assert (answer.status_code, answer.json["code"]) == (429, "back_pressure")
    assert answer.headers["Retry-After"] == "1"
    assert "pushes" in answer.json["detail"]
    return True


def test_an_account_with_slow_pushes_leaves_room_for_others(
    writer: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One program with many connections must neither keep every thread busy nor starve another account."""
    held, (greedy, other) = Held(monkeypatch), (headers_of("ingest", name * 32) for name in "ab")
    with ThreadPoolExecutor(4) as pool:
        try:
            served = [pool.submit(push, writer, tick(seq), **greedy) for seq in (1, 2)]
            held.begun(2)
            assert sent_away(push(writer, tick(3), **greedy))
            assert "2 of this account" in push(writer, tick(3), **greedy).json["detail"]
            served.append(pool.submit(push, writer, tick(4), **other))
            held.begun(1)
            assert sent_away(push(writer, tick(3), **greedy))
        finally:
            held.free.set()
        assert [results(one.result()) for one in served] == [["accepted"]] * 3
    assert results(push(writer, tick(3), **greedy)) == ["accepted"]


def test_a_push_that_fails_gives_its_turn_back(gateway: Any, store: Any) -> None:
    """Also one that was refused as a whole. Otherwise the account would be refused for ever."""
    client = gateway.client()
    for _ in range(ingest_turns.AT_A_TIME + 1):
        assert push(client, b"").status_code == 400
        assert push(client, tick(), path="/api/ingest/other").status_code == 404
    assert results(push(client, tick())) == ["accepted"]


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
