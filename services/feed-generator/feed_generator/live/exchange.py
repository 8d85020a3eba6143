"""The protocol of an exchange without I/O, and the errors that end a connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from feed_generator.live.ticks import Tick

Frame = str | bytes
_MAX_REASON = 300
CHECK_NETWORK = "check this machine's internet access and proxy (HTTPS_PROXY)"
"""The fix of an exchange that cannot be reached."""


class LiveError(Exception):
    """A connection ended or cannot be opened. `reason` is a word in CamelCase, the message is one line."""

    def __init__(self, reason: str, message: str) -> None:
        line = " ".join(message.split())[:_MAX_REASON]
        # An exchange's text goes to terminals too, where a control character may do anything.
        super().__init__("".join(one if one.isprintable() else "?" for one in line))
        self.reason = reason


class Dropped(LiveError):
    """The connection ended or failed. The session connects again after a short pause."""


class Misconfigured(LiveError):
    """The feed asks for what cannot work. Only a person can change that, so the session retries slowly."""


class Unauthorized(LiveError):
    """The exchange refuses the credentials. Only a new one helps, so the session retries slowly."""


class BadFrame(Exception):
    """A frame that cannot be used. The session counts it, logs the first of its kind and goes on."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What one event leads to: frames to send, and ticks in the order in which they apply.

    `repeated`: ticks that were not new and are dropped. `refusal`: why a part of the frame cannot be used.
    """

    send: Sequence[Frame] = ()
    ticks: Sequence[Tick] = ()
    repeated: int = 0
    refusal: str = ""


NOTHING = Reaction()


class Exchange(Protocol):
    """One connection's protocol. It keeps the subscriptions across connections. `now_ns`: ns since the epoch.

    Every method may raise `LiveError`, which ends the connection.
    """

    @property
    def ready(self) -> str | None:
        """One line that says what is received, or None while anything asked for is not subscribed."""

    def opened(self, now_ns: int) -> Reaction:
        """Begin a new connection: forget what the last one had subscribed."""

    def received(self, frame: bytes, now_ns: int) -> Reaction:
        """Decode a frame. Text frames come as UTF-8. Raises BadFrame."""

    def waited(self, now_ns: int) -> Reaction:
        """Do what is due by now. The session calls it several times a second."""


class Connection(Protocol):
    """An open connection.

    Once it has ended, `receive` still returns the frames that came before the end, then raises `Dropped`.
    `send` then does nothing: an error there would lose those frames.
    """

    async def send(self, frame: Frame) -> None: ...
    async def receive(self) -> bytes: ...


Connect = Callable[[], AbstractAsyncContextManager[Connection]]
"""Opens a connection, or raises `LiveError`. It also fetches what must be known before, such as a list."""
