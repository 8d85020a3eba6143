"""The queue of frames for one client: limited in size, and newer frames replace older ones."""

from __future__ import annotations

import enum
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any


class Kind(enum.Enum):
    """The relation of a frame to its room's sequence numbers."""

    LIVE = enum.auto()  # has the new number `seq`
    SNAPSHOT = enum.auto()  # repeats the room's current number
    GAP = enum.auto()  # announces that unsent events up to `seq` are skipped
    CONTROL = enum.auto()  # a response; belongs to no room


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """An encoded event. All clients of a room share one object."""

    kind: Kind
    packet: Any
    key: Hashable = None  # None: never replaced
    room: str = ""
    seq: int = 0


class Outbox:
    """Holds at most `limit` frames, one per key. A newer frame replaces the older one and moves to the end.

    It moves to the end so that a room's sequence numbers are sent in order. A key with frequent updates still
    cannot starve: `take` removes all frames at once, and later frames are sent after them.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._frames: dict[Hashable, Frame] = {}
        self.conflated = 0

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: Frame) -> bool:
        """Add `frame`. Returns False if the outbox is full."""
        key = frame if frame.key is None else frame.key
        if self._frames.pop(key, None) is not None:
            self.conflated += 1
        elif len(self._frames) >= self._limit:
            return False
        self._frames[key] = frame
        return True

    def take(self) -> list[Frame]:
        """Remove and return all frames, oldest first."""
        frames, self._frames = list(self._frames.values()), {}
        return frames

    def drop_room(self, room: str) -> None:
        """Remove the frames of a room that the client has left."""
        self._frames = {key: frame for key, frame in self._frames.items() if frame.room != room}
