"""What waits for one client: bounded, newest wins."""

from __future__ import annotations

import enum
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any


class Kind(enum.Enum):
    """How a frame counts in its room's sequence."""

    LIVE = enum.auto()  # takes the number `seq`
    SNAPSHOT = enum.auto()  # carries the room's current number and takes none
    GAP = enum.auto()  # says that everything up to `seq` that was not sent will not come
    CONTROL = enum.auto()  # an answer; in no room


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """An encoded event; one object is shared by all clients of a room."""

    kind: Kind
    packet: Any
    key: Hashable = None  # None: never replaced
    room: str = ""
    seq: int = 0


class Outbox:
    """At most `limit` frames, one a key: a newer frame takes the older one's place, at the end.

    At the end, because then the numbers of a room leave in order. What keeps a busy key from waiting
    for ever is `take`: it hands over everything, and what comes later waits behind that.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._frames: dict[Hashable, Frame] = {}
        self.conflated = 0

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: Frame) -> bool:
        """Keep `frame`; False when it does not fit."""
        key = frame if frame.key is None else frame.key
        if self._frames.pop(key, None) is not None:
            self.conflated += 1
        elif len(self._frames) >= self._limit:
            return False
        self._frames[key] = frame
        return True

    def take(self) -> list[Frame]:
        """Everything that waits, oldest first; the outbox is empty afterwards."""
        frames, self._frames = list(self._frames.values()), {}
        return frames

    def drop_room(self, room: str) -> None:
        """Forget what waits for a room that the client left."""
        self._frames = {key: frame for key, frame in self._frames.items() if frame.room != room}
