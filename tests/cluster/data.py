"""Access to the two stores of a release through port-forwards, to account for every message."""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import redis
from devcluster.kube import Cluster
from devcluster.release import NAME
from pymongo import MongoClient
from pymongo.database import Database

from tests.support.contracts import example


def secret(cluster: Cluster, name: str) -> dict[str, str]:
    """The decoded values of a Secret."""
    data = cluster.get("secret", name).get("data", {})
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


@contextmanager
def redis_client(cluster: Cluster) -> Iterator[redis.Redis]:
    """A client of Redis with the services' credentials (database 0)."""
    url = urlsplit(secret(cluster, f"{NAME}-redis")["redis_url"])
    with (
        cluster.forward(f"svc/{NAME}-redis", 6379) as port,
        redis.Redis(
            host="127.0.0.1", port=port, username=url.username, password=url.password, decode_responses=True
        ) as client,
    ):
        yield client


@contextmanager
def database(cluster: Cluster) -> Iterator[Database[dict[str, Any]]]:
    """The application's database in MongoDB."""
    url = urlsplit(secret(cluster, f"{NAME}-mongodb")["mongo_url"])
    with cluster.forward(f"svc/{NAME}-mongodb", 27017) as port:
        client: MongoClient[dict[str, Any]] = MongoClient(
            "127.0.0.1",
            port,
            username=url.username,
            password=url.password,
            authSource="deltastream",
            directConnection=True,
            serverSelectionTimeoutMS=60_000,
        )
        with client:
            yield client["deltastream"]


def append(client: redis.Redis, feed: str, count: int, *, product: str) -> set[tuple[int, int]]:
    """Append `count` option quotes of a recording to a feed's stream in one pipeline. Returns their mids."""
    body = example("market-option_quote") | {"feed": feed, "product": product}
    body["symbol"] = body["symbol"].replace("NIFTY", product)
    epoch, now = int(time.time()), time.time_ns()
    for first in range(1, count + 1, 2000):
        with client.pipeline(transaction=False) as pipe:
            for seq in range(first, min(first + 2000, count + 1)):
                body |= {"mid": f"{epoch}:{seq}", "sent_ts": now, "replay": epoch * 1_000_000}
                pipe.xadd(f"feed:{feed}", {"kind": "option_quote", "body": json.dumps(body)})
            pipe.execute()
    return set(itertools.product([epoch], range(1, count + 1)))
