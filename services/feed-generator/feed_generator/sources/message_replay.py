"""Replay a file of messages: each as it was, at the pace of its event times or faster."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from feed_generator.messages import Message
from feed_generator.sources.base import Batch
from feed_generator.sources.message_file import Recorded


class MessageReplay:
    """A `Source`. Messages of one instant are one batch. It reads ahead by one message.

    No message can be conflated or dropped, so a replay at any speed gives what was recorded. `read` begins a
    pass. A time that goes back, as between two passes of a recorded replay, takes no time.
    """

    def __init__(
        self,
        *,
        feed: str,
        read: Callable[[], Iterator[Recorded]],
        speed_percent: int,
        interval_ns: int,
        forever: bool,
    ) -> None:
        self._prefix = b'{"feed":"%b",' % feed.encode()
        self._read, self._speed_percent = read, speed_percent
        self._interval_ns, self._forever = interval_ns, forever
        self._pass, self._start_ns, self._market_ns = 1, 0, 0
        self._messages = read()
        self._next = next(self._messages, None)

    def due_ns(self) -> int | None:
        """Return the offset of the next message, or None after the only pass."""
        return None if self._next is None else self._offset_ns

    def advance(self) -> Batch:
        """Return the messages of the next instant."""
        messages: list[Message] = []
        now, number = self._next, self._pass
        while now is not None and self._next is not None and self._next.ts == now.ts:
            messages.append(Message(self._next.kind, None, self._prefix + self._next.line[1:]))
            self._next = next(self._messages, None)
        if self._next is not None and now is not None:
            self._market_ns += max(0, self._next.ts - now.ts)
        elif self._forever:
            self._start_ns = self._offset_ns + self._interval_ns
            self._pass, self._market_ns = self._pass + 1, 0
            self._messages = self._read()
            self._next = next(self._messages, None)
        return Batch(tuple(messages), number)

    def skip(self, gap_ns: int) -> None:
        """Do nothing: a recording keeps its own event times."""
        del gap_ns

    @property
    def _offset_ns(self) -> int:
        return self._start_ns + self._market_ns * 100 // self._speed_percent
