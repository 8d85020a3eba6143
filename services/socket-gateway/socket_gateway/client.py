"""One client: its rooms, its outbox, and the greenlet that sends at the client's pace."""

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
    """The connection that a client sends through (transport.Transport)."""

    @property
    def closed(self) -> bool: ...

    def backlog(self) -> int: ...

    def send(self, packet: object) -> None: ...

    def drain(self, within_s: float) -> bool: ...

    def close(self, flush_s: float) -> None: ...


class Client:
    """Sends frames directly while the connection keeps up, otherwise through the outbox.

    `window` is the number of packets that may be queued in the connection. `on_slow` is called once, when the
    connection has been blocked for `slow_s` seconds or the outbox is full.
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
        self._sent: dict[
            str, int
        ] = {}  # room -> the last sequence number that was sent or announced as skipped
        self._wake = Event()
        self._idle = False  # True: nothing is waiting, so `offer` may write directly
        self._taken = 0  # frames taken out of the outbox but not yet written
        self._stopped = False
        self._sender: gevent.Greenlet | None = None

    @property
    def rooms(self) -> set[str]:
        return set(self._sent)

    @property
    def waiting(self) -> int:
        """Return the number of frames that have not been written to the connection."""
        return len(self._outbox) + self._taken + self.wire.backlog()

    def start(self, is_connected: Callable[[], bool]) -> None:
        """Begin sending once `is_connected()` is true: Socket.IO's own CONNECT packet must come first."""
        self._sender = gevent.spawn(self._run, is_connected)

    def stop(self) -> None:
        """Stop sending."""
        self._stopped = True
        if self._sender is not None and self._sender is not gevent.getcurrent():
            self._sender.kill(block=False)

    def enter(self, room: str, seq: int) -> None:
        """Enter `room`. The client receives the events after the sequence number `seq`."""
        self._sent[room] = seq

    def leave(self, room: str) -> None:
        self._sent.pop(room, None)
        self._outbox.drop_room(room)

    def send_event(self, name: str, payload: object) -> None:
        """Send an event that belongs to no room, such as a response."""
        self.offer(Frame(Kind.CONTROL, event_packet(name, payload)))

    def offer(self, frame: Frame) -> None:
        """Send `frame` now, or put it into the outbox if the connection lags. Never blocks."""
        if self._stopped:
            return
        if self._idle and self.wire.backlog() < self._window:
            self._write(frame)
            return
        before = self._outbox.conflated
        if not self._outbox.put(frame):
            self._report_slow()
            return
        if self._outbox.conflated != before:
            metrics.CONFLATED.inc()
        self._wake.set()

    def _run(self, is_connected: Callable[[], bool]) -> None:
        while not is_connected():
            if self.wire.closed:
                return
            gevent.sleep(0.005)
        while not self._stopped:
            frames = self._outbox.take()
            self._taken = len(frames)
            for frame in frames:
                if self.wire.backlog() >= self._window and not self.wire.drain(self._slow_s):
                    self._report_slow()
                    return
                self._write(frame)
                self._taken -= 1
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
                return  # the client has left the room
            if frame.kind is not Kind.SNAPSHOT:
                if frame.seq <= last:
                    return  # older than the client's latest join
                self._sent[frame.room] = frame.seq
                missed_to = frame.seq if frame.kind is Kind.GAP else frame.seq - 1
                if missed_to > last:
                    self.wire.send(resync_packet(frame.room, last + 1, missed_to))
                if frame.kind is Kind.GAP:
                    return
        self.wire.send(frame.packet)

    def _report_slow(self) -> None:
        if not self._stopped:
            self._stopped = True
            self._on_slow(self)


def resync_packet(room: str, from_seq: int, to_seq: int) -> object:
    """Return the packet that announces the skipped sequence numbers of `room`, both ends included."""
    return event_packet("resync", {"room": room, "from_seq": from_seq, "to_seq": to_seq})
