"""Limit log lines to one per second and kind, so that many bad messages do not push other errors out."""

from __future__ import annotations

from collections.abc import Callable


class Sparse:
    """A rate limit per kind of log line. `clock` returns seconds. Kinds must be a small, fixed set."""

    def __init__(self, clock: Callable[[], float], every_s: float = 1.0) -> None:
        self._clock, self._every_s = clock, every_s
        self._next: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def due(self, kind: str) -> int | None:
        """Return None if a line of this kind must be left out now.

        Otherwise return the number of lines of this kind that were left out since the last one.
        """
        now = self._clock()
        if now < self._next.get(kind, now):
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return None
        self._next[kind] = now + self._every_s
        return self._left_out.pop(kind, 0)
