"""Play a recording: at a pace that may change, in numbered passes, from a time that somebody seeks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from feed_generator.messages import Message
from feed_generator.sources.base import Batch


@dataclass(frozen=True, slots=True)
class Instant:
    """The messages of one event time. Without messages: the search for the first instant goes on."""

    ts: int
    messages: tuple[Message, ...]


class Player:
    """A `Source`. `read` begins a pass and yields its instants from an event time on.

    `first_ts` and `last_ts` are event times of the whole feed's recording, the same for all of its shards.
    A time that goes back takes no time. A seek begins a new pass, so its messages are newer than all before.
    Offsets are ns after the publisher's start, as in `due_ns`.
    """

    def __init__(
        self,
        read: Callable[[int], Iterator[Instant]],
        *,
        first_ts: int,
        last_ts: int,
        speed_percent: int,
        interval_ns: int,
        forever: bool,
    ) -> None:
        self._read, self._interval_ns, self._forever = read, interval_ns, forever
        self.first_ts, self.last_ts = first_ts, last_ts
        self.paused, self.speed_percent = False, speed_percent
        self.pass_number = 1
        self._now_ns = self._due_ns = 0
        self._between_passes = self._searching = False
        self._instants = read(0)
        self._next = next(self._instants, None)
        self.position_ts = first_ts if self._next is None else self._next.ts

    @property
    def ended(self) -> bool:
        """True after the last instant of the only pass."""
        return self._next is None and not self._searching

    def due_ns(self) -> int | None:
        """Return the offset of the next instant, or None after the only pass and while paused."""
        if self._searching:
            return self._now_ns + 1  # right after this step, which has looked at a part of the file
        return None if self._next is None or self.paused else self._due_ns

    def advance(self) -> Batch:
        """Return the messages of the next instant."""
        instant, number = self._next, self.pass_number
        if instant is None or self._searching:
            return Batch((), number)
        self.position_ts = instant.ts
        self._next = next(self._instants, None)
        if self._next is None:
            self._end_pass()
        else:
            self._due_ns += max(0, self._next.ts - instant.ts) * 100 // self.speed_percent
            self._between_passes = False
        return Batch(instant.messages, number)

    def skip(self, gap_ns: int) -> None:
        """Do nothing: a recording keeps its own event times."""
        del gap_ns

    def step(self, now_ns: int) -> None:
        """Tell the player the time, as an offset. It goes on with a search for a part of the file."""
        if self.paused:
            self._due_ns += now_ns - self._now_ns
        self._now_ns = now_ns
        if not self._searching:
            return
        self._next = next(self._instants, None)
        if self._next is None:
            self._searching = False
            self._end_pass()
        elif self._next.messages:
            self._searching, self.position_ts = False, self._next.ts

    def pace(self, *, paused: bool, speed_percent: int) -> None:
        """Pause or play, and set the speed. The rest of the wait for the next instant scales with it."""
        if not self._between_passes:
            left_ns = max(0, self._due_ns - self._now_ns)
            self._due_ns += left_ns * self.speed_percent // speed_percent - left_ns
        self.paused, self.speed_percent = paused, speed_percent

    def seek(self, ts: int) -> None:
        """Begin a new pass with the first instant at or after an event time. It is due at once."""
        self.pass_number += 1
        self._due_ns, self._between_passes = self._now_ns, False
        self._instants, self._next, self._searching = self._read(ts), None, True

    def _end_pass(self) -> None:
        if self._forever:
            self.pass_number += 1
            self._due_ns += self._interval_ns
            self._between_passes = True
            self._instants = self._read(0)
            self._next = next(self._instants, None)
