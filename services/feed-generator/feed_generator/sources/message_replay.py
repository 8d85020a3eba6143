"""Replay a file of messages: each as it was, at the pace of its event times or faster."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from feed_generator.messages import Message
from feed_generator.sources.message_file import Recorded
from feed_generator.sources.player import Instant, Player

_LOOKED_AT = 20_000
"""Most messages that one step reads, so that the liveness probe hears of a long search. No batch has more."""


class MessageReplay(Player):
    """The `Player` of a file of messages. Messages of one instant are one batch. It reads one ahead.

    No message can be conflated or dropped, so a replay at any speed gives what was recorded. `read` yields
    at least all messages from the first one at or after an event time on, `wanted` chooses among them. A seek
    starts with the first message at or after the time.
    """

    def __init__(
        self,
        *,
        feed: str,
        read: Callable[[int], Iterator[Recorded]],
        wanted: Callable[[Recorded], bool],
        span: tuple[int, int],
        speed_percent: int,
        interval_ns: int,
        forever: bool,
    ) -> None:
        self._prefix = b'{"feed":"%b",' % feed.encode()
        self._recorded, self._wanted = read, wanted
        super().__init__(
            self._from,
            first_ts=span[0],
            last_ts=span[1],
            speed_percent=speed_percent,
            interval_ns=interval_ns,
            forever=forever,
        )

    def _from(self, from_ns: int) -> Iterator[Instant]:
        held: list[Message] = []
        ts = from_ns
        begun = False
        for read, one in enumerate(self._recorded(from_ns), start=1):
            ours = (begun or one.ts >= from_ns) and self._wanted(one)
            begun = begun or ours
            if ours:
                if held and one.ts != ts:
                    yield Instant(ts, tuple(held))
                    held.clear()
                ts = one.ts
                held.append(Message(one.kind, None, self._prefix + one.line[1:]))
            if read % _LOOKED_AT == 0:
                yield Instant(ts, tuple(held))
                held.clear()
        if held:
            yield Instant(ts, tuple(held))
