"""One log line a second of each kind: a flood of bad messages must not rotate other errors away."""

from __future__ import annotations

from collections.abc import Callable


class Sparse:
    """Says whether a line of some kind is due. `clock` gives seconds; kinds are a fixed, small set."""

    def __init__(self, clock: Callable[[], float], every_s: float = 1.0) -> None:
        self._clock, self._every_s = clock, every_s
        self._next: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def due(self, kind: str) -> int | None:
        """How many lines of this kind were left out since the last one; None if this one is to be, too."""
        now = self._clock()
        if now < self._next.get(kind, now):
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return None
        self._next[kind] = now + self._every_s
        return self._left_out.pop(kind, 0)
