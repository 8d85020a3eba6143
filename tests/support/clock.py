"""A clock for tests that moves only when a test sets it."""

from __future__ import annotations


class Clock:
    """A monotonic clock in seconds."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def monotonic(self) -> float:
        return self.now
