"""Rooms, their sequence numbers and the fan-out of events: every client receives an event once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from socket_gateway import metrics
from socket_gateway.events import Event, Key, Order
from socket_gateway.outbox import Frame, Kind
from socket_gateway.requests import GENERAL
from socket_gateway.transport import event_packet

_REMEMBERED = 8192  # event keys whose last emission is stored; with more, a snapshot may repeat a live event


@dataclass(slots=True)
class _Room:
    """A room with members. If it was `published`, its number is kept when the last member leaves."""

    seq: int = 0
    published: bool = False
    members: dict[Any, None] = field(default_factory=dict)


class Member(Protocol):
    """A member of rooms (client.Client)."""

    def enter(self, room: str, seq: int) -> None: ...

    def leave(self, room: str) -> None: ...

    def offer(self, frame: Frame) -> None: ...

    @property
    def rooms(self) -> set[str]: ...


class Hub:
    """The rooms of this replica. Sequence numbers count per room, also while a room has no members."""

    def __init__(self) -> None:
        self._rooms: dict[str, _Room] = {}
        self._empty_rooms: dict[str, int] = {}  # published rooms without members, and their numbers
        self._emitted: dict[Key, tuple[int, Order]] = {}
        self._count = 0

    def join(self, member: Member, room: str) -> int:
        """Add `member` to `room` and return the room's current sequence number. Idempotent."""
        if room not in member.rooms:
            entered = self._rooms.get(room)
            if entered is None:
                published = room in self._empty_rooms
                entered = self._rooms[room] = _Room(self._empty_rooms.pop(room, 0), published)
            entered.members[member] = None
            member.enter(room, entered.seq)
            metrics.ROOMS.set(len(self._rooms))
        return self.seq(room)

    def leave(self, member: Member, room: str) -> None:
        if room == GENERAL:  # its product rooms deliver the ticks from here on
            for other in member.rooms - {GENERAL}:
                if other.startswith("product:"):
                    member.enter(other, self.seq(other))
        member.leave(room)
        left = self._rooms.get(room)
        if left is None:
            return
        left.members.pop(member, None)
        if not left.members:
            del self._rooms[room]
            if left.published:
                self._remember(room, left.seq)
        metrics.ROOMS.set(len(self._rooms))

    def remove(self, member: Member) -> None:
        for room in member.rooms:
            self.leave(member, room)

    def members(self, room: str) -> list[Any]:
        found = self._rooms.get(room)
        return list(found.members) if found else []

    def rooms(self) -> list[str]:
        """Return the rooms with at least one member."""
        return list(self._rooms)

    def publish(self, event: Event) -> None:
        """Offer a live event to every member of its rooms, once per member."""
        self._count += 1
        self._emitted.pop(event.key, None)
        self._emitted[event.key] = (self._count, event.order)
        if len(self._emitted) > _REMEMBERED:
            del self._emitted[next(iter(self._emitted))]
        for index, name in enumerate(event.rooms):
            room = self._rooms.get(name)
            if room is None:
                self._remember(name, self._empty_rooms.pop(name, 0) + 1)
                continue
            room.seq += 1
            room.published = True
            members = self._receivers(event, index)
            if members:
                packet = event_packet(event.name, {**event.payload, "room": name, "seq": room.seq})
                frame = Frame(Kind.LIVE, packet, event.key, name, room.seq)
                for member in members:
                    member.offer(frame)
                metrics.SENT.labels(event.name).inc(len(members))

    def _receivers(self, event: Event, index: int) -> list[Any]:
        """Return the members of room `index` that are in no earlier room of the event."""
        rooms = [self._rooms.get(name) for name in event.rooms[:index]]
        earlier = [room.members for room in rooms if room is not None]
        return [
            member
            for member in self.members(event.rooms[index])
            if not any(member in members for members in earlier)
        ]

    def seq(self, room: str) -> int:
        """Return the room's current sequence number."""
        found = self._rooms.get(room)
        return found.seq if found else self._empty_rooms.get(room, 0)

    def _remember(self, room: str, seq: int) -> None:
        self._empty_rooms[room] = seq
        if len(self._empty_rooms) > _REMEMBERED:
            del self._empty_rooms[next(iter(self._empty_rooms))]

    def mark(self) -> int:
        """Return a mark of the present for `snapshot`. Take it before reading the cache."""
        return self._count

    def snapshot(self, event: Event, room: str, since: int, members: Iterable[Member]) -> Frame | None:
        """Offer a cached event, unless a live event at least as new was emitted after the mark `since`.

        Returns the offered frame. It may be offered again as long as the room has the same number.
        """
        count, order = self._emitted.get(event.key, (0, event.order))
        members = list(members)
        if not members or (count > since and order >= event.order):
            return None
        payload = {**event.payload, "room": room, "seq": self.seq(room), "snapshot": True}
        frame = Frame(Kind.SNAPSHOT, event_packet(event.name, payload), event.key, room, self.seq(room))
        for member in members:
            member.offer(frame)
        metrics.SENT.labels(event.name).inc(len(members))
        return frame

    def gap(self) -> None:
        """Announce a gap in every room. All lost events together count as one sequence number."""
        for name, room in list(self._rooms.items()):
            room.seq += 1
            for member in list(room.members):
                member.offer(Frame(Kind.GAP, None, None, name, room.seq))
