"""One client: which rooms it is in, what waits for it, and the greenlet that sends at its pace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import gevent
from gevent.event import Event

from socket_gateway import metrics
from socket_gateway.limits import TokenBucket
from socket_gateway.outbox import Frame, Kind, Outbox
from socket_gateway.transport import event_packet


class Wire(Protocol):
    """What a client needs of its transport."""

    @property
    def closed(self) -> bool: ...

    def backlog(self) -> int: ...

    def send(self, packet: object) -> None: ...

    def drain(self, within_s: float) -> bool: ...

    def close(self, flush_s: float) -> None: ...


class Client:
    """Frames go straight to the transport while it keeps up, and through the outbox while it does not.

    `on_slow` is called once when the transport stayed blocked for `slow_s` or the outbox is full.
    """

    def __init__(
        self,
        sid: str,
        wire: Wire,
        bucket: TokenBucket,
        on_slow: Callable[[Client], None],
        *,
        window: int,
        outbox_limit: int,
        slow_s: float,
    ) -> None:
        self.sid, self.wire, self.bucket = sid, wire, bucket
        self._on_slow, self._window, self._slow_s = on_slow, window, slow_s
        self._outbox = Outbox(outbox_limit)
        self._sent: dict[str, int] = {}  # room -> the last number that was sent or announced
        self._wake = Event()
        self._idle = False  # True: nothing waits, so `offer` may write by itself
        self._in_hand = 0  # taken out of the outbox, not yet written
        self._over = False
        self._sender: gevent.Greenlet | None = None

    @property
    def rooms(self) -> set[str]:
        return set(self._sent)

    @property
    def waiting(self) -> int:
        """Frames that have not been handed to the connection."""
        return len(self._outbox) + self._in_hand + self.wire.backlog()

    def start(self, is_connected: Callable[[], bool]) -> None:
        """Begin sending as soon as `is_connected()`: nothing may precede Socket.IO's own CONNECT."""
        self._sender = gevent.spawn(self._run, is_connected)

    def stop(self) -> None:
        """Send nothing more."""
        self._over = True
        if self._sender is not None and self._sender is not gevent.getcurrent():
            self._sender.kill(block=False)

    def enter(self, room: str, seq: int) -> None:
        """Be in `room`, whose numbers up to `seq` are not for this client."""
        self._sent[room] = seq

    def leave(self, room: str) -> None:
        self._sent.pop(room, None)
        self._outbox.drop_room(room)

    def tell(self, name: str, payload: object) -> None:
        """Answer with an event that belongs to no room."""
        self.offer(Frame(Kind.CONTROL, event_packet(name, payload)))

    def offer(self, frame: Frame) -> None:
        """Send `frame` now or at the client's pace. Never blocks."""
        if self._over:
            return
        if self._idle and self.wire.backlog() < self._window:
            self._write(frame)
            return
        before = self._outbox.conflated
        if not self._outbox.put(frame):
            self._give_up()
            return
        if self._outbox.conflated != before:
            metrics.CONFLATED.inc()
        self._wake.set()

    def _run(self, is_connected: Callable[[], bool]) -> None:
        while not is_connected():
            if self.wire.closed:
                return
            gevent.sleep(0.005)
        while not self._over:
            frames = self._outbox.take()
            self._in_hand = len(frames)
            for frame in frames:
                if self.wire.backlog() >= self._window and not self.wire.drain(self._slow_s):
                    self._give_up()
                    return
                self._write(frame)
                self._in_hand -= 1
            if self._outbox:
                continue
            self._wake.clear()
            self._idle = True
            self._wake.wait()
            self._idle = False

    def _write(self, frame: Frame) -> None:
        if frame.kind is not Kind.CONTROL:
            last = self._sent.get(frame.room)
            if last is None:
                return  # left meanwhile
            if frame.kind is not Kind.SNAPSHOT:
                if frame.seq <= last:
                    return  # from before a leave and a new join
                self._sent[frame.room] = frame.seq
                missed_to = frame.seq if frame.kind is Kind.GAP else frame.seq - 1
                if missed_to > last:
                    self.wire.send(resync_packet(frame.room, last + 1, missed_to))
                if frame.kind is Kind.GAP:
                    return
        self.wire.send(frame.packet)

    def _give_up(self) -> None:
        if not self._over:
            self._over = True
            self._on_slow(self)


def resync_packet(room: str, from_seq: int, to_seq: int) -> object:
    """Say that the numbers from..to of `room` will not come."""
    return event_packet("resync", {"room": room, "from_seq": from_seq, "to_seq": to_seq})
