"""A clock that stands still unless a test moves it."""

from __future__ import annotations


class Clock:
    """Monotonic seconds."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def monotonic(self) -> float:
        return self.now
