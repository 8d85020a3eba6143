"""Steer the replay of a feed, and tell where it is: through Redis, where its generators look.

Only a local run is steered. In a cluster the DeltaStreamFeed decides how a recording plays.

OUTAGE POLICY: without Redis the answer is 503. While no generator of the replay reports it is 409.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import orjson

from api_gateway.chassis.problems import BadInput
from api_gateway.errors import FeedNotReplay, ReplayUnavailable
from api_gateway.feeds import Feeds, asked

EXTENSION = "deltastream.replays"
_FRESH_NS = 15_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _State(msgspec.Struct):
    """The members of the contract feed-replay that the gateway needs."""

    shard: int
    paused: bool
    ended: bool
    speed_percent: int
    position_ts: int
    first_ts: int
    last_ts: int
    pass_number: int
    ts: int


_state = msgspec.json.Decoder(_State)


@dataclass
class Replays:
    """The hashes of the contracts `feed-replay` and `feed-replay-command`."""

    # redis-py's reply types fit neither its sync nor its async client, hence Any.
    client: Any
    feeds: Feeds
    now_ns: Callable[[], int] = time.time_ns
    new_id: Callable[[], str] = lambda: secrets.token_hex(4)

    def state(self, feed: str) -> bytes:
        """Return where the replay is.

        Raises FeedUnknown, FeedNotReplay, ReplayUnavailable or FeedsUnavailable.
        """
        return orjson.dumps(_shown(feed, self._states(feed)))

    def command(self, feed: str, given: dict[str, Any]) -> bytes:
        """Pause, pace or seek; `given` are the members of the request's body. Returns what was asked.

        Raises as `state`, and BadInput for a time that the recording does not have.
        """
        states = self._states(feed)
        first_ts, last_ts = states[0].first_ts, states[0].last_ts
        fields: dict[str, str] = {}
        if "paused" in given:
            fields["paused"] = "true" if given["paused"] else "false"
        if "speed_percent" in given:
            fields["speed_percent"] = str(given["speed_percent"])
        if "seek" in given:
            ts = _ns(given["seek"])
            # The answers show the bounds in microseconds, so one that comes back is a little early.
            if not first_ts // 1000 <= ts // 1000 <= last_ts // 1000:
                raise BadInput(("seek", f"must be from {_text(first_ts)} to {_text(last_ts)}"))
            fields["seek"] = f"{min(ts, last_ts)}:{self.new_id()}"
        asked(lambda: self.client.hset(f"feed:{feed}:replay-command", mapping=fields))
        detail = (
            "the generators obey within a second; it lasts until the local run ends: the next start reads the"
            " feed's file again"
        )
        if "seek" in given:
            detail += (
                ". Stored data stay sorted by event time: /api/data/chain/PRODUCT?end=TIME leaves out what is"
                " later in the recording"
            )
        return orjson.dumps({"feed": feed, "detail": detail})

    def _states(self, feed: str) -> list[_State]:
        """Return the states of the feed's generators, by shard."""
        self._require_replay(feed)
        found: dict[bytes, bytes] = asked(lambda: self.client.hgetall(f"feed:{feed}:replay"))
        states = [state for text in found.values() if (state := _decoded(text))]
        oldest = self.now_ns() - _FRESH_NS
        fresh = sorted((one for one in states if one.ts >= oldest), key=lambda state: state.shard)
        if not fresh:
            raise ReplayUnavailable(
                f"no generator of the replay {feed} has reported for 15 s: it is starting, or it is stopped."
                " See /api/feeds, and try again"
            )
        return fresh

    def _require_replay(self, feed: str) -> None:
        self.feeds.require_known(feed)
        rows = orjson.loads(self.feeds.table())["feeds"]
        source = next((row["source"] for row in rows if row["name"] == feed), "replay")  # a table may omit it
        if source != "replay":
            raise FeedNotReplay(
                f"the feed {feed} has the source {source or '(its spec cannot be read)'}: only a feed with"
                " spec.source.replay can be paused, paced and sought"
            )


def _decoded(text: bytes) -> _State | None:
    try:
        return _state.decode(text)
    except msgspec.DecodeError:
        return None


def _shown(feed: str, states: list[_State]) -> dict[str, Any]:
    newest = max(states, key=lambda state: (state.pass_number, state.position_ts))
    return {
        "feed": feed,
        "paused": all(state.paused for state in states),
        "ended": all(state.ended for state in states),
        "speed_percent": states[0].speed_percent,
        "position": _text(newest.position_ts),
        "first": _text(newest.first_ts),
        "last": _text(newest.last_ts),
        "pass_number": newest.pass_number,
        "generators": len(states),
    }


def _ns(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1) * 1000


def _text(ns: int) -> str:
    return (
        f"{datetime.fromtimestamp(ns // 1_000_000_000, UTC):%Y-%m-%dT%H:%M:%S}.{ns // 1000 % 1_000_000:06}Z"
    )
