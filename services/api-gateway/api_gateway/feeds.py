"""Read the feeds table, and ask a local run to change a feed: through Redis, where the operator is.

OUTAGE POLICY: without Redis, or without a table in it, both answer 503. A local run that does not reply
within `WAIT_S` seconds is a 504; it ignores a request that is older than `VALID_S`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from api_gateway.errors import (
    ChangeRefused,
    ClusterIsAuthority,
    FeedsUnavailable,
    FeedUnknown,
    OperatorTimeout,
)

EXTENSION = "deltastream.feeds"
TABLE, REQUESTS = "feeds:table", "feeds:requests"
WAIT_S, VALID_S = 6, 5
_REQUESTS_MAX, _REQUESTS_TTL_S = 20, 30


@dataclass
class Feeds:
    """The operator's keys in Redis (contracts `feeds-table`, `feeds-request`, `feeds-reply`)."""

    # redis-py's reply types fit neither its sync nor its async client, hence Any.
    reading: Any
    waiting: Any
    """The client that waits for replies. Its timeout is longer than the wait."""
    clock: Callable[[], float] = time.time

    def table(self) -> bytes:
        """Return the table as the operator wrote it. Raises FeedsUnavailable."""
        found: bytes | None = asked(lambda: self.reading.get(TABLE))
        if found is None:
            raise FeedsUnavailable(
                "the operator has not published the feeds for 30 s: is it running, and does Redis accept"
                " its writes? See `make logs`, or in a cluster the log of the operator's pod"
            )
        return found

    def require_known(self, feed: str) -> None:
        """Raise FeedUnknown if the table lists all feeds, but not this one."""
        table = orjson.loads(self.table())
        if not table["omitted"] and all(row["name"] != feed for row in table["feeds"]):
            raise FeedUnknown(f"no feed {feed}: /api/feeds lists the feeds")

    def change(self, feed: str, action: str, given: dict[str, Any], account: str) -> bytes:
        """Ask the local run for a change, and return its reply.

        `given` are the members of the request's body. Raises ClusterIsAuthority, FeedUnknown, ChangeRefused,
        FeedsUnavailable or OperatorTimeout.
        """
        request_id = secrets.token_hex(16)
        expires_at = int(self.clock()) + VALID_S
        request = {"id": request_id, "feed": feed, "action": action, **given}
        body = orjson.dumps({**request, "account": account, "expires_at": expires_at})
        reply = asked(lambda: self._exchange(request_id, body))
        if reply is None:
            raise OperatorTimeout(
                f"the local run did not reply within {WAIT_S} s: it may be stopping processes, or has ended."
                " Read /api/feeds to see whether the change was made, and repeat it if not"
            )
        answer = orjson.loads(reply)
        if answer["status"] != 200:
            raise {404: FeedUnknown, 400: ChangeRefused}[answer["status"]](answer["detail"])
        return orjson.dumps({"feed": answer["feed"], "detail": answer["detail"]})

    def require_local_run(self, feed: str, action: str, given: dict[str, Any]) -> None:
        """Raise ClusterIsAuthority, with the command to use instead, if a cluster decides about the feeds."""
        table = orjson.loads(self.table())
        if table["authority"] == "cluster":
            command = kubectl(table["namespace"], feed, action, given)
            raise ClusterIsAuthority(
                f"in a cluster the DeltaStreamFeed decides; change it there: {command}", command=command
            )

    def _exchange(self, request_id: str, body: bytes) -> bytes | None:
        with self.reading.pipeline() as pipe:
            pipe.rpush(REQUESTS, body)
            pipe.ltrim(REQUESTS, -_REQUESTS_MAX, -1)
            pipe.expire(REQUESTS, _REQUESTS_TTL_S)
            pipe.execute()
        found: tuple[bytes, bytes] | None = self.waiting.blpop(f"feeds:reply:{request_id}", timeout=WAIT_S)
        return found[1] if found else None


def connect(redis_url: str) -> Feeds:
    """Return the feeds of the Redis at this URL."""

    def client(timeout_s: float) -> redis.Redis:
        retry = Retry(NoBackoff(), 1)  # for a connection that was closed while it was idle
        return redis.Redis.from_url(
            redis_url, socket_connect_timeout=0.5, socket_timeout=timeout_s, retry=retry
        )

    return Feeds(client(1.0), client(WAIT_S + 2))


def kubectl(namespace: str, feed: str, action: str, given: dict[str, Any]) -> str:
    """Return the command that makes the change in a cluster."""
    if action == "pause":
        does, rest = "annotate", "deltastream.dev/paused=true --overwrite"
    elif action == "resume":
        does, rest = "annotate", "deltastream.dev/paused- deltastream.dev/paused-until-"
    elif action == "replay":
        return _replay_command(namespace, feed, given)
    elif "mode" not in given:
        does, rest = "scale", f"--replicas={given['replicas']}"
    else:
        spec: dict[str, Any] = {"mode": given["mode"]}
        if "replicas" in given:
            spec["enricher"] = {"replicas": given["replicas"]}
        does, rest = "patch", f"--type=merge --patch '{orjson.dumps({'spec': spec}).decode()}'"
    return f"kubectl --namespace {namespace} {does} dsf {feed} {rest}"


def _replay_command(namespace: str, feed: str, given: dict[str, Any]) -> str:
    """Return the command that replays from a time or at a speed. A resource has no pause of a recording."""
    replay: dict[str, Any] = {}
    if "speed_percent" in given:
        replay["speedPercent"] = given["speed_percent"]
    if "seek" in given:
        replay["from"] = given["seek"].isoformat()
    if not replay:
        return f"kubectl --namespace {namespace} edit dsf {feed}"
    patch = orjson.dumps({"spec": {"source": {"replay": replay}}}).decode()
    return f"kubectl --namespace {namespace} patch dsf {feed} --type=merge --patch '{patch}'"


def asked(ask: Callable[[], Any]) -> Any:
    """Return what a call to Redis returns. Raises FeedsUnavailable in an outage."""
    try:
        return ask()
    except redis.RedisError as error:
        raise FeedsUnavailable("Redis does not answer: the feeds are unknown; try again later") from error
