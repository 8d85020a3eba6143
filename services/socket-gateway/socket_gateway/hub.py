"""Rooms, their sequence numbers, and fan-out: every client gets an event once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Protocol

from socket_gateway import metrics
from socket_gateway.events import Event, Key, Order
from socket_gateway.outbox import Frame, Kind
from socket_gateway.requests import GENERAL
from socket_gateway.transport import event_packet

_REMEMBERED = 8192  # keys whose last emission is known; beyond that a snapshot may repeat a live event


class Member(Protocol):
    """What the hub needs of a client."""

    def enter(self, room: str, seq: int) -> None: ...

    def leave(self, room: str) -> None: ...

    def offer(self, frame: Frame) -> None: ...

    @property
    def rooms(self) -> set[str]: ...


class Hub:
    """Numbers count per room and per replica, also while nobody listens."""

    def __init__(self) -> None:
        self._members: dict[str, dict[Any, None]] = {}
        self._seq: defaultdict[str, int] = defaultdict(int)
        self._emitted: dict[Key, tuple[int, Order]] = {}
        self._count = 0

    def join(self, member: Member, room: str) -> int:
        """Put `member` into `room` (again is harmless); the number after which its events start."""
        if room not in member.rooms:
            self._members.setdefault(room, {})[member] = None
            member.enter(room, self._seq[room])
            metrics.ROOMS.set(len(self._members))
        return self._seq[room]

    def leave(self, member: Member, room: str) -> None:
        if room == GENERAL:  # its product rooms take over, from here on
            for other in member.rooms - {GENERAL}:
                if other.startswith("product:"):
                    member.enter(other, self._seq[other])
        member.leave(room)
        members = self._members.get(room, {})
        members.pop(member, None)
        if not members:
            self._members.pop(room, None)
        metrics.ROOMS.set(len(self._members))

    def remove(self, member: Member) -> None:
        for room in member.rooms:
            self.leave(member, room)

    def members(self, room: str) -> list[Any]:
        return list(self._members.get(room, ()))

    def rooms(self) -> list[str]:
        """Rooms with at least one member."""
        return list(self._members)

    def publish(self, event: Event) -> None:
        """Offer a live event to every member of its rooms, once each."""
        self._count += 1
        self._emitted.pop(event.key, None)
        self._emitted[event.key] = (self._count, event.order)
        if len(self._emitted) > _REMEMBERED:
            del self._emitted[next(iter(self._emitted))]
        for index, room in enumerate(event.rooms):
            self._seq[room] += 1
            members = self._through(event, index)
            if members:
                seq = self._seq[room]
                packet = event_packet(event.name, {**event.payload, "room": room, "seq": seq})
                frame = Frame(Kind.LIVE, packet, event.key, room, seq)
                for member in members:
                    member.offer(frame)
                metrics.SENT.labels(event.name).inc(len(members))

    def _through(self, event: Event, index: int) -> list[Any]:
        """Members that get the event through room `index`: those in no earlier one."""
        earlier = [self._members.get(room, {}) for room in event.rooms[:index]]
        return [
            member
            for member in self.members(event.rooms[index])
            if not any(member in members for members in earlier)
        ]

    def mark(self) -> int:
        """A point in time to compare snapshots with: take it before reading the cache."""
        return self._count

    def snapshot(self, event: Event, room: str, since: int, members: Iterable[Member]) -> None:
        """Offer a cached event, unless what was emitted after `since` is as new."""
        count, order = self._emitted.get(event.key, (0, event.order))
        members = list(members)
        if not members or (count > since and order >= event.order):
            return
        payload = {**event.payload, "room": room, "seq": self._seq[room], "snapshot": True}
        frame = Frame(Kind.SNAPSHOT, event_packet(event.name, payload), event.key, room, self._seq[room])
        for member in members:
            member.offer(frame)
        metrics.SENT.labels(event.name).inc(len(members))

    def gap(self) -> None:
        """Tell every room that an unknown number of events was lost: one number stands for them all."""
        for room in self.rooms():
            self._seq[room] += 1
            for member in self.members(room):
                member.offer(Frame(Kind.GAP, None, None, room, self._seq[room]))
