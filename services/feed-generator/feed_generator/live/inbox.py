"""The ticks between the sessions' thread, which fills the inbox, and the publisher's, which empties it.

The inbox is bounded. While the publisher waits for a full Redis, the oldest ticks are lost and counted,
because a newer quote of a contract replaces an older one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from threading import Lock

from feed_generator.live.ticks import Listing, Tick

INBOX_TICKS = 50_000


class Inbox:
    """Ticks in the order in which they came."""

    def __init__(self, limit: int = INBOX_TICKS) -> None:
        self._limit, self._lock = limit, Lock()
        self._listings: dict[str, Listing] = {}  # by product; all older than the ticks
        self._ticks: deque[Tick] = deque()
        self.lost = 0

    def put(self, ticks: Sequence[Tick]) -> None:
        """Add ticks. Beyond the limit the oldest are lost, but never a product's last listing."""
        with self._lock:
            self._ticks.extend(ticks)
            while len(self._ticks) > self._limit:
                oldest = self._ticks.popleft()
                if isinstance(oldest, Listing):
                    self._listings[oldest.product] = oldest
                else:
                    self.lost += 1

    def take(self) -> Sequence[Tick]:
        """Remove and return what is there now."""
        with self._lock:
            taken = [*self._listings.values(), *self._ticks]
            self._listings.clear()
            self._ticks.clear()
        return taken
