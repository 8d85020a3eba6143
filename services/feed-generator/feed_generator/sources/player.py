"""Play a recording: at a pace that may change, in numbered passes, from a time that somebody seeks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from feed_generator.messages import Message
from feed_generator.sources.base import Batch


@dataclass(frozen=True, slots=True)
class Instant:
    """The messages of one event time. Without messages: the search for the next instant goes on."""

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
        self._instants = read(0)
        self._before: Instant | None = None  # the last one of this pass
        self._next, self._searching = self._look()
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
        if instant is None:
            return Batch((), number)
        self.position_ts, self._before = instant.ts, instant
        self._go_on()
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
        if self._before is None:
            self._due_ns = max(self._due_ns, now_ns)  # the pass begins when its first instant is found
        self._go_on()
        if self._before is None and self._next is not None:
            self.position_ts = self._next.ts

    def pace(self, *, paused: bool, speed_percent: int) -> None:
        """Pause or play, and set the speed. The rest of the wait for the next instant scales with it."""
        if self._before is not None:  # the interval between passes does not scale
            left_ns = max(0, self._due_ns - self._now_ns)
            self._due_ns += left_ns * self.speed_percent // speed_percent - left_ns
        self.paused, self.speed_percent = paused, speed_percent

    def seek(self, ts: int) -> None:
        """Begin a new pass with the first instant at or after an event time. It is due when it is found."""
        self._begin_pass(ts, self._now_ns)

    def _look(self) -> tuple[Instant | None, bool]:
        """Return the next instant that has messages, if it is found, and whether the search goes on."""
        found = next(self._instants, None)
        searching = found is not None and not found.messages
        return (None if searching else found), searching

    def _go_on(self) -> None:
        """Look for the next instant of this pass, or of the next one behind its end."""
        self._next, self._searching = self._look()
        if self._next is not None and self._before is not None:
            self._due_ns += max(0, self._next.ts - self._before.ts) * 100 // self.speed_percent
        if self.ended and self._forever:
            self._begin_pass(0, self._due_ns + self._interval_ns)
            self._next, self._searching = self._look()

    def _begin_pass(self, from_ns: int, due_ns: int) -> None:
        self.pass_number += 1
        self._due_ns, self._before = due_ns, None
        self._instants, self._next, self._searching = self._read(from_ns), None, True
