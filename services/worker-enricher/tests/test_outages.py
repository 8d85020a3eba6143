"""Tests that a Redis that refuses all writes counts as an outage, however the write is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis
from devcluster.processes.stores import RedisServer
from pymongo.errors import OperationFailure
from tests.support.redis7 import Redis7
from tests.support.refusing import REFUSALS

from worker_enricher.adapters.outages import is_redis_outage
from worker_enricher.adapters.redis_client import connect
from worker_enricher.runner import is_outage


def _in_a_pipeline(client: redis.Redis) -> None:
    with client.pipeline(transaction=False) as pipe:
        pipe.get("key")
        pipe.set("key", "value")
        pipe.execute()


def _as_a_script_in_a_pipeline(client: redis.Redis) -> None:
    with client.pipeline(transaction=False) as pipe:
        client.register_script("return redis.call('SET', KEYS[1], 'value')")(["key"], client=pipe)
        pipe.execute()


WRITES: dict[str, Callable[[redis.Redis], object]] = {
    "write when full": lambda client: client.set("key", "value"),
    "plain": lambda client: client.xadd("stream", {"key": "value"}),
    "a script": lambda client: client.eval("return redis.call('SET', KEYS[1], 'value')", 1, "key"),
    "in a pipeline": _in_a_pipeline,
    "a script in a pipeline": _as_a_script_in_a_pipeline,
}


@pytest.mark.parametrize("code", REFUSALS)
@pytest.mark.parametrize("make", [RedisServer, Redis7])
def test_a_refusal_of_all_writes_is_an_outage(make: Any, code: str, tmp_path: Any) -> None:
    """In a pipeline, redis-py puts its own text before the server's message."""
    with make(tmp_path / "redis") as server, connect(server.url()) as client:
        with REFUSALS[code](server):
            for how, write in WRITES.items():
                with pytest.raises(redis.ResponseError, match=code) as refused:
                    write(client)
                assert is_redis_outage(refused.value), how
        for write in WRITES.values():
            write(client)


def test_a_code_in_a_commands_arguments_is_not_an_outage() -> None:
    """Only the server's message counts, not the command's arguments."""
    error = redis.ResponseError("Command # 1 (SET MISCONF x) of pipeline caused error: ERR syntax error")
    assert not is_redis_outage(error)


def test_a_mongodb_member_without_its_signing_keys_is_an_outage() -> None:
    """For a moment after its start, a member rejects the cluster time that its clients send.

    Seen on the node after `kubectl delete pod` of MongoDB. The entries are good, so no delivery is counted.
    """
    assert is_outage(OperationFailure("No keys found for HMAC that is valid for time", 211))
    assert not is_outage(OperationFailure("Document failed validation", 121))
