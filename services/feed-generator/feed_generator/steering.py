"""Steer a replay from Redis, and report where it is.

The hash `feed:{feed}:replay-command` (contract feed-replay-command) says how all shards of the feed play. The
hash `feed:{feed}:replay` has a field for each shard, with the JSON of the contract feed-replay. This key
lives for 15 s after the last report.

OUTAGE POLICY: without Redis the replay goes on as it was asked last; the publisher logs the outage.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import redis
import structlog

from feed_generator import metrics
from feed_generator.sources.player import Player

LOOK_NS, REPORT_NS = 200_000_000, 1_000_000_000
LIVES_S = 15
_FIELDS = ("paused", "speed_percent", "seek")
_SPEED, _SEEK = re.compile("[1-9][0-9]{0,6}"), re.compile("([0-9]{1,19}):[0-9a-f]{8}")
_MAX_SPEED, _MAX_TS = 1_000_000, 4_102_444_800_000_000_000
_log = structlog.get_logger("steering")


class ReplayState(msgspec.Struct):
    """The contract feed-replay. Times are ns since the epoch; `position_ts` is an event time."""

    feed: str
    shard: int
    paused: bool
    ended: bool
    speed_percent: int
    position_ts: int
    first_ts: int
    last_ts: int
    pass_number: int
    seek: str | None
    ts: int


@dataclass(frozen=True, slots=True)
class Command:
    """How to play. None: as the feed says. `seek` is the event time and an id, as text."""

    paused: bool | None
    speed_percent: int | None
    seek: str | None

    @classmethod
    def of(cls, values: list[bytes | None]) -> Command:
        """Return the command of the hash's fields. Raises ValueError if they break the contract."""
        paused, speed, seek = (None if one is None else one.decode("ascii") for one in values)
        if paused not in (None, "true", "false"):
            raise ValueError("paused: must be true or false")
        if speed is not None and not (_SPEED.fullmatch(speed) and int(speed) <= _MAX_SPEED):
            raise ValueError(f"speed_percent: must be 1 to {_MAX_SPEED}")
        if seek is not None and not ((found := _SEEK.fullmatch(seek)) and int(found[1]) <= _MAX_TS):
            raise ValueError("seek: must be ns since the epoch, a colon and 8 hexadecimal digits")
        return cls(None if paused is None else paused == "true", None if speed is None else int(speed), seek)

    @property
    def seek_ts(self) -> int:
        """The event time of `seek`, which must not be None."""
        return int((self.seek or "").partition(":")[0])


class Steering:
    """Steers the player of one shard. `step` is cheap and mostly does nothing.

    A generator that starts obeys the last command too, also its seek. So it goes on as its other shards do.
    """

    def __init__(
        self,
        player: Player,
        client: redis.Redis,
        *,
        feed: str,
        shard: int,
        now_ns: Callable[[], int] = time.time_ns,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        # redis-py's reply types fit neither its sync nor its async client, hence Any.
        self._player, self._client = player, cast(Any, client)
        self._feed, self._shard, self._now_ns, self._clock = feed, shard, now_ns, clock
        self._usual_speed = player.speed_percent
        self._values: list[bytes | None] = [None] * len(_FIELDS)
        self._seek: str | None = None
        self._look_at = self._report_at = 0

    def step(self, offset_ns: int) -> None:
        """Obey a new command, and report. `offset_ns`: time since the publisher's start."""
        self._player.step(offset_ns)
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_NS
        try:
            changed = self._obey(self._client.hmget(f"feed:{self._feed}:replay-command", _FIELDS))
            if changed or now >= self._report_at:
                self._report_at = now + (LOOK_NS if changed else REPORT_NS)  # a seek has soon found its place
                self._report()
        except redis.RedisError:
            self._look_at = now + REPORT_NS  # each call may block until its timeout
            metrics.REDIS_ERRORS.inc()

    def _obey(self, values: list[bytes | None]) -> bool:
        if values == self._values:
            return False
        self._values = values
        try:
            command = Command.of(values)
        except ValueError as error:
            _log.warning("replay_command_refused", error=str(error)[:100])
            return False
        self._player.pace(
            paused=command.paused or False, speed_percent=command.speed_percent or self._usual_speed
        )
        if command.seek not in (None, self._seek):
            self._player.seek(command.seek_ts)
        self._seek = command.seek
        return True

    def _report(self) -> None:
        key = f"feed:{self._feed}:replay"
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hset(key, str(self._shard), msgspec.json.encode(self.state()))
            pipe.expire(key, LIVES_S)
            pipe.execute()

    def state(self) -> ReplayState:
        """Return where the player is now."""
        player = self._player
        return ReplayState(
            feed=self._feed,
            shard=self._shard,
            paused=player.paused,
            ended=player.ended,
            speed_percent=player.speed_percent,
            position_ts=player.position_ts,
            first_ts=player.first_ts,
            last_ts=player.last_ts,
            pass_number=player.pass_number,
            seek=self._seek,
            ts=self._now_ns(),
        )
