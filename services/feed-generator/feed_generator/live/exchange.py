"""The protocol of an exchange without I/O, and the errors that end a connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from feed_generator.live.ticks import Tick

Frame = str | bytes
_MAX_REASON = 300


class LiveError(Exception):
    """A connection ended or cannot be opened. `reason` is a word in CamelCase, the message is one line."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(" ".join(message.split())[:_MAX_REASON])
        self.reason = reason


class Dropped(LiveError):
    """The connection ended or failed. The session connects again after a short pause."""


class Unauthorized(LiveError):
    """The exchange refuses the credentials. Only a new credential helps, so the session retries slowly."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What one frame leads to: frames to send, and ticks in the order in which they apply."""

    send: Sequence[Frame] = ()
    ticks: Sequence[Tick] = ()


NOTHING = Reaction()


class Exchange(Protocol):
    """One connection's protocol. It keeps the subscriptions across connections. `now_ns`: ns since the epoch.

    Every method may raise `LiveError`, which ends the connection.
    """

    @property
    def ready(self) -> bool:
        """True if everything that was asked for is subscribed on this connection."""

    def opened(self, now_ns: int) -> Sequence[Frame]:
        """Return the frames to send on a new connection. Forgets what the last connection had."""

    def received(self, frame: bytes, now_ns: int) -> Reaction:
        """Decode a frame. Text frames come as UTF-8."""

    def waited(self, now_ns: int) -> Sequence[Frame]:
        """Return the frames whose time has come. The session calls it several times a second."""


class Connection(Protocol):
    """An open connection. Both methods raise `Dropped` once it has ended."""

    async def send(self, frame: Frame) -> None: ...
    async def receive(self) -> bytes: ...


Connect = Callable[[], AbstractAsyncContextManager[Connection]]
"""Opens a connection, or raises `LiveError`. It also fetches what must be known before, such as a list."""
