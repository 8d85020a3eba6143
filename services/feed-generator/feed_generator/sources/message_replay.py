"""Replay a file of messages: each as it was, at the pace of its event times or faster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, groupby

from feed_generator.messages import Message
from feed_generator.sources.message_file import Recorded
from feed_generator.sources.player import Instant, Player

_LOOKED_AT = 20_000
"""Messages that a search passes in one step, so that the liveness probe hears of each."""


class MessageReplay(Player):
    """The `Player` of a file of messages. Messages of one instant are one batch. It reads one ahead.

    No message can be conflated or dropped, so a replay at any speed gives what was recorded. `read`
    yields the messages from the file's start. A seek plays from the first message at or after the time on.
    """

    def __init__(
        self,
        *,
        feed: str,
        read: Callable[[], Iterator[Recorded]],
        span: tuple[int, int],
        speed_percent: int,
        interval_ns: int,
        forever: bool,
    ) -> None:
        self._prefix = b'{"feed":"%b",' % feed.encode()
        self._messages = read
        super().__init__(
            self._from,
            first_ts=span[0],
            last_ts=span[1],
            speed_percent=speed_percent,
            interval_ns=interval_ns,
            forever=forever,
        )

    def _from(self, from_ns: int) -> Iterator[Instant]:
        messages = self._messages()
        for passed, first in enumerate(messages, start=1):
            if first.ts >= from_ns:
                for ts, found in groupby(chain([first], messages), key=lambda one: one.ts):
                    yield Instant(ts, tuple(map(self._message, found)))
            elif passed % _LOOKED_AT == 0:
                yield Instant(first.ts, ())

    def _message(self, recorded: Recorded) -> Message:
        return Message(recorded.kind, None, self._prefix + recorded.line[1:])
