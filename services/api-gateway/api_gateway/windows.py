"""Count requests per minute in this process, and add the counts to Redis in steps."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from limits import RateLimitItem, WindowStats
from limits.storage import StorageTypes
from limits.strategies import STRATEGIES, FixedWindowRateLimiter

NAME = "fixed-window-in-steps"
MAX_STEP = 64
STEPS_LEFT = 64  # a step is at most this fraction of what is left of the limit
SYNC_S = 1.0  # longest time between two steps of a caller that sends requests
MAX_WINDOWS = 10_000


@dataclass
class _Window:
    """One caller's window. `counted` is Redis' count at the last step plus this process' requests since."""

    ends_at: float  # seconds since the epoch
    stepped_at: float
    counted: int
    unsent: int = 0


class WindowsInSteps(FixedWindowRateLimiter):
    """The fixed windows of `limits`, with fewer round trips to the storage.

    A window counts in memory and sends its count to the storage in steps. A step is one request until 64
    times as many are left, and never more than 64. So one process refuses exactly; each further replica may
    accept at most 1/64 of the limit more. A full window refuses without a round trip until it ends.
    """

    def __init__(self, storage: StorageTypes) -> None:
        super().__init__(storage)
        self._lock = threading.Lock()
        self._windows: dict[str, _Window] = {}  # in the order in which they began

    def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """Count a request. Returns False if the limit is exceeded. Raises the storage's errors."""
        key, now = item.key_for(*identifiers), time.time()
        with self._lock:
            window = self._current(key, now)
            if window is not None:
                if window.counted >= item.amount:
                    return False
                window.counted += cost
                window.unsent += cost
                step = min(MAX_STEP, (item.amount - window.counted) // STEPS_LEFT)
                if window.unsent < step and now - window.stepped_at < SYNC_S:
                    return True
                cost, window.unsent, window.stepped_at = window.unsent, 0, now
        return self._send(key, item, cost) <= item.amount

    def full_until(self, item: RateLimitItem, *identifiers: str) -> float | None:
        """Return the end of the window in seconds since the epoch if it is known to be full, else None."""
        with self._lock:
            window = self._current(item.key_for(*identifiers), time.time())
        return window.ends_at if window is not None and window.counted >= item.amount else None

    def get_window_stats(self, item: RateLimitItem, *identifiers: str) -> WindowStats:
        """Return the end of the window and the number of requests that are left in it."""
        key = item.key_for(*identifiers)
        with self._lock:
            window = self._current(key, time.time())
        if window is None:
            return super().get_window_stats(item, *identifiers)
        return WindowStats(window.ends_at, max(0, item.amount - window.counted))

    def _send(self, key: str, item: RateLimitItem, cost: int) -> int:
        """Add `cost` to the storage's count and return its new value."""
        try:
            total = self.storage.incr(key, item.get_expiry(), amount=cost)
            with self._lock:
                window = self._current(key, time.time())
            ends_at = self.storage.get_expiry(key) if window is None else window.ends_at
        except Exception:
            with self._lock:
                self._windows.pop(key, None)  # the storage knows better once it answers again
            raise
        with self._lock:
            window = self._current(key, time.time())
            if window is None:
                self._windows.pop(key, None)
                window = self._windows[key] = _Window(ends_at, time.time(), 0)
                while len(self._windows) > MAX_WINDOWS:
                    del self._windows[next(iter(self._windows))]
            window.counted = total + window.unsent
        return total

    def _current(self, key: str, now: float) -> _Window | None:
        window = self._windows.get(key)
        return window if window is not None and now < window.ends_at else None


STRATEGIES[NAME] = WindowsInSteps
